"""How far the morph targets of eyes, mouth and brows move an avatar's vertices: where a mesh says what is a feature."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from vrm_synth.core.transforms import Array
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.shot.body_parts import BodyParts, posed_vertices
from vrm_synth.vrm.avatar import Avatar

Binds = dict[tuple[int, int], float]  # (node, morph target) → weight

MOUTH_SHAPES = ("aa", "ih", "ou", "ee", "oh")
BROW_MOODS = ("surprised", "angry", "sad", "happy")

# Names of morph targets that no expression is bound to, as exporters write them (VRChat, VRoid, ARKit, MMD).
_TARGET_NAMES: dict[str, str] = {
    "blinkLeft": r"(vrc[._]?)?(eye)?_?(blink|close)_?(l|left)|fcl_eye_close_l|eyeblinkleft|ウィンク",
    "blinkRight": r"(vrc[._]?)?(eye)?_?(blink|close)_?(r|right)|fcl_eye_close_r|eyeblinkright|ウィンク右",
    "blink": r"(vrc[._]?)?(eye)?_?blink(_?both)?|fcl_eye_close|まばたき",
    "aa": r"(vrc[._])?v_aa|fcl_mth_a|jawopen|mouth[-_]?open|あ",
    "ih": r"(vrc[._])?v_ih|fcl_mth_i|い",
    "ou": r"(vrc[._])?v_ou|fcl_mth_u|う",
    "ee": r"(vrc[._])?v_ee|fcl_mth_e|え",
    "oh": r"(vrc[._])?v_oh|fcl_mth_o|お",
    "brows": r"fcl_brw_(surprised|angry)|browinnerup|(eye)?brows?[-_ ]?up|上|困る",
}


def face_displacements(avatar: Avatar, parts: BodyParts) -> dict[str, Array]:
    """Expression → (V, 3) float64 by which it moves the vertices of `parts` at rest, world metres.

    Expressions are VRM 1.0's of the eyelids, the mouth and the moods, and "brows" for targets that are named after
    them. Those that move nothing are left out. Where no expression is bound to it, a target's name decides.
    """
    rest = evaluate(avatar)
    out = {}
    for name in (*_TARGET_NAMES, *BROW_MOODS):
        binds = _expression_binds(avatar, name) or _named_targets(avatar, name)
        if binds:
            moved = posed_vertices(parts, replace(rest, morph_weights=_weights(avatar, rest, binds))) - parts.rest
            if float(np.abs(moved).max()) > 0:
                out[name] = moved
    return out


def _expression_binds(avatar: Avatar, name: str) -> Binds:
    expression = avatar.expressions.get(name)
    return {} if expression is None else {(b.node, b.index): b.weight for b in expression.morph_target_binds}


def _named_targets(avatar: Avatar, name: str) -> Binds:
    pattern = re.compile(_TARGET_NAMES.get(name, r"(?!)"))
    return {
        (node, i): 1.0
        for node in avatar.drawn_nodes
        for i, target in enumerate(avatar.meshes[avatar.nodes[node].mesh or 0].target_names)
        if pattern.fullmatch(_plain(target))
    }


def _plain(target: str) -> str:
    """A target's own name: without the object before it ("blendShape1.vrc_blink" is "vrc_blink")."""
    name = target.lower().strip()
    return re.sub(r"^(.*:)?blendshape\d*\.", "", name)


def _weights(avatar: Avatar, rest: PosedAvatar, binds: Binds) -> Mapping[int, Array]:
    weights = {node: w.copy() for node, w in rest.morph_weights.items()}
    for (node, index), weight in binds.items():
        if node in weights and index < len(weights[node]):
            weights[node][index] = weight
    return weights
