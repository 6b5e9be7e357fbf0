"""The work queue hands out groups part by part, and keeps workers with their group."""

from __future__ import annotations

import itertools

from vrm_synth.execution.work_queue import MAX_BATCH, WorkQueue


def test_a_worker_finishes_its_group_before_it_starts_or_joins_another():
    queue = WorkQueue([[*range(100)], [*range(100, 104)], [*range(200, 300)]], 2)
    parts: dict[str, list[int | None]] = {"a": [], "b": []}
    at: dict[str, int | None] = {"a": None, "b": None}
    taken: list[int] = []
    while queue:
        for name in parts:
            part_of_group = queue.take(at[name])
            if part_of_group:
                at[name], part = part_of_group
                assert 1 <= len(part) <= MAX_BATCH
                parts[name].append(at[name])
                taken += part
    assert sorted(taken) == [*range(104), *range(200, 300)]
    for groups in parts.values():
        assert sum(one != other for one, other in itertools.pairwise(groups)) <= 2
    assert {parts["a"][0], parts["b"][0]} == {0, 1} and 2 in parts["b"]


def test_a_returned_part_is_handed_out_next():
    queue = WorkQueue([[1, 2, 3]], 1)
    group, part = queue.take(None)
    queue.give_back(group, part)
    assert queue.take(None) == (group, part) == (0, (1, 2))


def test_parts_are_shorter_towards_the_end():
    queue = WorkQueue([[*range(200)]], 2)
    lengths = []
    while queue:
        _, part = queue.take(0)
        lengths.append(len(part))
    assert lengths == [16] * 9 + [14, 11, 8, 6, 5, 3, 3, 2, 1, 1, 1, 1]
