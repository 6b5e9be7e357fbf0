"""The passes as arrays: name of a pass → what it measures, in its own unit and without rounding.

    depth, depth_metres   (H, W) float32: metres along the view axis, +inf for the background
    depth_layers          (K, H, W) float32: the same of K surfaces behind each other
    normal                (H, W, 3) float32: unit normal that shading uses; x right, y up, z to the viewer
    geometric_normal      (H, W, 3) float32: the same of the triangle's plane
    parts                 (H, W) int32: index into PART_NAMES
    body_parts            (H, W) int32: index into BONE_NAMES of the bone of most skin weight, NO_BONE for none
    instances             (H, W) int32: index of the figure
    materials, nodes      (H, W) int32: index in the glTF file
    mask, outline         (H, W) bool
    uv                    (H, W, 2) float32: texture coordinates of set 0, v downwards
    nocs                  (H, W, 3) float32: rest-pose position in the unit cube; the box's diagonal is 1, its middle ½
    position              (H, W, 3) float32: world metres, NaN for the background
    albedo                (H, W, 3) uint8: base colour without light, sRGB
    shading               (H, W) float32: 0 in shade to 1 in light
    pose                  (H, W, 3) uint8: the OpenPose skeleton as ControlNet's annotators draw it
    depth_inverse, normal_map, lines    (H, W, 3) uint8: conditioning.py

Indices are BACKGROUND where nothing is drawn; other values are 0 there where nothing else is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vrm_synth.annotation.openpose import draw_openpose, openpose_person
from vrm_synth.passes.conditioning import inverse_depth, lines, normal_map
from vrm_synth.passes.pass_input import PassInput
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.vrm.avatar import Avatar

BACKGROUND, NO_BONE = -1, -2
_REST_BOXES: WeakKeyDictionary[Avatar, tuple[NDArray[np.float64], NDArray[np.float64]]] = WeakKeyDictionary()


def pass_array(name: str, source: PassInput) -> NDArray[Any]:
    """One pass of a picture. name: a key of core.passes.PASSES."""
    return _ARRAYS[name](source)


def rest_box(avatar: Avatar) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smallest and the largest corner, (3,) world metres each, of what an avatar draws in its rest pose. They are
    measured once and kept as long as the avatar lives."""
    if (box := _REST_BOXES.get(avatar)) is None:
        points = np.concatenate([p for _, _, p, _ in posed_primitives(evaluate(avatar), with_normals=False)])
        _REST_BOXES[avatar] = box = points.min(0), points.max(0)
    return box


def _index(indices: NDArray[Any], source: PassInput) -> NDArray[np.int32]:
    return np.where(source.geometry.mask, indices.astype(np.int32), BACKGROUND)


def _nocs(source: PassInput) -> NDArray[np.float32]:
    low, high = rest_box(source.posed.avatar)
    cube = (_drawn(source.geometry.rest_position) - (low + high) / 2) / np.linalg.norm(high - low) + 0.5
    return np.where(source.geometry.mask[..., None], cube, 0).astype(np.float32)


def _drawn(field: NDArray[Any] | None) -> NDArray[Any]:
    assert field is not None, "geometry_fields names what each pass needs"
    return field


_ARRAYS: Mapping[str, Callable[[PassInput], NDArray[Any]]] = {
    "depth": lambda s: s.geometry.depth,
    "depth_metres": lambda s: s.geometry.depth,
    "depth_layers": lambda s: np.stack([layer.depth for layer in s.layers]),
    "normal": lambda s: _drawn(s.geometry.normal),
    "geometric_normal": lambda s: _drawn(s.geometry.geometric_normal),
    "parts": lambda s: _index(s.parts, s),
    "body_parts": lambda s: _index(np.where(s.bones < 0, NO_BONE, s.bones), s),
    "instances": lambda s: _index(np.zeros_like(s.nodes), s),
    "materials": lambda s: s.materials,
    "nodes": lambda s: s.nodes,
    "mask": lambda s: s.geometry.mask,
    "outline": lambda s: s.geometry.outline,
    "uv": lambda s: _drawn(s.geometry.uv),
    "nocs": _nocs,
    "position": lambda s: s.world_position,
    "albedo": lambda s: _drawn(s.geometry.albedo),
    "shading": lambda s: _drawn(s.geometry.shading),
    "pose": lambda s: draw_openpose([openpose_person(s.annotation.keypoints)], s.size),
    "depth_inverse": lambda s: inverse_depth(s.geometry),
    "normal_map": lambda s: normal_map(s.geometry),
    "lines": lambda s: lines(s.geometry, s.materials, s.parts),
}
