"""Front, back and tails of what is known to be hair: by the names of its joints, or by where a whole lock lies."""

from __future__ import annotations

import numpy as np

from vrm_synth.parts.color_regions import ColorRegions
from vrm_synth.parts.names import read_name
from vrm_synth.parts.part_names import PART_IDS
from vrm_synth.parts.sums import sum_by
from vrm_synth.parts.surface import Surface
from vrm_synth.parts.working_labels import WorkingLabels
from vrm_synth.vrm.avatar import Avatar

WHOLE_LOCK = 0.95  # least share of a connected piece before or behind the head's middle for it to be front or back


def split_hair(avatar: Avatar, surface: Surface, regions: ColorRegions, w: WorkingLabels, by_names: bool) -> None:
    """Narrow the label "hair" where joints' names (by_names) or the place of a whole piece tell more."""
    hair = w.part == PART_IDS["hair"]
    if not hair.any():
        return
    lead = surface.lead[regions.triangle]
    for node in np.unique(lead[hair]).tolist() if by_names else ():
        name = avatar.nodes[node].name
        part = read_name(name).part
        if part.startswith("hair_"):
            w.refine(hair & (lead == node), PART_IDS[part], "joint name", name)
    _split_by_place(surface, regions, w)


def _split_by_place(surface: Surface, regions: ColorRegions, w: WorkingLabels) -> None:
    """Pieces that lie wholly before or behind the middle of the skull: of what moves with the head and is no hair."""
    hair = w.part == PART_IDS["hair"]
    t = regions.triangle
    skull = surface.in_zone("head")[t] & (surface.loose[t] < 0.5) & (w.part == PART_IDS["face_skin"])
    if not skull.any():
        return
    z = regions.center[:, 2]
    middle = (float(z[skull].min()) + float(z[skull].max())) / 2
    piece = surface.piece[t]
    count = int(piece.max(initial=-1)) + 1
    total = sum_by(piece[hair], regions.area[hair], count)
    before = sum_by(piece[hair], (regions.area * (z > middle))[hair], count)
    front = (before >= WHOLE_LOCK * total)[piece] & hair
    back = (before <= (1 - WHOLE_LOCK) * total)[piece] & hair
    w.refine(front, PART_IDS["hair_front"], "place")
    w.refine(back, PART_IDS["hair_back"], "place")
