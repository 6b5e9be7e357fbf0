"""The legend of parts."""

from __future__ import annotations

import numpy as np

from vrm_synth.parts.part_names import PART_IDS, PART_NAMES, part_colors

# Ids that datasets have: only appended to.
LEGEND = (
    "unknown hair hair_front hair_back hair_tail face_skin body_skin iris eye_white brow lash mouth upper_garment "
    "lower_garment one_piece outer_garment legwear shoes gloves hat glasses ornament animal_ears tail wings held_thing "
    "other"
)


def test_ids_are_stable():
    assert PART_NAMES[: len(LEGEND.split())] == tuple(LEGEND.split())
    assert [PART_IDS[name] for name in PART_NAMES] == list(range(len(PART_NAMES)))


def test_colors_differ():
    colors = part_colors()
    assert colors.shape == (len(PART_NAMES), 3) and colors.dtype == np.uint8
    assert len({tuple(c) for c in colors.tolist()}) == len(PART_NAMES)
