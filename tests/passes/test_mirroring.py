"""A mirrored shot of a symmetric figure is the mirrored picture: colors, ids, names of keypoints.

The built-in avatar of short hair in a hoodie is symmetric but for its hair's strands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.builtin_avatar.test_versions import ssim
from tests.passes.pictures import EVERYTHING
from vrm_synth.annotation.keypoint_names import mirrored_name
from vrm_synth.api.avatars import demo_avatar
from vrm_synth.camera.camera import Camera
from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.dataset.render_shot import pose_for
from vrm_synth.parts.part_names import HAIR
from vrm_synth.passes.pass_arrays import pass_array
from vrm_synth.passes.pass_input import PassInput
from vrm_synth.pose.lookat import LookAtAngles
from vrm_synth.pose.pose_library import load_poses
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.shot.compose import compose_shot
from vrm_synth.stage.light_types import Ambient, Light

SIZE = (192, 256)
LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, eq=False)
class Drawn:
    rgba: NDArray[np.uint8]
    source: PassInput


@pytest.fixture(scope="module")
def avatar():
    return demo_avatar(hair_style="short", accessory="none", outfit="hoodie")


def draw(gl: GLBackend, avatar, side: int) -> Drawn:
    """A waving figure with its camera, light, wind and gaze from one side; side −1 is the mirror image of 1."""
    pose = load_poses()["wave"]
    shot, _ = compose_shot(
        avatar,
        "demo",
        pose=pose if side == 1 else pose.mirror(),
        camera=Camera(position=(side * 1.2, 1.3, 3.0), target=(side * 0.05, 0.8, 0.0), fov_y=36),
        lights=(Light(direction=(-side * 1.0, -1.0, -1.0)), Ambient(intensity=0.3)),
        look_at=LookAtAngles(side * 15.0, 5.0),
        settle_seconds=0.4,
        wind=(side * 0.3, 0.0, 0.1),
        expressions={"happy": 1.0},
        size=SIZE,
        supersample=3,
    )
    posed, view = pose_for(avatar, shot), replace(shot.view(), buffers=EVERYTHING)
    frame = gl.render(posed, view)
    return Drawn(frame.rgba, PassInput.of(posed, view, frame))


@pytest.fixture(scope="module")
def pair(gl, avatar) -> tuple[Drawn, Drawn]:
    return draw(gl, avatar, 1), draw(gl, avatar, -1)


def of_both(pair: tuple[Drawn, Drawn], name: str) -> tuple[NDArray, NDArray]:
    """A pass of both, the second one turned back."""
    return pass_array(name, pair[0].source), pass_array(name, pair[1].source)[:, ::-1]


def test_the_picture_is_mirrored(pair):
    a, b = (drawn.rgba[..., :3] @ LUMA for drawn in pair)
    assert ssim(a, b[:, ::-1]) >= 0.98
    assert ssim(a, b) < 0.9  # and is no mirror image of itself


def test_the_figure_and_its_depth_are_mirrored(pair):
    mask, turned = of_both(pair, "mask")
    assert (mask == turned).mean() >= 0.998
    depth, turned_depth = of_both(pair, "depth")
    both = mask & turned
    assert np.median(np.abs(depth[both] - turned_depth[both])) < 1e-4


def test_parts_are_mirrored(pair):
    parts, turned = of_both(pair, "parts")
    mask, turned_mask = of_both(pair, "mask")
    hair = np.isin(parts, list(HAIR)) | np.isin(turned, list(HAIR))
    assert (parts == turned)[mask & turned_mask & ~hair].mean() >= 0.99
    assert (parts == turned)[mask & turned_mask].mean() >= 0.97


def test_body_parts_swap_left_and_right(pair):
    bones, turned = of_both(pair, "body_parts")
    swapped = [BONE_NAMES.index(swap(name)) for name in BONE_NAMES]
    table = np.append(swapped, [-2, -1])  # NO_BONE and BACKGROUND, from the end
    mask, turned_mask = of_both(pair, "mask")
    both = mask & turned_mask
    assert (table[bones] == turned)[both].mean() >= 0.98
    assert (bones == turned)[both].mean() < 0.8


def swap(bone: str) -> str:
    if bone.startswith("left"):
        return bone.replace("left", "right", 1)
    return bone.replace("right", "left", 1) if bone.startswith("right") else bone


def test_keypoints_swap_their_names_and_keep_their_visibility(pair):
    first, second = (drawn.source.annotation.keypoints for drawn in pair)
    of_second = dict(zip(second.names, zip(second.pixels, second.visibility, strict=True), strict=True))
    for name, pixel, visibility in zip(first.names, first.pixels, first.visibility, strict=True):
        other, other_visibility = of_second[mirrored_name(name)]
        np.testing.assert_allclose(pixel, [SIZE[0] - other[0], other[1]], atol=0.05, err_msg=name)
        assert visibility == other_visibility, name


def test_head_and_gaze_turn_to_the_other_side(pair):
    first, second = (drawn.source.annotation for drawn in pair)
    assert first.gaze is not None and second.gaze is not None and first.head is not None and second.head is not None
    assert first.head.yaw == pytest.approx(-second.head.yaw, abs=0.1)
    assert first.head.pitch == pytest.approx(second.head.pitch, abs=0.1)
    assert first.gaze.yaw == pytest.approx(-second.gaze.yaw, abs=0.1)
