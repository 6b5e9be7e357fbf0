"""The plan: every shot is in one shard, every shard in one split, and both follow from the recipe alone."""

from __future__ import annotations

from collections import Counter

import pytest

from vrm_synth.core.errors import DatasetError, RecipeError
from vrm_synth.dataset.plan import Plan, held_out_avatars
from vrm_synth.shot import Recipe, source_at


def recipe(**settings):
    return Recipe.model_validate({"avatars": ["demo:0..7"], "count": 1000, **settings})


@pytest.mark.parametrize("size", [1, 7, 1000, 3000])
@pytest.mark.parametrize("split_by", ["shot", "avatar"])
def test_every_shot_is_in_one_shard(size, split_by):
    plan = Plan(recipe(count=50, splits={"test": 0.2, "val": 0.1}, split_by=split_by), size)
    shards = [shard for block in range(plan.blocks) for shard in plan.shards(block)]
    assert [s.number for s in shards] == list(range(3 * plan.blocks))
    assert sorted(i for s in shards for i in s.shots) == list(range(50))
    for block in range(plan.blocks):
        for shard in plan.shards(block):
            assert set(shard.shots) <= set(plan.shots(block)) and list(shard.shots) == sorted(shard.shots)
            assert shard.number in plan.numbers(block) and shard.split == plan.splits[shard.number % 3]


def test_splits_have_their_shares():
    plan = Plan(recipe(splits={"test": 0.1, "val": 0.3}), 10_000)
    (train, test, val) = (len(s.shots) for s in plan.shards(0))
    assert 70 < test < 130 and 250 < val < 350 and train + test + val == 1000


def test_a_held_out_avatar_is_in_its_split_only():
    r = recipe(splits={"test": 0.25}, split_by="avatar")
    held_out = held_out_avatars(r)
    assert Counter(held_out.values()) == {"test": 2} and set(held_out) < set(r.avatars)
    (train, test) = Plan(r, 10_000).shards(0)
    assert {source_at(r, i) for i in test.shots} == set(held_out)
    assert not {source_at(r, i) for i in train.shots} & set(held_out)
    assert held_out_avatars(recipe(splits={"test": 0.25}, split_by="avatar", seed=1)) != held_out


def test_a_split_of_too_few_avatars_is_refused():
    with pytest.raises(DatasetError, match="too few avatars to split by avatar; got 1; allowed: more than 1"):
        held_out_avatars(recipe(avatars=["demo"], splits={"test": 0.1}, split_by="avatar"))


@pytest.mark.parametrize(
    "settings", [{"splits": {"test": 1.0}}, {"splits": {"a": 0.5, "b": 0.5}}, {"splits": {"train": 0.5}},
                 {"splits": {"Test": 0.5}}, {"splits": {"../x": 0.1}}, {"splits": {"test": 0}}, {"split_by": "pose"}],
)  # fmt: skip
def test_splits_that_make_no_sense_are_refused(settings):
    with pytest.raises((RecipeError, ValueError)):
        recipe(**settings)


def test_an_unsplit_recipe_has_one_shard_a_block():
    plan = Plan(recipe(), 300)
    assert plan.splits == ("train",) and plan.blocks == 4
    assert [len(plan.shards(b)[0].shots) for b in range(4)] == [300, 300, 300, 100]


def test_the_last_of_eleven_thousand_blocks_is_planned_directly():
    plan = Plan(recipe(count=11_000_000, splits={"test": 0.1}), 1000)
    assert plan.blocks == 11_000
    last = plan.shards(10_999)
    assert [s.number for s in last] == [21_998, 21_999] and last[0].shots[-1] == 10_999_999
