"""What each pass, and an annotation, needs of a geometry buffer."""

from __future__ import annotations

from collections.abc import Collection, Mapping

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


def geometry_fields(passes: Collection[str], *, annotate: bool = False) -> frozenset[GeometryField]:
    """The fields of a geometry buffer that passes, and annotations, need beside those that it always has."""
    own = (FIELDS.get(name, frozenset()) for name in passes)
    return frozenset().union(*own, OF_ANNOTATION if annotate else ())
