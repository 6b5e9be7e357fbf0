"""Every shared avatar in twelve poses from four views: drawn, not empty, and whole where the view says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.corpus import avatar_files, needs_corpus
from vrm_synth.dataset.render_shot import render_shot
from vrm_synth.render import RenderBackend, open_backend
from vrm_synth.shot import preset_shot
from vrm_synth.vrm import load

pytestmark = [needs_corpus, pytest.mark.corpus]

POSES = (
    "stand", "wave", "hands_on_hips", "banzai", "sit_chair", "sit_floor",
    "kneel", "run", "kick", "bow", "dance", "t_pose",
)  # fmt: skip
VIEWS = ("full_front_level", "full_side_left_high", "cowboy_back_low", "bust_three_quarter_right_level")


@pytest.fixture(scope="module")
def renderer() -> Iterator[RenderBackend]:
    gl = open_backend("gl")
    yield gl
    gl.close()


@pytest.mark.parametrize("path", avatar_files(), ids=lambda p: p.stem)
def test_every_pose_renders_from_every_view(renderer: RenderBackend, path: Path) -> None:
    avatar = load(path)
    for pose in POSES:
        for view in VIEWS:
            shot = preset_shot(avatar, str(path), pose, view, size=(160, 160), supersample=1)
            _, frame = render_shot(renderer, avatar, replace(shot, background=None))
            alpha = frame.rgba[..., 3] >= 128
            where = f"{path.stem} {pose} {view}"
            if avatar.triangle_count > 100:
                assert 0.02 <= alpha.mean() <= 0.95, where
            if view.startswith("full"):
                assert not (alpha[[0, -1]].any() or alpha[:, [0, -1]].any()), f"{where}: cut at the border"
