"""The files of passes: name of a pass → its bytes.

    depth            PNG, 16-bit grey: depth along the view axis in units of 0.1 mm, 0 for the background
    depth_metres     NPZ, `depth` (H, W) float32: the same in metres, +inf for the background
    depth_layers     NPZ, `depth` (K, H, W) float32 and `triangle` (K, H, W) int32 of K surfaces behind each other
    normal           PNG, RGB: the normal that shading uses, (n + 1) / 2, camera space: x right, y up, z to the viewer
    geometric_normal PNG, RGB: the same of the triangle's plane
    parts            PNG, 8-bit grey: 1 + index into PART_NAMES
    body_parts       PNG, 8-bit grey: 1 + index into BONE_NAMES of the bone of most skin weight, 255 where none moves it
    instances        PNG, 8-bit grey: 1 + index of the figure
    materials        PNG, 16-bit grey: 1 + index of the glTF material
    nodes            PNG, 16-bit grey: 1 + index of the glTF node
    mask             PNG, 8-bit grey: 255 where a figure is
    outline          PNG, 8-bit grey: 255 where an outline is
    uv               PNG, RGB of 16 bits: fractional parts of u and v (set 0, v downwards); blue 65535 on a figure
    nocs             PNG, RGB of 16 bits: rest-pose position in the unit cube; the box's diagonal is 1, its middle ½
    position         NPZ, `position` (H, W, 3) float32: world metres, NaN for the background
    albedo           PNG, RGB: base colour without light, sRGB
    shading          PNG, 8-bit grey: 0 in shade to 255 in light
    pose             PNG, RGB: the OpenPose skeleton as ControlNet's annotators draw it
    depth_inverse, normal_map, lines    PNG, RGB: what ControlNets are conditioned on (conditioning.py)

0 is the background in every PNG. docs/passes.md has the legends of ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrm_synth.annotation.openpose import draw_openpose, openpose_person
from vrm_synth.core.errors import ShotError
from vrm_synth.io.npz import npz_bytes
from vrm_synth.io.png_encoder import encode_png
from vrm_synth.passes.conditioning import inverse_depth, lines, normal_map
from vrm_synth.passes.pass_input import PassInput
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.vrm.avatar import Avatar

UNITS_PER_METRE = 10_000  # of the depth pass
NO_BONE_ID = 255


def pass_file(name: str, source: PassInput) -> bytes:
    """The file of one pass. Raises ShotError where it cannot hold what is drawn."""
    return _MAKERS[name](source)


def _depth(source: PassInput) -> bytes:
    depth, mask = source.geometry.depth, source.geometry.mask
    units = np.rint(np.where(mask, depth, 0) * UNITS_PER_METRE)
    if units.max(initial=0) > 65535:
        raise ShotError(
            "a surface is too far away for the depth pass",
            got=f"{depth[mask].max():.2f} m",
            allowed="up to 6.5535 m, or the pass depth_metres",
        )
    return _data(units.astype(np.uint16))


def _depth_layers(source: PassInput) -> bytes:
    return npz_bytes(
        depth=np.stack([layer.depth for layer in source.layers]),
        triangle=np.stack([layer.triangle for layer in source.layers]),
    )


def _unit_vectors(vectors: NDArray[np.float32] | None, mask: NDArray[np.bool_]) -> bytes:
    assert vectors is not None
    return _data(np.where(mask[..., None], np.rint((vectors + 1) * 127.5), 0).astype(np.uint8))


def _body_parts(source: PassInput) -> bytes:
    ids = np.where(source.bones < 0, NO_BONE_ID, source.bones + 1)
    return _data(np.where(source.geometry.mask, ids, 0).astype(np.uint8))


def _uv(source: PassInput) -> bytes:
    uv, mask = source.geometry.uv, source.geometry.mask
    assert uv is not None
    fraction = np.rint((uv - np.floor(uv)) * 65535)
    return _data(np.dstack([np.where(mask[..., None], fraction, 0), 65535 * mask]).astype(np.uint16))


def _nocs(source: PassInput) -> bytes:
    rest = source.geometry.rest_position
    assert rest is not None
    low, high = rest_box(source.posed.avatar)
    cube = (rest - (low + high) / 2) / np.linalg.norm(high - low) + 0.5
    return _data(np.where(source.geometry.mask[..., None], np.rint(cube * 65535), 0).astype(np.uint16))


def rest_box(avatar: Avatar) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smallest and the largest corner, (3,) world metres each, of what an avatar draws in its rest pose."""
    points = np.concatenate([p for _, _, p, _ in posed_primitives(evaluate(avatar), with_normals=False)])
    return points.min(0), points.max(0)


def _albedo(source: PassInput) -> bytes:
    assert source.geometry.albedo is not None
    return encode_png(np.ascontiguousarray(source.geometry.albedo))


def _shading(source: PassInput) -> bytes:
    assert source.geometry.shading is not None
    return _data(np.rint(source.geometry.shading * 255).astype(np.uint8))


def _ids(indices: NDArray[np.int32]) -> bytes:
    return _data((indices + 1).astype(np.uint16))


def _flags(mask: NDArray[np.bool_]) -> bytes:
    return _data(mask.astype(np.uint8) * np.uint8(255))


def _data(pixels: NDArray[Any]) -> bytes:
    return encode_png(np.ascontiguousarray(pixels), is_color=False)


_MAKERS: Mapping[str, Callable[[PassInput], bytes]] = {
    "depth": _depth,
    "depth_metres": lambda s: npz_bytes(depth=s.geometry.depth),
    "depth_layers": _depth_layers,
    "normal": lambda s: _unit_vectors(s.geometry.normal, s.geometry.mask),
    "geometric_normal": lambda s: _unit_vectors(s.geometry.geometric_normal, s.geometry.mask),
    "parts": lambda s: _data(np.where(s.geometry.mask, s.parts + 1, 0).astype(np.uint8)),
    "body_parts": _body_parts,
    "instances": lambda s: _data(s.geometry.mask.astype(np.uint8)),
    "materials": lambda s: _ids(s.materials),
    "nodes": lambda s: _ids(s.nodes),
    "mask": lambda s: _flags(s.geometry.mask),
    "outline": lambda s: _flags(s.geometry.outline),
    "uv": _uv,
    "nocs": _nocs,
    "position": lambda s: npz_bytes(position=s.world_position),
    "albedo": _albedo,
    "shading": _shading,
    "pose": lambda s: encode_png(draw_openpose([openpose_person(s.annotation.keypoints)], s.size)),
    "depth_inverse": lambda s: _data(inverse_depth(s.geometry)),
    "normal_map": lambda s: _data(normal_map(s.geometry)),
    "lines": lambda s: _data(lines(s.geometry, s.materials, s.parts)),
}
