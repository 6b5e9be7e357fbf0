"""Surface groups of an avatar's cells: each cell's part, region, item, color and place as a Feature."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.cells import REGIONS, Cells
from vrm_synth.appearance.hair_shape import places
from vrm_synth.appearance.surface_groups import PLACES, Feature, SurfaceGroups, group_surface
from vrm_synth.parts.part_names import PART_NAMES
from vrm_synth.vrm.drawn_triangles import DrawnTriangles


def groups_of(
    drawn: DrawnTriangles, cells: Cells, item_of: NDArray[np.intp], color_of: tuple[list[str], NDArray[np.intp]]
) -> SurfaceGroups:
    """The groups of a surface. item_of: (N,) item of each cell. color_of: names, and (N,) the name of each cell."""
    names, color = color_of
    keys = np.stack([cells.part.astype(np.intp), cells.region, item_of + 1, color, places(cells)], -1)
    sizes = (len(PART_NAMES), len(REGIONS), int(item_of.max(initial=-1)) + 2, len(names), len(PLACES))
    code, back = np.unique(np.ravel_multi_index(tuple(keys.T), sizes), return_inverse=True)
    rows = np.stack(np.unravel_index(code, sizes), -1).tolist()
    features = [Feature(PART_NAMES[p], REGIONS[r], i - 1, names[c], PLACES[w]) for p, r, i, c, w in rows]
    last = drawn.vertices_of[:, 2]
    return group_surface(int(drawn.first_vertex[-1]), last, cells.triangle, cells.area, back.reshape(-1), features)
