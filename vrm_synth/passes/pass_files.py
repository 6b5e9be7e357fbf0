"""The files of passes: what of each array (pass_arrays.py) a file keeps.

    depth                 PNG, 16-bit grey: units of 0.1 mm
    depth_metres          NPZ: `depth`
    depth_layers          NPZ: `depth`, and `triangle` (K, H, W) int32
    position              NPZ: `position`
    normal, geometric_normal    PNG, RGB: (n + 1) / 2
    parts, instances      PNG, 8-bit grey: 1 + index
    body_parts            PNG, 8-bit grey: 1 + index, 255 where no bone moves the surface
    materials, nodes      PNG, 16-bit grey: 1 + index
    mask, outline         PNG, 8-bit grey: 255 where it is
    uv                    PNG, RGB of 16 bits: fractional parts of u and v; blue is 65535 on the figure
    nocs                  PNG, RGB of 16 bits
    shading               PNG, 8-bit grey
    albedo, pose, depth_inverse, normal_map, lines    PNG, RGB

0 is the background in every PNG but normal_map. docs/passes.md has the legends of ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import ShotError
from vrm_synth.core.passes import NO_BONE_ID
from vrm_synth.io.npz import npz_bytes
from vrm_synth.io.png_encoder import encode_png
from vrm_synth.passes.pass_arrays import NO_BONE, pass_array
from vrm_synth.passes.pass_input import PassInput

UNITS_PER_METRE = 10_000  # of the depth pass


def pass_file(name: str, source: PassInput) -> bytes:
    """The file of one pass. Raises ShotError where it cannot hold what is drawn."""
    array = pass_array(name, source)
    if name == "depth_layers":
        return npz_bytes(depth=array, triangle=np.stack([layer.triangle for layer in source.layers]))
    if name in ("depth_metres", "position"):
        return npz_bytes(**{name.removesuffix("_metres"): array})
    if array.dtype == np.uint8:  # colours, as they are
        return encode_png(np.ascontiguousarray(array), is_color=name == "albedo")
    return encode_png(np.ascontiguousarray(_QUANTIZED[name](array, source.geometry.mask)), is_color=False)


def _depth(metres: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.uint16]:
    units = np.rint(np.where(mask, metres, 0) * UNITS_PER_METRE)
    if units.max(initial=0) > 65535:
        raise ShotError(
            "a surface is too far away for the depth pass",
            got=f"{metres[mask].max():.2f} m",
            allowed="up to 6.5535 m, or the pass depth_metres",
        )
    return units.astype(np.uint16)


def _unit_vectors(vectors: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(mask[..., None], np.rint((vectors + 1) * 127.5), 0).astype(np.uint8)


def _ids8(indices: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(indices == NO_BONE, NO_BONE_ID, indices + 1).astype(np.uint8)


def _ids16(indices: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.uint16]:
    if indices.max(initial=0) >= 65535:
        raise ShotError("an index is too large for the pass", got=int(indices.max()), allowed="up to 65534")
    return (indices + 1).astype(np.uint16)


def _flags(flags: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return flags.astype(np.uint8) * np.uint8(255)


def _uv(uv: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.uint16]:
    fraction = np.where(mask[..., None], np.rint((uv - np.floor(uv)) * 65535), 0)
    return np.dstack([fraction, 65535 * mask]).astype(np.uint16)


def _unit_cube(cube: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.uint16]:
    units = np.rint(cube * 65535)
    if units.min(initial=0) < 0 or units.max(initial=0) > 65535:
        got = f"{cube.min():.4f} to {cube.max():.4f}"
        raise ShotError("a position in the rest pose lies outside the unit cube", got=got, allowed="0 to 1")
    return units.astype(np.uint16)


_QUANTIZED: Mapping[str, Callable[[NDArray[Any], NDArray[np.bool_]], NDArray[Any]]] = {
    "depth": _depth,
    "normal": _unit_vectors,
    "geometric_normal": _unit_vectors,
    "parts": _ids8,
    "body_parts": _ids8,
    "instances": _ids8,
    "materials": _ids16,
    "nodes": _ids16,
    "mask": _flags,
    "outline": _flags,
    "uv": _uv,
    "nocs": _unit_cube,
    "shading": lambda share, mask: np.rint(share * 255).astype(np.uint8),
}
