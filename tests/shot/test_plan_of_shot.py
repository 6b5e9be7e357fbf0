"""Plans made of shots alone, against those of the recipe that drew them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.observe_drawn import observe_drawn
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.camera.camera import Camera
from vrm_synth.camera.framing import Aim, Margins, fit
from vrm_synth.dataset.render_task import gaze_in_angles
from vrm_synth.shot import Recipe, Shot, plan_shot
from vrm_synth.shot.plan_of_shot import aim_of, plan_of_shot

opened = cache(open_avatar)


@pytest.mark.parametrize("aim", [Aim(0.0), Aim(33.0, 12.0, 2.5, 40.0), Aim(-170.0, -20.0, -3.0), Aim(90.0, 80.0, 1.0)])
def test_the_aim_of_a_camera_is_the_one_it_was_fitted_by(aim: Aim) -> None:
    points = np.array([[0, 0, 0], [0.5, 1.7, 0.2], [-0.5, 1.0, -0.1]])
    found = aim_of(fit(points, points, aim, 1.0, Margins()))
    assert np.allclose([found.azimuth, found.elevation, found.roll, found.fov_y],
                       [aim.azimuth, aim.elevation, aim.roll, aim.fov_y], atol=1e-6)  # fmt: skip


def test_a_camera_straight_above_has_an_aim() -> None:
    assert aim_of(Camera((0, 3, 0), (0, 1, 0), (0, 0, -1))).elevation == 90.0


@pytest.mark.parametrize("i", range(12))
def test_the_facts_of_a_shot_after_json_are_those_of_its_recipe(i: int) -> None:
    recipe = Recipe.model_validate({"avatars": ["demo"], "count": 12, "size": 256, "seed": 3, "settle_seconds": 0.1})
    planned, avatar = plan_shot(recipe, i, opened), opened("demo")
    shot = Shot.from_json(gaze_in_angles(avatar, planned.shot).to_json())
    again = plan_of_shot(avatar, shot, planned.pose)
    assert again.gaze == planned.gaze
    assert observe_drawn(again) == observe_drawn(planned)
