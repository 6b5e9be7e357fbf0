"""Render a Shot on an Avatar into a Frame, and describe the result as the shots format answers it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from vrm_synth.core.errors import VrmSynthError
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.pose.springs import NO_WIND
from vrm_synth.render.base import NO_BUFFERS, Buffers, Compat, Frame, RenderBackend
from vrm_synth.shot import Shot
from vrm_synth.vrm.avatar import Avatar


def pose_for(avatar: Avatar, shot: Shot, compat: Compat = "none") -> PosedAvatar:
    """Pose `avatar` as `shot` says. Raises ShotError."""
    figure = shot.figure
    return evaluate(
        avatar,
        bones=figure.bones,
        hips_offset=figure.hips_offset,
        expressions=figure.expressions,
        look_at=figure.look_at,
        settle_seconds=figure.settle_seconds,
        wind=shot.wind or NO_WIND,
        reference_quirks=compat == "three-vrm",
    )


def render_shot(
    backend: RenderBackend,
    avatar: Avatar,
    shot: Shot,
    compat: Compat = "none",
    posed: PosedAvatar | None = None,
    buffers: Buffers = NO_BUFFERS,
) -> tuple[PosedAvatar, Frame]:
    """Pose `avatar` and draw it as `shot` says. Raises VrmSynthError, placed inside the shot by its id.

    compat: "three-vrm" poses and draws the reference's way (docs/fidelity.md); the avatar is then to be
    as_three_vrm's. posed: what pose_for gives of the same, where it is known already (plan_shot's). buffers: what the
    frame has beside its colours.
    """
    try:
        posed = pose_for(avatar, shot, compat) if posed is None else posed
        return posed, backend.render(posed, replace(shot.view(compat), buffers=buffers))
    except VrmSynthError as e:
        raise e.at(f"shot {shot.id}") from e


def answer(shot: Shot, posed: PosedAvatar, frame: Frame) -> dict[str, Any]:
    """The answer of the shots format, beside the picture.

    bones: world positions in metres, to a micrometre; look_at: degrees; expressions: weights as asked (the
    reference reports these), effective_expressions: what isBinary and overrides leave of them.
    """
    gaze = posed.look_at
    bones = posed.avatar.humanoid
    positions = np.round(posed.world_from_node[list(bones.values()), :3, 3], 6) + 0.0  # + 0.0: no negative zero
    return {
        "id": shot.id,
        "vrm_version": posed.avatar.vrm_version,
        "bones": dict(zip(bones, positions.tolist(), strict=True)),
        "expressions": {name: _tidy(w) for name, w in posed.requested_weights.items()},
        "effective_expressions": {name: _tidy(w) for name, w in posed.expressions.items()},
        "look_at": gaze and {"type": gaze.type, "yaw": _tidy(gaze.yaw), "pitch": _tidy(gaze.pitch)},
        "draw_order": [list(draw) for draw in frame.draw_order],
        "warnings": list(posed.warnings),
    }


def _tidy(value: float) -> float:
    return round(float(value), 6) + 0.0
