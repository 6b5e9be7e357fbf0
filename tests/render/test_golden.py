"""Golden pictures of the built-in avatar, so that no change of the look goes unnoticed.

Compared on llvmpipe alone: another rasteriser has other edges. A failure writes ours and the difference, eight
times magnified, to out/golden/. `python -m tests.render.test_golden` draws the pictures anew; look at them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pictures import write_difference
from vrm_synth.builtin_avatar import DemoParams, build_glb, variant
from vrm_synth.camera.camera import Camera
from vrm_synth.core.transforms import quat_axis_angle
from vrm_synth.pose.evaluate import LookAtAngles, evaluate
from vrm_synth.render import RenderBackend, View, open_backend
from vrm_synth.stage.light_types import Ambient, Light
from vrm_synth.vrm import Avatar, load_bytes

GOLDEN = Path(__file__).parent / "golden"
FAILED = Path("out/golden")
ARMS_DOWN = {
    "leftUpperArm": tuple(quat_axis_angle((0, 0, 1), np.radians(-68))),
    "rightUpperArm": tuple(quat_axis_angle((0, 0, 1), np.radians(68))),
}
# name → (camera height as a share of the head's, metres across, azimuth, what else)
SHOTS: dict[str, dict] = {
    "face": {"at": 1.04, "across": 0.42, "azimuth": 8},
    "face_happy": {"at": 1.04, "across": 0.42, "azimuth": -25, "expressions": {"happy": 1.0, "aa": 0.5}},
    "gaze": {"at": 1.04, "across": 0.3, "azimuth": 0, "look_at": LookAtAngles(25, -10)},
    "full": {"at": 0.58, "across": 1.75, "azimuth": 35, "settle_seconds": 1.0},
    "back": {"at": 0.58, "across": 1.75, "azimuth": 200, "settle_seconds": 1.0},
    "sky_and_ground": {"at": 0.8, "across": 0.9, "azimuth": 60, "ambient": Ambient((0.5, 0.6, 0.9), 0.8, (0.9, 0.5, 0.3))},  # noqa: E501
}  # fmt: skip


def draw(renderer: RenderBackend, avatar: Avatar, shot: dict) -> np.ndarray:
    posed = evaluate(
        avatar,
        bones=ARMS_DOWN,
        expressions=shot.get("expressions", {}),
        look_at=shot.get("look_at"),
        settle_seconds=shot.get("settle_seconds"),
    )
    height = float(posed.bone_positions()["head"][1]) * shot["at"]
    turn = np.radians(shot["azimuth"])
    camera = Camera((4 * np.sin(turn), height + 0.2, 4 * np.cos(turn)), (0, height, 0), ortho_height=shot["across"])
    light = Light(direction=(-0.4, -0.5, -1.0), intensity=0.75)
    view = View(camera, (256, 256), light, shot.get("ambient", Ambient(intensity=0.3)), supersample=2)
    return renderer.render(posed, view).rgba


def avatars() -> dict[str, Avatar]:
    return {
        "demo_vrm1": load_bytes(build_glb(DemoParams(), vrm="1"), "demo"),
        "demo2_vrm0": load_bytes(build_glb(variant(2), vrm="0"), "demo:2"),
    }


@pytest.fixture(scope="module")
def cast() -> dict[str, Avatar]:
    return avatars()


@pytest.mark.parametrize("name", SHOTS)
@pytest.mark.parametrize("avatar_name", ["demo_vrm1", "demo2_vrm0"])
def test_the_built_in_avatar_matches_its_golden_pictures(gl, cast, avatar_name, name):
    if "llvmpipe" not in gl.device:
        pytest.skip(f"golden pictures are compared on llvmpipe alone, this is {gl.device}")
    ours = draw(gl, cast[avatar_name], SHOTS[name])
    golden = np.asarray(Image.open(GOLDEN / f"{avatar_name}_{name}.png"))
    difference = np.abs(ours.astype(int) - golden)
    off = float((difference.max(-1) > 8).mean())
    if off > 0.001:
        write_difference(FAILED, f"{avatar_name}_{name}", ours, golden)
    assert off <= 0.001, f"{100 * off:.2f} % of pixels differ by more than 8/255; see {FAILED}/"


def main() -> None:
    """Redraw the golden pictures."""
    GOLDEN.mkdir(exist_ok=True)
    renderer = open_backend("gl")
    for avatar_name, avatar in avatars().items():
        for name, shot in SHOTS.items():
            Image.fromarray(draw(renderer, avatar, shot)).save(GOLDEN / f"{avatar_name}_{name}.png", optimize=True)


if __name__ == "__main__":
    main()
