"""The buffers that each pass, and an annotation, is made from."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from vrm_synth.core.passes import DEFAULT_DEPTH_LAYERS
from vrm_synth.render.base import Buffers
from vrm_synth.render.geometry_buffer import GeometryField

FIELDS: Mapping[str, frozenset[GeometryField]] = {
    "normal": frozenset({"normal"}),
    "normal_map": frozenset({"normal"}),
    "lines": frozenset({"normal", "uv"}),
    "geometric_normal": frozenset({"geometric_normal"}),
    "parts": frozenset({"uv"}),
    "uv": frozenset({"uv"}),
    "nocs": frozenset({"rest_position"}),
    "albedo": frozenset({"albedo"}),
    "shading": frozenset({"shading"}),
}
OF_ANNOTATION: frozenset[GeometryField] = frozenset({"uv"})


def pass_buffers(
    passes: Collection[str], *, annotate: bool = False, depth_layers: int = DEFAULT_DEPTH_LAYERS, surface: bool = False
) -> Buffers:
    """The buffers that passes and annotations are made from; those of the colours alone where there are none.

    depth_layers: of the pass of that name, where it is among them. surface: as in Buffers.
    """
    if not passes and not annotate:
        return Buffers(surface)
    fields = frozenset().union(*(FIELDS.get(name, ()) for name in passes), OF_ANNOTATION if annotate else ())
    return Buffers(surface, geometry=fields, depth_layers=depth_layers if "depth_layers" in passes else 0)
