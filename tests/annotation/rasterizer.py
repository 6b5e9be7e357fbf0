"""A z-buffer in numpy, written for these tests alone: depth and triangle at each pixel's centre of a posed avatar.

It shares the camera's numbers with the package (position, target, field of view) and none of its projections.
"""

from __future__ import annotations

import numpy as np

from vrm_synth.camera.camera import Camera
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.pose.skinning import posed_primitives


def rasterize(posed: PosedAvatar, camera: Camera, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(depth (H, W) float32, +inf for nothing; triangle (H, W) int32, −1 for nothing), both sides of all triangles."""
    parts = posed_primitives(posed, with_normals=False)
    corners = np.concatenate([positions[primitive.indices] for _, primitive, positions, _ in parts])
    return rasterize_triangles(corners, camera, size)


def rasterize_triangles(corners: np.ndarray, camera: Camera, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The same for triangles (T, 3, 3), world metres."""
    width, height = size
    back = np.subtract(camera.position, camera.target)
    back = back / np.linalg.norm(back)
    right = np.cross(camera.up, back)
    right /= np.linalg.norm(right)
    p = (corners - camera.position) @ np.stack([right, np.cross(back, right), -back], 1)
    z = p[..., 2]
    if camera.ortho_height is None:
        focal = height / 2 / np.tan(np.radians(camera.fov_y / 2))
        with np.errstate(divide="ignore", invalid="ignore"):
            x, y, inverse = width / 2 + focal * p[..., 0] / z, height / 2 - focal * p[..., 1] / z, 1 / z
    else:
        scale = height / camera.ortho_height
        x, y, inverse = width / 2 + scale * p[..., 0], height / 2 - scale * p[..., 1], z
    ahead = (z > camera.near).all(1)
    low_x, low_y = (np.clip(np.ceil(v.min(1) - 0.5), 0, n) for v, n in ((x, width), (y, height)))
    high_x, high_y = (np.clip(np.floor(v.max(1) - 0.5), -1, n - 1) for v, n in ((x, width), (y, height)))
    depth = np.full(width * height, np.inf)
    triangle = np.full(width * height, -1, np.int32)
    columns = np.where(ahead, np.maximum(high_x - low_x + 1, 0), 0)
    rows = np.where(ahead, np.maximum(high_y - low_y + 1, 0), 0)
    with np.errstate(invalid="ignore"):
        counts = np.nan_to_num(columns * rows).astype(np.int64)
    for chunk in np.array_split(np.arange(len(corners)), max(1, int(counts.sum()) // 2_000_000 + 1)):
        t = np.repeat(chunk, counts[chunk])
        if not len(t):
            continue
        k = np.arange(len(t)) - np.repeat(np.cumsum(counts[chunk]) - counts[chunk], counts[chunk])
        column, row = low_x[t] + k % columns[t], low_y[t] + k // columns[t]
        px, py = column + 0.5, row + 0.5
        area = (x[t, 1] - x[t, 0]) * (y[t, 2] - y[t, 0]) - (y[t, 1] - y[t, 0]) * (x[t, 2] - x[t, 0])
        with np.errstate(divide="ignore", invalid="ignore"):
            u = ((x[t, 1] - px) * (y[t, 2] - py) - (y[t, 1] - py) * (x[t, 2] - px)) / area
            v = ((x[t, 2] - px) * (y[t, 0] - py) - (y[t, 2] - py) * (x[t, 0] - px)) / area
            w = 1 - u - v
            inside = (u >= 0) & (v >= 0) & (w >= 0)
            at = u * inverse[t, 0] + v * inverse[t, 1] + w * inverse[t, 2]
        at, t, cell = at[inside], t[inside], (row[inside] * width + column[inside]).astype(np.int64)
        distance = 1 / at if camera.ortho_height is None else at
        order = np.lexsort((-distance, cell))  # of each pixel the nearest comes last
        nearer = distance[order] < depth[cell[order]]
        depth[cell[order][nearer]], triangle[cell[order][nearer]] = distance[order][nearer], t[order][nearer]
    return depth.reshape(height, width).astype(np.float32), triangle.reshape(height, width)
