"""Crash policy: quarantine follows from which shots crash, and not from order or number of workers."""

from __future__ import annotations

import functools
import itertools
from collections import Counter

import numpy as np
import pytest

from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.core.errors import RenderError
from vrm_synth.dataset.plan import Plan
from vrm_synth.dataset.render_blocks import RecipeDataset
from vrm_synth.dataset.render_task import CrashedShot, RenderResult
from vrm_synth.dataset.settings import DatasetSettings, OutputFormat
from vrm_synth.dataset.shards.record import read_records
from vrm_synth.execution.crash_policy import (
    AVATAR_GIVEN_UP,
    MAX_CONSECUTIVE_SHOTS,
    MAX_FAILED_STARTS,
    MAX_OUT_OF_MEMORY,
    MAX_SHOT_CRASHES,
    SHOT_QUARANTINED,
    ShotCrashPolicy,
    WorkerCrashPolicy,
)
from vrm_synth.execution.work_queue import WorkQueue
from vrm_synth.io.store import LocalStore
from vrm_synth.shot import Recipe, source_at

opened = functools.cache(open_avatar)
COUNT, BLOCK = 120, 40
RECIPE = {"avatars": ["demo:1", "demo:2"], "count": COUNT, "seed": 3, "splits": {"test": 0.2}}


def expected(recipe: Recipe, deadly: set[int]) -> dict[str, str]:
    """Expected quarantine by a direct implementation of the rule: shot → reason."""
    why = dict.fromkeys(deadly, SHOT_QUARANTINED)
    for block, source in itertools.product(range(COUNT // BLOCK), recipe.avatars):
        shots = [i for i in range(block * BLOCK, (block + 1) * BLOCK) if source_at(recipe, i) == source]
        rows = (
            k
            for k in range(MAX_CONSECUTIVE_SHOTS, len(shots) + 1)
            if deadly.issuperset(shots[k - MAX_CONSECUTIVE_SHOTS : k])
        )
        why |= dict.fromkeys(shots[next(rows, len(shots)) :], AVATAR_GIVEN_UP)
    return {f"{i:06d}": text for i, text in why.items()}


class SimulatedPool:
    """Simulates workers that take parts of a queue in random order; some shots crash them. Renders nothing."""

    def __init__(self, deadly: set[int], seed: int, workers: int):
        self.deadly, self.workers, self.rng = deadly, workers, np.random.default_rng(seed)
        self.crashes = Counter[int]()

    def __call__(self, task, groups, *, skip):
        queue = WorkQueue(groups, self.workers, skip)
        at = [None] * self.workers
        pending = [()] * self.workers
        while queue or any(pending):
            k = int(self.rng.integers(self.workers))
            if not pending[k]:
                at[k], pending[k] = queue.take(at[k]) or (at[k], ())
                continue
            i, *rest = pending[k]
            if i in self.deadly:
                pending[k] = ()
                if rest:
                    queue.give_back(at[k], tuple(rest))
                self.crashes[i] += 1
                yield CrashedShot(i, "SIGKILL")
            else:
                pending[k] = tuple(rest)
                yield RenderResult(i, None, reason="drawn")


def simulated(out, deadly, seed, workers):
    dataset = RecipeDataset(
        Recipe.model_validate(RECIPE), LocalStore(out), opened, DatasetSettings(OutputFormat("webdataset"), BLOCK)
    )
    pool, progress_calls, notes = SimulatedPool(deadly, seed, workers), [], []
    progress = dataset.render_blocks(dataset.missing(), pool, lambda: progress_calls.append(1), notes.append)
    assert len(progress_calls) == progress.quarantined == COUNT and progress.crashes == pool.crashes.total()
    quarantined = {k: v for record in read_records(dataset.store) for k, v in record.quarantined.items()}
    return {k: v for k, v in quarantined.items() if v != "drawn"}, pool, notes


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 1.0])
def test_quarantine_does_not_depend_on_order_or_workers(tmp_path, share):
    recipe = Recipe.model_validate(RECIPE)
    random = np.random.default_rng(round(share * 100))
    deadly = set(np.flatnonzero(random.random(COUNT) < share).tolist())
    for seed, workers in itertools.product(range(3), (1, 2, 7)):
        quarantined, pool, _ = simulated(tmp_path / f"{seed} {workers}", deadly, seed, workers)
        assert quarantined == expected(recipe, deadly)
        assert max(pool.crashes.values(), default=0) <= MAX_SHOT_CRASHES


@pytest.mark.parametrize("workers", [1, 2, 7])
def test_an_avatar_that_always_crashes_costs_a_few_processes_and_one_note(tmp_path, workers):
    recipe = Recipe.model_validate(RECIPE)
    deadly = {i for i in range(COUNT) if source_at(recipe, i) == "demo:2"}
    quarantined, pool, notes = simulated(tmp_path / "set", deadly, 0, workers)
    assert quarantined == expected(recipe, deadly) and set(quarantined) == {f"{i:06d}" for i in deadly}
    blocks = COUNT // BLOCK
    assert pool.crashes.total() <= blocks * MAX_CONSECUTIVE_SHOTS * (MAX_SHOT_CRASHES + workers)
    given_up = [text for text in notes if "given up" in text]
    assert len(given_up) == blocks and given_up[0].startswith("avatar demo:2 is given up in block ")
    lost = [int(text.rpartition(": ")[2].split()[0]) for text in given_up]
    assert sum(lost) == len(deadly) - blocks * MAX_CONSECUTIVE_SHOTS


def test_success_clears_the_crashes_of_a_shot():
    plan = Plan(Recipe.model_validate(RECIPE | {"avatars": ["demo"]}), BLOCK)
    policy = ShotCrashPolicy(plan.avatar_group, plan.group_shots)
    for i in (0, 1, 2):
        assert not policy.on_crash(i)
    assert policy.should_wait(3) and not policy.should_wait(2) and not policy.should_wait(BLOCK)
    assert policy.on_crash(0) and policy.on_crash(2) and not policy.is_given_up(3)
    policy.on_success(1)
    assert not policy.should_wait(3)


def test_workers_that_never_start_stop_the_run_and_blame_no_piece():
    policy = WorkerCrashPolicy("an actor")
    assert not any(policy.blames_piece(False, "SIGSEGV") for _ in range(MAX_FAILED_STARTS - 1))
    policy.on_start()
    assert policy.blames_piece(True, "SIGSEGV")
    assert not any(policy.blames_piece(False, "SIGSEGV") for _ in range(MAX_FAILED_STARTS - 1))
    with pytest.raises(RenderError, match="an actor died before it could draw; got SIGSEGV"):
        policy.blames_piece(False, "SIGSEGV")


def test_lack_of_memory_blames_no_piece_and_stops_a_run_without_progress():
    policy = WorkerCrashPolicy()
    for _ in range(3):
        assert not any(policy.blames_piece(True, "killed", out_of_memory=True) for _ in range(MAX_OUT_OF_MEMORY - 1))
        policy.on_event()
    assert not any(policy.blames_piece(True, "killed", out_of_memory=True) for _ in range(MAX_OUT_OF_MEMORY - 1))
    with pytest.raises(RenderError, match="no memory left"):
        policy.blames_piece(True, "killed", out_of_memory=True)
