"""The type PartLabels: which part each triangle of an avatar is, and each texel where a texture divides a triangle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.parts.texture_colors import TextureColors

CODES = 256  # color clusters are numbered triangle · CODES + cluster


@dataclass(frozen=True)
class PartEvidence:
    """The reason for the label of some of an avatar's surface.

    part: name of the part.
    why: "override", "material name", "texture name", "node name", "mesh name", "name of a node above",
        "joint name", "place", "texture", or "" for what is unknown.
    subject: the name that decided; of what a texture or the place decided, the material's.
    share: share of the avatar's drawn surface.
    """

    part: str
    why: str
    subject: str
    share: float


@dataclass(frozen=True, eq=False)
class PartLabels:
    """Part labels of an avatar that draws T triangles; ids are indices into part_names.PART_NAMES.

    triangles: (T,) uint8, label of most of each triangle.
    refined: (T,) bool, True where the label depends on the texture's color, too.
    codes: (N,) int64 ascending, triangle · CODES + cluster of the colors in refined triangles.
    code_parts: (N,) uint8, their labels.
    material_of: (T,) int32, material of each triangle.
    clusters: material → (H, W) uint8, color cluster of each texel.
    colors: material → where UVs lie in its texture.
    evidence: what decided, by part, the largest share first.
    """

    triangles: NDArray[np.uint8]
    refined: NDArray[np.bool_]
    codes: NDArray[np.int64]
    code_parts: NDArray[np.uint8]
    material_of: NDArray[np.int32]
    clusters: Mapping[int, NDArray[np.uint8]]
    colors: Mapping[int, TextureColors]
    evidence: tuple[PartEvidence, ...]

    def at(self, triangle: NDArray[np.int32], uv: NDArray[np.float32] | None = None) -> NDArray[np.uint8]:
        """(…,) uint8 labels of points on triangles (…,), 0 where a triangle is negative (background).

        uv: (…, 2) texture coordinates of set 0, as the file has them; None: whole triangles alone. At the edge between
        two colors, where a texel is of neither, the label is unknown.
        """
        shown = triangle >= 0
        out = np.zeros(triangle.shape, np.uint8)
        out[shown] = self.triangles[triangle[shown]]
        if uv is None or not len(self.codes):
            return out
        points = np.flatnonzero(shown.ravel() & self.refined[np.where(shown, triangle, 0)].ravel())
        t = triangle.ravel()[points]
        where = uv.reshape(-1, 2)[points].astype(np.float64)
        cluster = np.zeros(len(t), np.int64)
        for m in np.unique(self.material_of[t]).tolist():
            here = self.material_of[t] == m
            cluster[here] = self.clusters[m][self.colors[m].texels(where[here])]
        code = t.astype(np.int64) * CODES + cluster
        k = np.minimum(np.searchsorted(self.codes, code), len(self.codes) - 1)
        flat = out.reshape(-1)
        flat[points] = np.where(self.codes[k] == code, self.code_parts[k], 0)
        return flat.reshape(triangle.shape)
