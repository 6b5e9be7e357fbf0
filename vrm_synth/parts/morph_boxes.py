"""Where on the head the eyes and the mouth are, from what blinks and vowels move, and from the eye bones."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array
from vrm_synth.parts.surface import Surface
from vrm_synth.vrm.avatar import Avatar

BLINKS = ("blink", "blinkLeft", "blinkRight")
VOWELS = ("aa", "ih", "ou", "ee", "oh")
_BLINK_NAME = re.compile(r"(?i)(blink|wink|eye.?close|まばたき|ウィンク)")
_VOWEL_NAME = re.compile(r"(?i)(^|[._ ])(v_|vrc_v_|mth_|mouth.)?(aa|ih|ou|ee|oh|a|i|u|e|o|あ|い|う|え|お)$")
MOVED = 0.3  # share of a target's largest displacement from which on a vertex counts as moved by it

Box = tuple[Array, Array]


@dataclass(frozen=True, eq=False)
class FaceBoxes:
    """Boxes around the features of a face at rest, (low (3,), high (3,)) in world metres; None where nothing tells.

    left_eye, right_eye: the avatar's own left (+X) and right eye, what a blink moves.
    mouth: what vowels move.
    blinking, speaking: (T,) share of the corners of each triangle that a blink or a vowel moves.
    """

    left_eye: Box | None
    right_eye: Box | None
    mouth: Box | None
    blinking: Array
    speaking: Array


def find_face_boxes(avatar: Avatar, surface: Surface) -> FaceBoxes:
    """Find the boxes of an avatar's eyes and mouth."""
    blinking = _moved(avatar, surface, _binds(avatar, BLINKS), _BLINK_NAME)
    speaking = _moved(avatar, surface, _binds(avatar, VOWELS), _VOWEL_NAME)
    on_head = surface.in_zone("head", "eye")[:, None]
    blinking, speaking = blinking & on_head, speaking & on_head
    middle = surface.landmarks["head"][0] if "head" in surface.landmarks else 0.0
    x = surface.corners[..., 0]
    return FaceBoxes(
        left_eye=_box(surface, blinking & (x > middle)),
        right_eye=_box(surface, blinking & (x < middle)),
        mouth=_box(surface, speaking),
        blinking=blinking.mean(1),
        speaking=speaking.mean(1),
    )


def _binds(avatar: Avatar, names: Iterable[str]) -> set[tuple[int, int]]:
    """(node, target) of the binds of the named expressions."""
    expressions = [avatar.expressions[n] for n in names if n in avatar.expressions]
    return {(b.node, b.index) for e in expressions for b in e.morph_target_binds if b.weight > 0}


def _moved(avatar: Avatar, surface: Surface, binds: set[tuple[int, int]], name: re.Pattern[str]) -> NDArray[np.bool_]:
    """(T, 3) corners that the targets move: those of `binds`, or where there are none those with such a name."""
    d, out = surface.triangles, [np.zeros((0, 3), np.bool_)]
    for node, p in zip(d.nodes, d.primitives, strict=True):
        mesh = avatar.nodes[node].mesh
        names = avatar.meshes[mesh].target_names if mesh is not None else ()
        chosen = {k for n, k in binds if n == node} if binds else {k for k, t in enumerate(names) if name.search(t)}
        moved = np.zeros(len(p.positions), np.bool_)
        for k in chosen:
            if k < len(p.morph_positions):
                size = np.linalg.norm(p.morph_positions[k], axis=1)
                moved |= size > max(MOVED * float(size.max(initial=0.0)), 1e-6)
        out.append(moved[p.indices])
    return np.concatenate(out)


def _box(surface: Surface, corners: NDArray[np.bool_]) -> Box | None:
    points = surface.corners[corners]
    return (points.min(0), points.max(0)) if len(points) >= 3 else None
