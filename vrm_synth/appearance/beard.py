"""The beard of an avatar: hair on the middle of the face, below the eyes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.cells import Cells
from vrm_synth.appearance.garment_shapes import weighted_quantile

HAIR = ("hair", "hair_front")
BELOW_EYES = 0.15  # of the way from the head's joint to the crown: how far below the eyes a fringe never reaches
MIDDLE = 0.3  # share of the face's half width within which only a beard covers the chin
FORWARD = 0.5  # share of the way from the head's joint to the face
FACING = 0.3  # least component forward of its normals
LEAST = 0.02  # of the face's skin that the middle of a beard covers


def beard_cells(cells: Cells) -> NDArray[np.bool_]:
    """(N,) cells of the beard; none where there is no clear one."""
    none = np.zeros(len(cells.area), np.bool_)
    head, iris, face = cells.in_regions("head"), cells.of("iris"), cells.of("face_skin")
    hair = cells.of(*HAIR) & head
    if "head" not in cells.landmarks or not (hair.any() and iris.any() and face.any()):
        return none
    x, y, z = (cells.center - cells.landmarks["head"]).T
    height = cells.top - float(cells.landmarks["head"][1])
    eyes = weighted_quantile(y[iris], cells.area[iris], 0.5)
    front = weighted_quantile(z[face], cells.area[face], 0.9)
    half = weighted_quantile(np.abs(x[face]), cells.area[face], 0.95)
    beard = hair & (y < eyes - BELOW_EYES * height) & (z > 0)
    middle = beard & (np.abs(x) < MIDDLE * half) & (z > FORWARD * front) & (cells.normal[:, 2] > FACING)
    share = float(cells.area[middle].sum()) / float(cells.area[face].sum())
    return beard if round(share, 4) >= LEAST else none
