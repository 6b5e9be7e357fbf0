"""Cells: the small pieces of an avatar's surface that have one part and one color, whatever labeled them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.color_names import fallback_of, name_surface
from vrm_synth.appearance.surface_groups import REGION_OF_BONE
from vrm_synth.appearance.words import Of
from vrm_synth.core.color import linear_from_srgb, srgb_from_linear
from vrm_synth.core.transforms import Array
from vrm_synth.gltf.model import Primitive
from vrm_synth.parts.color_regions import CODES, ColorRegions
from vrm_synth.parts.lab_color import lab_from_srgb, srgb_from_lab
from vrm_synth.parts.part_labels import PartLabels
from vrm_synth.parts.part_names import HAIR, PART_IDS, UNKNOWN
from vrm_synth.parts.region_table import seen_from_outside
from vrm_synth.parts.surface import Surface
from vrm_synth.vrm.avatar import Avatar

MOST_UNCLEAR = 0.3  # share of a surface drawn in other colors up to which the rest gives its color
MOST_INWARD = 0.5  # share of a primitive's surface whose normals may point inward
DIMMED = (0.35, 0.5)  # share of the light that a surface with inward normals gets, from one light to another
INSIDE_OUT = -0.25  # signed volume of a primitive, as a share of its surface times its distance, that is turned inside
MOST_METALLIC = 0.5  # metallic factor of a surface whose own color shows
REGIONS: tuple[str, ...] = ("none", *dict.fromkeys(REGION_OF_BONE.values()))


@dataclass(frozen=True, eq=False)
class Cells:
    """N cells of an avatar at rest; K colors.

    triangle: (N,) number of the triangle. area: (N,) square metres. center: (N, 3) world metres. outer: (N,) square
    metres of what can be seen from outside, 0 of what cannot. unclear: (N,) drawn in
    other colors than its own: metal, and dimmed: (N,) what is lit from the wrong side because its normals point inward.
    part: (N,) part ids. region: (N,) index into REGIONS. color: (N,) index of the color. lab: (K, 3) L*a*b*.
    normal: (N, 3) unit normal of the triangle. primitive: (N,) number of the drawn primitive.
    landmarks: humanoid bone → (3,) position, metres. floor, top: of the whole figure, metres.
    """

    triangle: NDArray[np.intp]
    area: Array
    outer: Array
    unclear: NDArray[np.bool_]
    dimmed: NDArray[np.bool_]
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

    def is_clear(self, own: NDArray[np.bool_]) -> bool:
        """True where some cells (N,) are mostly drawn in their own colors."""
        return float(self.area[own & self.unclear].sum()) <= MOST_UNCLEAR * float(self.area[own].sum())

    def colors_of(self, own: NDArray[np.bool_], of: Of) -> tuple[str, ...]:
        """Up to two names of colors of some cells (N,), of what is seen from outside of them."""
        weight = self.outer if float(self.outer[own].sum()) > 0 else self.area
        if self.is_clear(own):
            return name_surface(self.lab, self.color[own], weight[own], of)
        if float(self.area[own & self.dimmed].sum()) < (1 - MOST_UNCLEAR) * float(self.area[own].sum()):
            return ()
        for naming in (name_surface, fallback_of):  # what holds in every light
            each = [naming(self.drawn_lab(own, d), self.color[own], weight[own], of) for d in DIMMED]
            if all(names == each[0] for names in each) and each[0]:
                return each[0]
        return ()

    def drawn_lab(self, own: NDArray[np.bool_], dimmed: float = DIMMED[0]) -> Array:
        """(K, 3) the colors as some cells (N,) are drawn: darker where they are lit from the wrong side."""
        return self.lab if self.is_clear(own) else lab_from_srgb(srgb_from_linear(dimmed * self._linear))

    @property
    def _linear(self) -> Array:
        return np.asarray(linear_from_srgb(srgb_from_lab(self.lab)), np.float64)

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
    region = regions_of_nodes(avatar)[surface.lead][t]
    on_limbs = ~np.isin(region, [REGIONS.index(r) for r in ("none", "head", "neck", "torso")])
    part[on_limbs & np.isin(part, list(HAIR))] = UNKNOWN  # shorts of the hair's color
    c = surface.corners
    normal = np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0]) / np.maximum(2 * surface.area, 1e-30)[:, None]
    primitive = surface.triangles.primitive_of[t].astype(np.intp)
    dimmed = _dimmed(avatar, surface)
    return Cells(
        triangle=t,
        area=regions.area,
        outer=regions.area * seen_from_outside(surface, regions) * ~_inside_out(avatar, surface)[primitive],
        unclear=(_metal(avatar, surface) | dimmed)[primitive],
        dimmed=dimmed[primitive],
        center=regions.center,
        part=part,
        region=region,
        color=(regions.code % CODES).astype(np.intp),
        lab=regions.palette.lab,
        normal=normal[t],
        primitive=primitive,
        landmarks=surface.landmarks,
        floor=surface.floor,
        top=surface.top,
    )


def _metal(avatar: Avatar, surface: Surface) -> NDArray[np.bool_]:
    """(primitives,) True for metals, which are drawn in what they mirror."""
    materials = [avatar.materials[p.material] for p in surface.triangles.primitives]
    return np.array([m.kind == "pbr" and m.metallic_factor > MOST_METALLIC for m in materials], np.bool_)


def _dimmed(avatar: Avatar, surface: Surface) -> NDArray[np.bool_]:
    """(primitives,) True for lit surfaces whose normals point inward."""
    primitives = surface.triangles.primitives
    return np.array(
        [avatar.materials[p.material].kind != "unlit" and _inward(p) > MOST_INWARD for p in primitives], np.bool_
    )


def _inside_out(avatar: Avatar, surface: Surface) -> NDArray[np.bool_]:
    """(primitives,) True for what is drawn only from within: linings, and shells that draw an outline."""
    out = []
    for p in surface.triangles.primitives:
        q = p.positions[p.indices].astype(np.float64)
        cross = np.cross(q[:, 1] - q[:, 0], q[:, 2] - q[:, 0])
        area = np.linalg.norm(cross, axis=1)
        center = q.mean(1)
        away = center - (center * area[:, None]).sum(0) / max(float(area.sum()), 1e-30)
        volume = float((cross * away).sum()) / max(float((area * np.linalg.norm(away, axis=1)).sum()), 1e-30)
        out.append(not avatar.materials[p.material].double_sided and round(volume, 4) < INSIDE_OUT)
    return np.array(out, np.bool_)


def _inward(p: Primitive) -> float:
    """Share of a primitive's surface whose normals point away from where its triangles face."""
    if p.normals is None or not len(p.indices):
        return 0.0
    q, normal = p.positions[p.indices].astype(np.float64), p.normals[p.indices].astype(np.float64).sum(1)
    facing = np.cross(q[:, 1] - q[:, 0], q[:, 2] - q[:, 0])
    area = np.linalg.norm(facing, axis=1)
    return float(area[(facing * normal).sum(1) < 0].sum()) / max(float(area.sum()), 1e-30)


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
