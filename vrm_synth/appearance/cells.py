"""Cells: the small pieces of an avatar's surface that have one part and one color, whatever labeled them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.surface_groups import REGION_OF_BONE
from vrm_synth.core.transforms import Array
from vrm_synth.parts.color_regions import CODES, ColorRegions
from vrm_synth.parts.part_labels import PartLabels
from vrm_synth.parts.part_names import PART_IDS
from vrm_synth.parts.surface import Surface
from vrm_synth.vrm.avatar import Avatar

REGIONS: tuple[str, ...] = ("none", *dict.fromkeys(REGION_OF_BONE.values()))


@dataclass(frozen=True, eq=False)
class Cells:
    """N cells of an avatar at rest; K colors.

    triangle: (N,) number of the triangle. area: (N,) square metres. center: (N, 3) world metres.
    part: (N,) part ids. region: (N,) index into REGIONS. color: (N,) index of the color. lab: (K, 3) L*a*b*.
    normal: (N, 3) unit normal of the triangle. primitive: (N,) number of the drawn primitive.
    landmarks: humanoid bone → (3,) position, metres. floor, top: of the whole figure, metres.
    """

    triangle: NDArray[np.intp]
    area: Array
    center: Array
    part: NDArray[np.uint8]
    region: NDArray[np.intp]
    color: NDArray[np.intp]
    lab: Array
    normal: Array
    primitive: NDArray[np.intp]
    landmarks: dict[str, Array]
    floor: float
    top: float

    def of(self, *parts: str) -> NDArray[np.bool_]:
        """(N,) mask of the cells of some parts."""
        return np.isin(self.part, [PART_IDS[p] for p in parts])

    def in_regions(self, *names: str) -> NDArray[np.bool_]:
        """(N,) mask of the cells in some regions."""
        return np.isin(self.region, [REGIONS.index(n) for n in names])

    def height_of(self, *bones: str) -> float | None:
        """Mean height of the bones that the avatar has, metres; None where it has none of them."""
        own = [float(self.landmarks[b][1]) for b in bones if b in self.landmarks]
        return sum(own) / len(own) if own else None


def cells_of(avatar: Avatar, surface: Surface, regions: ColorRegions, labels: PartLabels) -> Cells:
    """The cells of an avatar whose surface is labeled."""
    t = regions.triangle
    part = labels.triangles[t]
    if len(labels.codes):
        refined = np.flatnonzero(labels.refined[t])
        k = np.minimum(np.searchsorted(labels.codes, regions.code[refined]), len(labels.codes) - 1)
        part[refined] = np.where(labels.codes[k] == regions.code[refined], labels.code_parts[k], 0)
    c = surface.corners
    normal = np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0]) / np.maximum(2 * surface.area, 1e-30)[:, None]
    return Cells(
        triangle=t,
        area=regions.area,
        center=regions.center,
        part=part,
        region=regions_of_nodes(avatar)[surface.lead][t],
        color=(regions.code % CODES).astype(np.intp),
        lab=regions.palette.lab,
        normal=normal[t],
        primitive=surface.triangles.primitive_of[t].astype(np.intp),
        landmarks=surface.landmarks,
        floor=surface.floor,
        top=surface.top,
    )


def regions_of_nodes(avatar: Avatar) -> NDArray[np.intp]:
    """(nodes,) index into REGIONS of the humanoid bone at or above each node."""
    own = {node: name for name, node in avatar.humanoid.items()}
    out = np.zeros(len(avatar.nodes), np.intp)
    for node in avatar.scene_nodes:  # parents first
        parent = avatar.nodes[node].parent
        if node in own:
            out[node] = REGIONS.index(REGION_OF_BONE[own[node]])
        elif parent >= 0:
            out[node] = out[parent]
    return out
