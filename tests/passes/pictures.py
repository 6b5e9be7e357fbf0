"""Pictures of the built-in avatar with everything that passes are made from, each drawn once."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from vrm_synth.api.avatars import demo_avatar
from vrm_synth.core.passes import PASSES
from vrm_synth.passes.pass_buffers import pass_buffers
from vrm_synth.passes.pass_input import PassInput
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import View
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.shot.compose import compose_shot
from vrm_synth.vrm.avatar import Avatar

SIZE = (120, 160)
LAYERS = 3
EVERYTHING = pass_buffers(PASSES, depth_layers=LAYERS)


@cache
def demo() -> Avatar:
    return demo_avatar()


def posed_view(pose: str = "wave", view: str = "full_three_quarter_left_level") -> tuple[PosedAvatar, View]:
    """The avatar in a pose, happy, and the view of it."""
    shot, posed = compose_shot(demo(), "demo", pose=pose, view=view, size=SIZE, expressions={"happy": 1.0})
    assert posed is not None
    return posed, replace(shot.view(), buffers=EVERYTHING)


def pass_input(gl: GLBackend, pose: str = "wave", view: str = "full_three_quarter_left_level") -> PassInput:
    """The PassInput of a picture."""
    posed, of = posed_view(pose, view)
    return PassInput.of(posed, of, gl.render(posed, of))
