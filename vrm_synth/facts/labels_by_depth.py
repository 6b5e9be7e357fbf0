"""Labels of a picture's pixels from its depth alone, for a renderer that draws no labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.camera.camera import Camera
from vrm_synth.camera.framing import project
from vrm_synth.core.transforms import Array
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.render.geometry_buffer import VertexLabels
from vrm_synth.vrm.drawn_triangles import drawn_triangles

MOST_STEPS = 16  # points along a triangle's side
LAYERS = 0.005  # metres: of surfaces as near as this, an iris before the white of its eye, the one in front is seen
NEAR = 0.02  # metres between a point of the surface and the depth of its pixel, for it to be what the pixel shows


def labels_by_depth(
    posed: PosedAvatar, camera: Camera, depth: NDArray[np.float32], labels: VertexLabels
) -> NDArray[np.uint8]:
    """(H, W) label of what each pixel shows, 0 for the background: of points spread over the posed triangles that of
    the one whose depth is nearest the drawn, of a pixel without one that of the nearest pixel.

    depth: (H, W) float32, metres along the view axis; +inf for the background. labels: of the avatar's vertices.
    """
    height, width = depth.shape
    out = np.zeros(depth.shape, np.uint8)
    vertices = np.concatenate([p for _, _, p, _ in posed_primitives(posed, with_normals=False)])
    triangles = drawn_triangles(posed.avatar).vertices_of
    seen = project(camera, width / height, vertices)
    at = np.stack([(seen[:, 0] + 1) / 2 * width, (1 - seen[:, 1]) / 2 * height, seen[:, 2]], 1)  # pixels and metres
    corners = at[triangles]  # (T, 3, 3)
    label = labels.values[triangles[:, 2]]
    drawn = np.isfinite(corners).all((1, 2)) & (corners[..., 2] > 0).all(1) & (label > 0)
    points, of = _spread(corners[drawn])
    x, y = np.floor(points[:, 0]).astype(np.intp), np.floor(points[:, 1]).astype(np.intp)
    framed = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y, z, of = x[framed], y[framed], points[framed, 2], of[framed]
    gap = np.abs(z - depth[y, x])
    near = np.flatnonzero(gap <= NEAR)
    layered = gap[near] <= LAYERS
    near = near[np.lexsort((np.where(layered, -z[near], -gap[near]), layered))]  # the best is written last
    out[y[near], x[near]] = label[drawn][of[near]]
    return _filled(out, np.isfinite(depth))


def _spread(corners: Array) -> tuple[Array, NDArray[np.intp]]:
    """Points on triangles (T, 3, 3), about one a pixel: (points (N, 3), number of each one's triangle (N,))."""
    side = np.abs(corners[:, :, :2] - np.roll(corners[:, :, :2], 1, axis=1)).max((1, 2))
    steps = np.clip(np.ceil(side), 1, MOST_STEPS).astype(np.intp)
    points, of = [], []
    for n in np.unique(steps).tolist():
        a, b = (k.reshape(-1) for k in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
        inner = a + b < n
        u, v = (a[inner] + 1 / 3) / n, (b[inner] + 1 / 3) / n
        weights = np.stack([u, v, 1 - u - v], 1)  # (K, 3)
        chosen = np.flatnonzero(steps == n)
        points.append(np.einsum("kc,tcd->tkd", weights, corners[chosen]).reshape(-1, 3))
        of.append(np.repeat(chosen, len(weights)))
    if not points:
        return np.zeros((0, 3)), np.zeros(0, np.intp)
    return np.concatenate(points), np.concatenate(of)


def _filled(label: NDArray[np.uint8], figure: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The labels with those of the figure's pixels that have none taken from the nearest that has one."""
    from scipy.ndimage import distance_transform_edt  # a tenth of a second that drawing with OpenGL does without

    if not label.any():
        return label
    _, (rows, columns) = distance_transform_edt(label == 0, return_indices=True)
    return np.where(figure, label[rows, columns], np.uint8(0))
