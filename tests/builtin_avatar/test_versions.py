"""The built-in avatar renders the same from its VRM 0.x and its VRM 1.0 file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from vrm_synth.builtin_avatar import build_glb, variant
from vrm_synth.dataset.render_shot import render_shot
from vrm_synth.render import RenderBackend, open_backend
from vrm_synth.shot import preset_shot
from vrm_synth.vrm import Avatar, load_bytes

# One expression that overrides others at a time: VRM 0.x has no overrides.
CASES = [
    ("stand", "full_front_level", {}),
    ("wave", "bust_three_quarter_left_level", {"happy": 1.0}),
    ("sit_chair", "full_side_right_high", {"sad": 0.7}),
    ("run", "cowboy_back_low", {}),
    ("stand", "face_front_level", {"surprised": 1.0}),
    ("stand", "face_three_quarter_right_low", {"ou": 0.8, "blinkLeft": 1.0}),
]


@pytest.fixture(scope="module")
def renderer() -> Iterator[RenderBackend]:
    gl = open_backend("gl")
    yield gl
    gl.close()


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Mean structural similarity of two (H, W) pictures in 0..255 (Wang et al. 2004, Gaussian window 1.5)."""

    def blur(x: np.ndarray) -> np.ndarray:
        return gaussian_filter(x, 1.5, truncate=3.5)

    ma, mb = blur(a), blur(b)
    va, vb, cov = blur(a * a) - ma * ma, blur(b * b) - mb * mb, blur(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float((((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma * ma + mb * mb + c1) * (va + vb + c2))).mean())


@pytest.mark.parametrize("number", [0, 3, 5])
def test_vrm0_and_vrm1_files_render_the_same_picture(renderer: RenderBackend, number: int) -> None:
    def without_constraints(vrm: str) -> Avatar:
        return replace(load_bytes(build_glb(variant(number), vrm=vrm), f"demo {vrm}"), constraints=())

    old, new = without_constraints("0"), without_constraints("1")
    assert (old.vrm_version, new.vrm_version) == ("0", "1")
    for pose, view, expressions in CASES:
        shot = preset_shot(new, "demo", pose, view, size=(384, 384)).with_figure(expressions=expressions)
        (posed_old, a), (posed_new, b) = render_shot(renderer, old, shot), render_shot(renderer, new, shot)
        for bone, position in posed_new.bone_positions().items():
            assert np.abs(posed_old.bone_positions()[bone] - position).max() < 1e-5, (pose, view, bone)
        luma = [frame.rgba[..., :3] @ np.array([0.299, 0.587, 0.114]) for frame in (a, b)]
        assert ssim(*luma) >= 0.999, (pose, view)
        assert (np.abs(a.rgba.astype(int) - b.rgba).max(-1) > 8).mean() < 0.002, (pose, view)
