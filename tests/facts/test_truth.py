"""Facts of random shots against what their pictures really show: the short form of benchmarks/caption_truth.py."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

from benchmarks.caption_truth import differences, hands_of, turned_by_a_tenth_of_a_pixel
from tests.corpus import avatar_files, needs_corpus
from tests.facts.family_oracle import judge
from tests.facts.family_picture import Picture, params_of
from tests.facts.observed import Observed, observe_shot, ray_cast_ids
from tests.facts.real_oracle import judge_real, load_real_answers, part_pixels
from tests.facts.verdict import Verdict
from tests.parts.answer_sheet import load_overrides
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.shot import Recipe, source_at

SHOTS = 36
FAMILY = Recipe.model_validate({"avatars": [f"demo:{n}" for n in (2, 6, 8, 13)], "count": SHOTS, "seed": 14})
_open = lru_cache(maxsize=16)(open_avatar)


@pytest.fixture(scope="module")
def family() -> list[Observed]:
    """Random shots of four built-in avatars."""
    return [observe_shot(FAMILY, i, _open) for i in range(SHOTS)]


def verdicts(seen: Observed) -> list[Verdict]:
    """What is right and what is missed in one picture of a built-in avatar."""
    shot = seen.planned.shot
    hands = hands_of(shot.choices.pose, shot.choices.mirrored)
    return list(judge(seen.facts, Picture(params_of(shot.figure.avatar), shot, seen.posed, ray_cast_ids(seen), hands)))


def test_claims_of_the_family_are_true_and_nearly_complete(family: list[Observed]) -> None:
    rows = [(i, v) for i, seen in enumerate(family) for v in verdicts(seen)]
    assert [(i, v.kind, v.claim) for i, v in rows if v.claim and not v.right] == []
    plain = [bool(v.claim) for _, v in rows if v.in_sight]
    assert len(plain) > 300 and sum(plain) >= 0.95 * len(plain)


def test_facts_hardly_change_with_a_tenth_of_a_pixel_or_another_supersample(family: list[Observed]) -> None:
    changed: list[str] = []
    for i in range(0, SHOTS, 3):
        move = turned_by_a_tenth_of_a_pixel(FAMILY.size[1])
        changed += differences(family[i].facts, observe_shot(FAMILY, i, _open, move=move).facts)
        changed += differences(family[i].facts, observe_shot(FAMILY, i, _open, supersample=3).facts)
    assert len(changed) <= 1  # of 800


@needs_corpus
@pytest.mark.parametrize("with_overrides", [True, False])
def test_claims_about_the_looks_of_real_avatars_are_true(with_overrides: bool) -> None:
    files = [str(path) for path in avatar_files() if path.name in load_real_answers()]
    recipe = Recipe.model_validate({"avatars": files, "count": 20, "seed": 14})
    overrides = load_overrides() if with_overrides else {}
    wrong = []
    for i in range(recipe.count):
        name = Path(source_at(recipe, i)).name
        seen = observe_shot(recipe, i, _open, overrides.get(name))
        expressions = seen.planned.shot.figure.expressions
        rows = judge_real(seen.facts, name, part_pixels(seen, name), expressions)
        wrong += [(name, i, v.kind, v.claim) for v in rows if v.claim and not v.right]
    assert wrong == []
