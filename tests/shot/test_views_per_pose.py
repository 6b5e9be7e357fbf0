"""Several views of one body: what belongs to the body stays, cameras differ, and the first view is the plain shot."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.core.errors import RecipeError
from vrm_synth.dataset.plan import Plan
from vrm_synth.pose.evaluate import LookAtAngles, evaluate, gaze_of
from vrm_synth.shot import Recipe, Shot, plan_shot, source_at
from vrm_synth.shot.planner import first_view
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.yaml_models.strict_yaml import RefusedError

VIEWS, COUNT = 3, 24
opened = cache(open_avatar)


def recipe(**changes: Any) -> Recipe:
    plain = {"avatars": ["demo", "demo:1"], "count": COUNT, "seed": 2, "size": 64, "settle_seconds": 0.1, "wind": 0.3,
             "splits": {"test": 0.4}, "views_per_pose": VIEWS}  # fmt: skip
    return Recipe.model_validate(plain | changes)


def of_the_body(shot: Shot) -> dict[str, Any]:
    """Everything of a shot but its id, its camera and the words about them."""
    content = shot.to_json()
    view = ("view", "crop", "azimuth_name", "elevation_name", "wording")
    choices = {k: v for k, v in content["choices"].items() if k not in view}
    return {k: v for k, v in content.items() if k not in ("id", "camera")} | {"choices": choices}


@pytest.mark.parametrize("attempts", [(0, 0, 0), (0, 2, 0), (1, 0, 3)], ids=str)
def test_the_views_of_a_body_share_all_but_their_cameras(attempts):
    """Also where a view was drawn again, because the first attempt showed nothing."""
    planned = [plan_shot(recipe(), i, opened, attempts[i % VIEWS]) for i in range(COUNT)]
    bodies = [planned[at : at + VIEWS] for at in range(0, COUNT, VIEWS)]
    for views in bodies:
        assert of_the_body(views[0].shot) == of_the_body(views[1].shot) == of_the_body(views[2].shot)
        cameras = {v.shot.camera for v in views}
        assert len(cameras) == VIEWS and [v.shot.id for v in views] == sorted({v.shot.id for v in views})
        posed = [pose_of(opened(v.shot.figure.avatar), v.shot) for v in views]
        assert all(np.array_equal(posed[0], p) for p in posed[1:])
    different = {str(of_the_body(views[0].shot)) for views in bodies}
    assert len(different) == len(bodies)


def test_another_attempt_has_another_camera():
    for i in (0, 1):
        first, second = (plan_shot(recipe(), i, opened, attempt) for attempt in (0, 1))
        assert first.shot.camera != second.shot.camera and of_the_body(first.shot) == of_the_body(second.shot)
        alone = [plan_shot(recipe(views_per_pose=1), i, opened, attempt).shot for attempt in (0, 1)]
        assert of_the_body(alone[0]) != of_the_body(alone[1])


def pose_of(avatar: Avatar, shot: Shot) -> np.ndarray:
    f = shot.figure
    return evaluate(avatar, bones=f.bones, hips_offset=f.hips_offset, expressions=f.expressions, look_at=f.look_at,
                    settle_seconds=f.settle_seconds, wind=shot.wind).world_from_node  # fmt: skip


def test_the_first_view_is_the_shot_of_a_recipe_without_views():
    plain = recipe(views_per_pose=1)
    for i in range(0, COUNT, VIEWS):
        with_views = plan_shot(recipe(), i, opened)
        alone = plan_shot(plain, i, opened)
        assert with_views.shot == alone.shot and with_views.gaze == alone.gaze
    assert Recipe.model_validate({"avatars": ["demo"], "count": 1}).views_per_pose == 1
    assert [first_view(plain, i) for i in range(5)] == list(range(5))


def test_views_of_a_body_are_in_one_split_and_of_one_avatar():
    for options in ({}, {"split_by": "avatar", "splits": {"test": 0.5}}):
        plan = Plan(recipe(**options), shard_size=4)  # which bodies are cut by
        assert [first_view(plan.recipe, i) for i in range(7)] == [0, 0, 0, 3, 3, 3, 6]
        by_shot = {i: s.split for block in range(plan.blocks) for s in plan.shards(block) for i in s.shots}
        splits = [by_shot[i] for i in range(COUNT)]
        for at in range(0, COUNT, VIEWS):
            assert len(set(splits[at : at + VIEWS])) == 1
            assert len({source_at(plan.recipe, i) for i in range(at, at + VIEWS)}) == 1
        assert len(set(splits)) == 2


def test_a_gaze_is_the_first_views_and_is_called_the_viewers_there_alone():
    # with other cameras the eyes that look into the first one look aside
    looking = recipe(gaze="viewer", azimuths="front", crops="bust", elevations="level", poses="stand")
    planned = [plan_shot(looking, i, opened) for i in range(VIEWS)]
    assert [p.gaze for p in planned] == ["viewer", "", ""]
    first = planned[0].shot
    avatar, figure = opened(first.figure.avatar), first.figure
    assert figure.look_at == first.camera.position
    gaze = gaze_of(avatar, bones=figure.bones, hips_offset=figure.hips_offset, look_at=figure.look_at)
    assert gaze is not None
    angles = replace(figure, look_at=LookAtAngles(gaze.yaw, gaze.pitch))
    assert angles.bones == planned[2].shot.figure.bones


@pytest.mark.parametrize("value", [0, -1, 10_001, 1.5, "three", True])
def test_another_number_of_views_is_refused(value):
    with pytest.raises((RecipeError, RefusedError, ValueError)):
        recipe(views_per_pose=value)
