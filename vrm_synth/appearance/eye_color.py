"""Names of the colors of an avatar's eyes: of the irises without black pupils and white highlights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.cells import Cells
from vrm_synth.appearance.color_names import family_names, name_of
from vrm_synth.appearance.oklch import oklch_from_srgb
from vrm_synth.parts.lab_color import srgb_from_lab
from vrm_synth.parts.sums import sum_by

PUPIL = (38.0, 5.0)  # most lightness and chroma of a pupil
HIGHLIGHT = (88.0, 4.0)  # least lightness and most chroma of a highlight
COLORED = 0.2  # least share of the iris that its color has beside pupil and highlight
MAIN = 0.5  # least share of the colored iris that a name has
MAIN_OF_MEAN = 0.25  # the same where the mean color has that name, too
LEAST_IRIS = 0.1  # least surface of the irises, as a share of the whites': what is less is a line around them
LEAST_OF_FACE = 0.012  # the same, as a share of the face's skin, of irises that are no black dots
WHITES = {"white", "cream", "light_gray", "light_colored"}  # what whites of eyes are drawn in
BLACK = 0.75  # least share of an iris that is all pupil


def eye_colors(cells: Cells) -> tuple[str, ...]:
    """The name of the eyes' color, two where the eyes differ, () where none fits."""
    iris, white = cells.of("iris"), cells.of("eye_white")
    if not iris.any() or _area(cells, iris) < LEAST_IRIS * _area(cells, white):
        return ()
    middle = float(cells.landmarks["head"][0]) if "head" in cells.landmarks else 0.0
    left = cells.center[:, 0] > middle
    names = [_color_of(cells, iris & side) for side in (left, ~left) if (iris & side).any()]
    face = float(cells.area[cells.of("face_skin")].sum())
    if not names or "" in names or (names != ["black"] * len(names) and _area(cells, iris) < LEAST_OF_FACE * face):
        return ()
    return (names[0],) if len(set(names)) == 1 else tuple(sorted(set(names)))


def _area(cells: Cells, own: NDArray[np.bool_]) -> float:
    return float(cells.area[own].sum())


def _color_of(cells: Cells, iris: NDArray[np.bool_]) -> str:
    area = sum_by(cells.color[iris], cells.area[iris], len(cells.lab))
    total = float(area.sum())
    lch = oklch_from_srgb(srgb_from_lab(cells.lab))
    pupil = (lch[:, 0] <= PUPIL[0]) & (lch[:, 1] <= PUPIL[1])
    highlight = (lch[:, 0] >= HIGHLIGHT[0]) & (lch[:, 1] <= HIGHLIGHT[1])
    colored = area * ~pupil * ~highlight
    if float(colored.sum()) < COLORED * total:
        dots = float(area[pupil].sum()) >= BLACK * total
        return "black" if dots and set(cells.colors_of(cells.of("eye_white"), "things")) <= WHITES else ""
    shares: dict[str, float] = {}
    for name, own in zip(family_names(cells.lab, colored, "eyes"), colored.tolist(), strict=True):
        shares[name] = shares.get(name, 0.0) + own / float(colored.sum())
    best = max((n for n in shares if n), key=lambda n: (round(shares[n], 3), n), default="")
    if not best or shares[best] >= MAIN:
        return best
    # An iris from dark to light: by its mean, where a good part of it is called the same.
    mean = name_of((srgb_from_lab(cells.lab) * colored[:, None]).sum(0) / float(colored.sum()), "eyes")
    return best if mean == best and shares[best] >= MAIN_OF_MEAN else ""
