"""Pictures that ControlNets are conditioned on, beside the drawn pose: (H, W, 3) uint8 each, black where nothing is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.render.geometry_buffer import GeometryBuffer

FARTHEST = 0.1  # brightness of the farthest surface, so that it stays apart from the background
MIN_DEPTH_STEP = 0.012  # of the depth: a step between neighbouring pixels that no surface of a slope makes
MAX_CREASE = 60.0  # degrees between the normals of neighbouring pixels up to which a surface is smooth


def inverse_depth(geometry: GeometryBuffer) -> NDArray[np.uint8]:
    """Inverse depth, white for the nearest surface of the picture, dark grey for the farthest."""
    mask = geometry.mask
    out = np.zeros((*mask.shape, 3), np.uint8)
    if mask.any():
        nearness = 1.0 / geometry.depth[mask].astype(np.float64)
        low, high = nearness.min(), nearness.max()
        share = (nearness - low) / (high - low) if high > low else np.ones_like(nearness)
        out[mask] = np.rint(255 * (FARTHEST + (1 - FARTHEST) * share)).astype(np.uint8)[:, None]
    return out


def normal_map(geometry: GeometryBuffer) -> NDArray[np.uint8]:
    """Normals as colours, (n + 1) / 2, camera space: red to the right, green up, blue towards the viewer; the
    background faces the viewer."""
    assert geometry.normal is not None
    normal = np.where(geometry.mask[..., None], geometry.normal, np.array([0, 0, 1], np.float32))
    return np.rint((normal + 1) * 127.5).astype(np.uint8)


def lines(geometry: GeometryBuffer, *ids: NDArray[np.integer]) -> NDArray[np.uint8]:
    """White lines on black: outlines, silhouettes, creases, and the edges between ids (H, W) such as materials."""
    assert geometry.normal is not None
    mask = geometry.mask
    depth = np.where(mask, geometry.depth, 0).astype(np.float32)
    edge = geometry.outline.copy()
    for axis in (0, 1):
        here, there = _pair(mask, axis)
        step = here != there
        for values in ids:
            a, b = _pair(values, axis)
            step |= (a != b) & here & there
        a, b = _pair(depth, axis)
        step |= here & there & (np.abs(a - b) > MIN_DEPTH_STEP * np.minimum(a, b))
        a, b = _pair(geometry.normal, axis)
        step |= here & there & ((a * b).sum(-1) < np.cos(np.radians(MAX_CREASE)))
        a, _ = _pair(edge, axis)
        a |= step & here  # a view: the line lies on the figure, on the pixel before the step
        _, b = _pair(edge, axis)
        b |= step & ~here
    return np.repeat((edge & mask)[..., None] * np.uint8(255), 3, -1)


def _pair(values: NDArray, axis: int) -> tuple[NDArray, NDArray]:
    """Views of each pixel and of the one below it (axis 0), or right of it (axis 1)."""
    return (values[:-1], values[1:]) if axis == 0 else (values[:, :-1], values[:, 1:])
