"""(recipe, i) → Shot: pure, varied, framed as named. What its picture shows: test_visibility.py."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.corpus import avatar_files, needs_corpus
from tests.observe_drawn import observe_drawn
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.camera.framing import project
from vrm_synth.camera.views import load_views
from vrm_synth.core.errors import RecipeError, ShotError
from vrm_synth.dataset.render_shot import pose_for
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.pose_library import load_poses
from vrm_synth.shot import Recipe, Shot, plan_shot, preset_shot
from vrm_synth.shot.body_parts import body_parts_of, crop_vertices, posed_vertices
from vrm_synth.shot.posed_body import pose_body
from vrm_synth.vrm.avatar import Avatar

opened = cache(open_avatar)
SOME_POSES = ("t_pose", "wave", "sit_floor", "seiza", "run", "jump", "bow", "arabesque", "crouch", "stretch", "kick")
ROUNDED = 1e-5  # shots hold cameras to 0.1 µm


def recipe(**fields: Any) -> Recipe:
    return Recipe.model_validate({"avatars": ["demo"], "count": 200, "settle_seconds": None} | fields)


def drawn(shot: Shot, avatar: Avatar) -> np.ndarray:
    """(V, 3) positions of the shot's vertices, computed as rendering does."""
    f = shot.figure
    posed = evaluate(
        avatar, bones=f.bones, hips_offset=f.hips_offset, expressions=f.expressions, look_at=f.look_at,
        settle_seconds=f.settle_seconds,
    )  # fmt: skip
    assert posed.warnings == ()
    return posed_vertices(body_parts_of(avatar), posed)


def projected(shot: Shot, points: np.ndarray) -> np.ndarray:
    return project(shot.camera, shot.size[0] / shot.size[1], points)


# ---------------------------------------------------------------- a pure function


def test_the_pose_of_a_plan_is_the_shots_own_to_the_bit() -> None:
    """Posed anew from the shot's JSON; a gaze turns the eyes only after planning, so its plan has no pose."""
    r = recipe(avatars=["demo", "demo:1"], seed=2, settle_seconds=0.1, wind=0.3)
    gazes = 0
    for i in range(24):
        planned = plan_shot(r, i, opened)
        shot = Shot.from_json(json.loads(json.dumps(planned.shot.to_json())))
        assert plan_shot(r, i, opened).shot == planned.shot == shot
        if shot.figure.look_at is not None:
            assert planned.posed is None
            gazes += 1
            continue
        anew, posed = pose_for(opened(shot.figure.avatar), shot), planned.posed
        assert posed is not None and posed.avatar is anew.avatar
        assert np.array_equal(posed.world_from_node, anew.world_from_node)
        assert posed.morph_weights.keys() == anew.morph_weights.keys()
        assert all(np.array_equal(w, anew.morph_weights[n]) for n, w in posed.morph_weights.items())
        for name in ("materials", "expressions", "requested_weights", "look_at", "warnings"):
            assert getattr(posed, name) == getattr(anew, name), name
    assert 0 < gazes < 24


def test_the_order_of_planning_does_not_matter() -> None:
    r = recipe(avatars=["demo", "demo:1"], seed=4)
    forward = [plan_shot(r, i, opened).shot for i in range(12)]
    assert [plan_shot(r, i, opened).shot for i in reversed(range(12))][::-1] == forward
    assert all(Shot.from_json(json.loads(json.dumps(s.to_json()))) == s for s in forward)
    assert [s.id for s in forward] == [f"{i:06d}" for i in range(12)]


def test_another_process_plans_the_same_shot() -> None:
    r = recipe(seed=9)
    program = (
        "import json;from vrm_synth.builtin_avatar.open_avatar import open_avatar;"
        "from vrm_synth.shot import Recipe, plan_shot;"
        "r=Recipe.model_validate({'avatars':['demo'],'count':200,'settle_seconds':None,'seed':9});"
        "print(json.dumps(plan_shot(r,7,open_avatar).shot.to_json()))"
    )
    root = Path(__file__).resolve().parents[2]
    out = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True).stdout
    assert json.loads(out) == plan_shot(r, 7, opened).shot.to_json()


