"""The draw order: a pure function of materials and depths.

Opaque and MASK draws first, then BLEND. Within the opaque: render order, material (an outline right
after its material's surfaces), near to far. Within BLEND: render order, far to near. Depth is that of
the bounding sphere's centre of the mesh at rest, so that the order does not flicker with the pose.
MToon's render order is (transparentWithZWrite ? 0 : 19) + renderQueueOffsetNumber, that of plain glTF
materials 0 (VRMC_materials_mtoon, "Rendering"; same keys as three-vrm).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vrm_synth.gltf.model import Material

DrawKind = Literal["surface", "outline"]
Side = Literal["none", "front", "back"]


@dataclass(frozen=True)
class DrawItem:
    """One thing to draw.

    instance: index into the scene's instances.
    kind: its surface or its outline.
    """

    instance: int
    kind: DrawKind


def render_order(material: Material) -> int:
    """MToon's render order; 0 for other materials."""
    if material.mtoon is None:
        return 0
    return (0 if material.mtoon.transparent_with_z_write else 19) + material.mtoon.render_queue_offset_number


def has_outline(material: Material) -> bool:
    """Return True where a material has an outline."""
    return (
        material.mtoon is not None
        and material.mtoon.outline_width_mode != "none"
        and (material.mtoon.outline_width_factor > 0)
    )


def culled_sides(material: Material, kind: DrawKind) -> tuple[Side, ...]:
    """The faces that each pass over an item culls. An outline is back faces alone, on double-sided materials, too."""
    if kind == "outline":
        return ("front",)
    if not material.double_sided:
        return ("back",)
    if material.alpha_mode == "BLEND" and material.mtoon is None:
        return ("front", "back")  # far sides first, so that a see-through shell shows both
    return ("none",)


def draw_order(
    materials: list[Material], material_ids: list[int], depths: NDArray[np.float64], outlines: bool
) -> list[DrawItem]:
    """Sort the surfaces and outlines of a scene into the order in which they are drawn.

    materials, material_ids (index in the file), depths (clip z of the centre): one per instance, in scene order.
    """
    opaque: list[tuple[tuple[float, ...], DrawItem]] = []
    blended: list[tuple[tuple[float, ...], DrawItem]] = []
    for i, (material, material_id, depth) in enumerate(zip(materials, material_ids, depths, strict=True)):
        kinds: list[DrawKind] = ["surface"]
        if outlines and has_outline(material):
            kinds.append("outline")
        for k, kind in enumerate(kinds):
            if material.alpha_mode == "BLEND":
                blended.append(((render_order(material), -depth, i, k), DrawItem(i, kind)))
            else:
                opaque.append(((render_order(material), material_id, k, depth, i), DrawItem(i, kind)))
    return [item for _, item in (*sorted(opaque, key=_key), *sorted(blended, key=_key))]


def _key(entry: tuple[tuple[float, ...], DrawItem]) -> tuple[float, ...]:
    return entry[0]
