"""Which colors are the figure's own surface: skin, or what a robot or a fruit has instead."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.parts.region_table import RegionTable, shades_of
from vrm_synth.parts.sums import sum_by

MAIN_OF_HANDS = 0.5  # least share of the hands that their main color has
MAIN_OF_FACE = 0.15  # least share of the front of the head (hair falls into it) that skin has
MAIN_FACE = 0.25  # the same, where the hands have another color
MAIN_OF_BODY = 0.5  # least share of the torso that the color of a one-colored body has
LIMBS = ("upper_arm", "lower_arm", "hand", "upper_leg", "lower_leg", "foot")
WHOLE_LIMBS = 0.8  # least share of every part of the limbs that a color has that is their own
BARE = ("neck", "lower_arm", "upper_arm", "upper_leg", "lower_leg")
MAIN_OF_BARE = 0.35  # least share of one bare zone that skin has under gloved hands


def face_front(table: RegionTable) -> NDArray[np.bool_]:
    """(N,) cells of the front of the head, below the forehead."""
    s = table.surface
    on_head = s.in_zone("head", "eye") & (s.loose < 0.5)
    if not on_head.any():
        return np.zeros(len(table.position), np.bool_)
    normal_z = np.cross(s.corners[:, 1] - s.corners[:, 0], s.corners[:, 2] - s.corners[:, 0])[:, 2]
    heights = table.position[on_head[table.regions.triangle]]
    low, high = heights[:, 1].min(initial=1.0), heights[:, 1].max(initial=0.0)
    joint = table.landmark("head")
    bottom = low if joint is None else max(low, joint[1] - 0.1 * (high - joint[1]))
    t = table.regions.triangle
    forward = normal_z[t] > 0.3 * 2 * s.area[t]
    return (
        on_head[t]
        & forward
        & (table.position[:, 1] > bottom)
        & (table.position[:, 1] < bottom + 0.65 * (high - bottom))
    )


def skin_colors(table: RegionTable) -> NDArray[np.intp]:
    """Indices of the palette's colors that are skin, ascending; none where nothing is sure.

    The main color of the hands, where the face has it, too; that of the face, where a bare part of the body has it
    and the hands wear gloves; the one color of face and torso of a figure that wears nothing, with its limbs' own.
    """
    lab, r = table.regions.palette.lab, table.regions
    if not len(lab):
        return np.zeros(0, np.intp)
    front = face_front(table)
    on_face = sum_by(r.color[front], table.weight[front], len(lab))
    on_face = on_face / max(float(on_face.sum()), 1e-12)
    hands, torso = table.color_share("hand"), table.color_share("torso")
    core: set[int] = set()
    if hands.max() >= MAIN_OF_HANDS and on_face[shades_of(lab, np.array([hands.argmax()]))].sum() >= MAIN_OF_FACE:
        core.add(int(hands.argmax()))
    face = int(on_face.argmax())
    bare = max(float(table.color_share(z)[face]) for z in BARE) >= MAIN_OF_BARE
    one_color = torso.argmax() == face and torso[face] >= MAIN_OF_BODY
    if not core and on_face[face] >= MAIN_FACE and (bare or one_color):
        core.add(face)
    if core and torso.argmax() in core and torso.max() >= MAIN_OF_BODY:
        limbs = np.stack([table.color_share(z) for z in LIMBS]).min(0)
        if limbs.max() >= WHOLE_LIMBS:
            core.add(int(limbs.argmax()))
    return shades_of(lab, np.array(sorted(core), np.intp))