def test_each_choice_has_its_own_random_stream() -> None:
    """Changing what may be drawn of one kind leaves the others as they were."""
    a = [plan_shot(recipe(), i, opened).shot for i in range(6)]
    b = [plan_shot(recipe(background="white", lighting="flat"), i, opened).shot for i in range(6)]
    for x, y in zip(a, b, strict=True):
        assert (x.figure, x.camera) == (y.figure, y.camera)
        assert y.background == (1.0, 1.0, 1.0, 1.0)
    c = [plan_shot(recipe(crops="full"), i, opened).shot for i in range(6)]
    assert [x.figure.bones for x in a] == [x.figure.bones for x in c]
    assert [x.background for x in a] == [x.background for x in c]


def test_other_seeds_and_indices_give_other_shots() -> None:
    shots = [plan_shot(recipe(seed=seed), i, opened).shot for seed in (0, 1) for i in range(6)]
    assert len({json.dumps(s.to_json()) for s in shots}) == len(shots)


def test_avatars_take_turns() -> None:
    names = ["demo", "demo:1", "demo:2"]
    r = recipe(avatars=names, poses="stand")
    light = cache(lambda source: opened("demo"))  # only the choice is looked at
    for deal in range(4):
        assert sorted(plan_shot(r, 3 * deal + k, light).shot.figure.avatar for k in range(3)) == names


@pytest.mark.parametrize("i", [-1, 200, 1.0, True])
def test_shots_outside_the_recipe_are_refused(i: Any) -> None:
    with pytest.raises(ShotError, match="no such shot"):
        plan_shot(recipe(), i, opened)


def test_planned_shots_follow_the_recipe() -> None:
    r = recipe(
        size=[320, 200], supersample=3, background="#102030", poses="wave", mirror=0.0, views="bust_back_high",
        jitter={"camera": 0, "pose": 0}, fov=[30, 30], expressions="happy", outlines=False, settle_seconds=0.25,
    )  # fmt: skip
    planned = plan_shot(r, 0, opened)
    s, view = planned.shot, observe_drawn(planned).view
    assert (s.size, s.supersample, s.outlines, s.camera.fov_y) == ((320, 200), 3, False, 30.0)
    assert s.figure.settle_seconds == 0.25
    assert s.background == (16 / 255, 32 / 255, 48 / 255, 1.0)
    assert s.figure.bones == {b: pytest.approx(q) for b, q in load_poses()["wave"].bones.items()}
    assert s.figure.expressions.keys() == {"happy"} and 0.75 <= s.figure.expressions["happy"] <= 1
    assert (planned.aim.azimuth, planned.aim.elevation) == (180, load_views()["bust_back_high"].elevation.degrees)
    assert view.height == "high" and view.body in ("back", "")
    assert plan_shot(recipe(poses="wave", mirror=1.0), 0, opened).shot.choices.mirrored is True
    assert plan_shot(recipe(poses="t_pose", mirror=1.0), 0, opened).shot.choices.mirrored is False


# ---------------------------------------------------------------- framing


@pytest.mark.parametrize("i", range(24))
def test_full_views_show_the_whole_figure(i: int) -> None:
    planned = plan_shot(recipe(crops="full", settle_seconds=0.3, size=[96, 128] if i % 2 else 64), i, opened)
    s = planned.shot
    x, y, depth = projected(s, drawn(s, opened("demo"))).T
    assert max(np.abs(x).max(), np.abs(y).max()) <= 1 - 2 * 0.06 + ROUNDED
    assert max(np.ptp(x), np.ptp(y)) > 1.5  # and no smaller than they must be
    assert s.camera.near < depth.min() and depth.max() < s.camera.far
    assert observe_drawn(planned).framing == "full_body"


@pytest.mark.parametrize("pose", SOME_POSES)
@pytest.mark.parametrize("crop", ["face", "bust", "cowboy"])
def test_crops_show_what_they_name(crop: str, pose: str) -> None:
    avatar = opened("demo")
    for view in ("front_level", "side_left_high", "three_quarter_right_low"):
        s = preset_shot(avatar, "demo", pose, f"{crop}_{view}")
        b, points = body_parts_of(avatar), drawn(s, avatar)
        x, y, _ = projected(s, points[crop_vertices(b, load_views()[f"{crop}_{view}"].crop.down_to)]).T
        assert max(np.abs(x).max(), np.abs(y).max()) <= 1 + ROUNDED
        hx, hy, _ = projected(s, points[b.direct & b.of_bones("head")]).T
        assert max(np.abs(hx).max(), np.abs(hy).max()) <= 1.05
        share = np.ptp(hy) / 2
        assert share > {"face": 0.4, "bust": 0.2, "cowboy": 0.1}[crop]


@needs_corpus
@pytest.mark.parametrize("path", avatar_files(), ids=lambda p: p.stem)
def test_every_shared_avatar_is_framed(path: Path) -> None:
    """Every vertex of a full figure lies inside the margins; every crop of anything has a camera."""
    avatar = opened(str(path))
    for n, pose in enumerate(SOME_POSES):
        for view in list(load_views())[n % 9 :: 9]:
            s = preset_shot(avatar, str(path), pose, view, size=(64, 64))
            assert Shot.from_json(s.to_json()) == s
            if view.startswith("full"):
                x, y, depth = projected(s, drawn(s, avatar)).T
                assert max(np.abs(x).max(), np.abs(y).max()) <= 1 - 2 * 0.06 + ROUNDED
                assert s.camera.near < depth.min() and depth.max() < s.camera.far


@pytest.mark.parametrize("scale", [0.02, 2.0])
def test_the_size_of_an_avatar_does_not_change_its_framing(scale: float) -> None:
    """The same character at 3 cm and at 3 m: the same words, the camera as many times as far away."""
    avatar = opened("demo")
    top = {n for n in avatar.scene_nodes if avatar.nodes[n].parent < 0}
    resized = [
        replace(n, scale=tuple(scale * v for v in n.scale), translation=tuple(scale * v for v in n.translation))
        if i in top else n
        for i, n in enumerate(avatar.nodes)
    ]  # fmt: skip
    other = replace(avatar, nodes=tuple(resized))
    plain = recipe(gaze="ahead", outlines=False)  # an outline's width is in metres
    for i in range(6):
        a, b = (plan_shot(plain, i, lambda source, of=of: of) for of in (avatar, other))
        # As of any file: the looks of the built-in avatar are known from its numbers, and not measured.
        assert a.shot.choices == b.shot.choices and observe_drawn(a, "x.vrm") == observe_drawn(b, "x.vrm")
        np.testing.assert_allclose(np.array(a.shot.camera.position) * scale, b.shot.camera.position, atol=2e-6)


@pytest.mark.parametrize("pose", [n for n, p in load_poses().items() if p.ground])
def test_grounded_poses_touch_the_floor(pose: str) -> None:
    avatar = opened("demo")
    b, figure = body_parts_of(avatar), pose_body(avatar, load_poses()[pose])
    assert figure.vertices[b.direct, 1].min() == pytest.approx(b.floor, abs=1e-6)


def test_jumps_leave_the_floor() -> None:
    b, figure = body_parts_of(opened("demo")), pose_body(opened("demo"), load_poses()["jump"])
    assert figure.vertices[b.direct, 1].min() > b.floor + 0.1


def test_unknown_presets_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"no such pose.*; got handstand"):
        preset_shot(opened("demo"), "demo", "handstand", "full_front_level")
    with pytest.raises(RecipeError, match=r"no such view.*; got front"):
        preset_shot(opened("demo"), "demo", "wave", "front")
