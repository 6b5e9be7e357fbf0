"""Transforms: column-vector 4×4 matrices named by direction, quaternions as (x, y, z, w).

All functions broadcast over leading axes and work in float64; data is narrowed to float32 only
when it goes to the GPU, so that a long chain of bones stays exact to well under 0.1 mm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

IDENTITY_QUAT = (0.0, 0.0, 0.0, 1.0)
_X, _Z = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])
_YZX, _ZXY = [1, 2, 0], [2, 0, 1]


def compose(translation: ArrayLike, rotation: ArrayLike, scale: ArrayLike) -> Array:
    """parent_from_local (..., 4, 4) from translation (..., 3), quaternion (..., 4), scale (..., 3)."""
    t, s = np.asarray(translation, np.float64), np.asarray(scale, np.float64)
    out = np.zeros((*np.broadcast_shapes(t.shape[:-1], s.shape[:-1]), 4, 4))
    out[..., :3, :3] = quat_matrix(rotation) * s[..., None, :]
    out[..., :3, 3] = t
    out[..., 3, 3] = 1.0
    return out


def decompose(matrix: ArrayLike) -> tuple[Array, Array, Array]:
    """(translation, rotation quaternion, scale) of one 4×4 affine matrix without shear.

    A mirrored matrix gets a negative x scale, as in three.js and glTF exporters. Where axes are scaled to nothing,
    the rotation is one that has the others; none at all is no rotation.
    """
    m = np.asarray(matrix, np.float64)
    scale = np.linalg.norm(m[:3, :3], axis=0)
    if np.linalg.det(m[:3, :3]) < 0:
        scale[0] = -scale[0]
    return m[:3, 3].copy(), matrix_quat(_rotation(m[:3, :3], scale)), scale


def _rotation(linear: Array, scale: Array) -> Array:
    """(3, 3) `linear` without its `scale` (3,); axes of length 0 are replaced by perpendicular ones."""
    lost = np.flatnonzero(scale == 0)
    axes = linear / np.where(scale == 0, 1.0, scale)
    if len(lost) == 3:
        return np.eye(3)
    if len(lost) == 2:  # the shortest turn that brings the one axis to where it is
        (kept,) = np.flatnonzero(scale)
        return quat_matrix(quat_between(np.eye(3)[kept], axes[:, kept]))
    for i in lost:
        axes[:, i] = cross(axes[:, (i + 1) % 3], axes[:, (i + 2) % 3])
    return axes


def quat_matrix(q: ArrayLike) -> Array:
    """Rotation matrix (..., 3, 3) of a unit quaternion (..., 4)."""
    x, y, z, w = _parts(q)
    m = np.empty((*x.shape, 3, 3))
    m[..., 0, 0], m[..., 0, 1], m[..., 0, 2] = 1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)
    m[..., 1, 0], m[..., 1, 1], m[..., 1, 2] = 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)
    m[..., 2, 0], m[..., 2, 1], m[..., 2, 2] = 2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)
    return m


def matrix_quat(matrix: ArrayLike) -> Array:
    """Unit quaternion (..., 4) of rotation matrices (..., 3, 3), w ≥ 0.

    Shepperd's method, from the largest of the four components. A matrix that is no rotation (a node
    scaled to nothing) still gives a unit quaternion.
    """
    m = np.asarray(matrix, np.float64)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    # Row i holds 4·q_i·(x, y, z, w); the row with the largest diagonal is the safest to divide.
    rows = np.empty((*m.shape[:-2], 4, 4))
    rows[..., 0, 0], rows[..., 1, 1] = 1 + xx - yy - zz, 1 - xx + yy - zz
    rows[..., 2, 2], rows[..., 3, 3] = 1 - xx - yy + zz, 1 + xx + yy + zz
    rows[..., 0, 1] = rows[..., 1, 0] = m[..., 1, 0] + m[..., 0, 1]
    rows[..., 0, 2] = rows[..., 2, 0] = m[..., 0, 2] + m[..., 2, 0]
    rows[..., 1, 2] = rows[..., 2, 1] = m[..., 2, 1] + m[..., 1, 2]
    rows[..., 0, 3] = rows[..., 3, 0] = m[..., 2, 1] - m[..., 1, 2]
    rows[..., 1, 3] = rows[..., 3, 1] = m[..., 0, 2] - m[..., 2, 0]
    rows[..., 2, 3] = rows[..., 3, 2] = m[..., 1, 0] - m[..., 0, 1]
    largest = np.argmax(np.diagonal(rows, axis1=-2, axis2=-1), -1)
    q = np.take_along_axis(rows, largest[..., None, None], -2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., 3:] < 0, -q, q)


def cross(a: Array, b: Array) -> Array:
    """a × b of (..., 3): numpy's own spends three times as long on a single pair."""
    return a[..., _YZX] * b[..., _ZXY] - a[..., _ZXY] * b[..., _YZX]


def quat_mul(a: ArrayLike, b: ArrayLike) -> Array:
    """Hamilton product a·b: rotates by b first, then by a. (..., 4)."""
    ax, ay, az, aw = _parts(a)
    bx, by, bz, bw = _parts(b)
    x = aw * bx + ax * bw + ay * bz - az * by
    out = np.empty((*x.shape, 4))
    out[..., 0] = x
    out[..., 1] = aw * by - ax * bz + ay * bw + az * bx
    out[..., 2] = aw * bz + ax * by - ay * bx + az * bw
    out[..., 3] = aw * bw - ax * bx - ay * by - az * bz
    return out


def _parts(q: ArrayLike) -> tuple[Array, Array, Array, Array]:
    q = np.asarray(q, np.float64)  # np.moveaxis takes ten times as long to say the same
    return q[..., 0], q[..., 1], q[..., 2], q[..., 3]


def quat_inverse(q: ArrayLike) -> Array:
    """The inverse (conjugate) of a unit quaternion (..., 4)."""
    return np.asarray(q, np.float64) * np.array([-1.0, -1.0, -1.0, 1.0])


def quat_rotate(q: ArrayLike, v: ArrayLike) -> Array:
    """Vectors (..., 3) rotated by unit quaternions (..., 4)."""
    q, v = np.asarray(q, np.float64), np.asarray(v, np.float64)
    u, w = q[..., :3], q[..., 3:]
    t = 2.0 * cross(u, v)
    return v + w * t + cross(u, t)


def quat_axis_angle(axis: ArrayLike, radians: ArrayLike) -> Array:
    """Unit quaternion (..., 4) of a turn about a unit axis (..., 3)."""
    half = np.asarray(radians, np.float64)[..., None] / 2
    axis = np.asarray(axis, np.float64)
    return np.concatenate([axis * np.sin(half), np.cos(half) * np.ones((*axis.shape[:-1], 1))], -1)


def quat_between(a: ArrayLike, b: ArrayLike) -> Array:
    """The shortest turn (..., 4) that takes unit vectors a (..., 3) onto unit vectors b (..., 3).

    For opposite vectors any perpendicular axis will do; the one chosen depends on `a` alone.
    """
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    w = 1.0 + np.sum(a * b, -1, keepdims=True)
    x_smaller = np.abs(a[..., :1]) <= np.abs(a[..., 2:])
    perpendicular = np.where(x_smaller, cross(a, _X), cross(a, _Z))
    opposite = w < 1e-12
    q = np.concatenate([np.where(opposite, perpendicular, cross(a, b)), np.where(opposite, 0.0, w)], -1)
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def transform_points(matrix: ArrayLike, points: ArrayLike) -> Array:
    """Points (..., 3) through affine matrices (4, 4)."""
    m = np.asarray(matrix, np.float64)
    return np.asarray(points, np.float64) @ m[:3, :3].T + m[:3, 3]


def normal_matrix(linear: ArrayLike) -> Array:
    """Matrices that transform normals under the linear maps (..., 3, 3): the inverse transpose up to a positive scale.

    Made of cofactors, so that maps without an inverse (a flattened node) have one too.
    """
    m = np.asarray(linear, np.float64)
    a, b, c = m[..., 0], m[..., 1], m[..., 2]
    cofactors = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], -1)
    return cofactors * np.where(np.linalg.det(m) < 0, -1.0, 1.0)[..., None, None]


def world_from_view(position: ArrayLike, target: ArrayLike, up: ArrayLike = (0, 1, 0)) -> Array:
    """Pose (4, 4) of a camera at `position` that looks along its −Z at `target`.

    Where the view is parallel to `up`, it is tilted by 1e-4 exactly as three.js does.
    """
    eye = np.asarray(position, np.float64)
    z = eye - np.asarray(target, np.float64)
    up = np.asarray(up, np.float64)
    length = np.linalg.norm(z)
    z = z / length if length > 0 else np.array([0.0, 0.0, 1.0])
    x = cross(up, z)
    if np.dot(x, x) == 0:
        z = z + (np.array([1e-4, 0, 0]) if abs(up[2]) == 1 else np.array([0, 0, 1e-4]))
        z /= np.linalg.norm(z)
        x = cross(up, z)
    x /= np.linalg.norm(x)
    m = np.eye(4)
    m[:3, 0], m[:3, 1], m[:3, 2], m[:3, 3] = x, cross(z, x), z, eye
    return m


def clip_from_view_perspective(fov_y_deg: float, aspect: float, near: float, far: float) -> Array:
    """OpenGL perspective projection (4, 4); vertical field of view in degrees, z from −1 to 1."""
    f = 1.0 / np.tan(np.radians(fov_y_deg) / 2)
    m = np.zeros((4, 4))
    m[0, 0], m[1, 1] = f / aspect, f
    m[2, 2], m[2, 3] = (far + near) / (near - far), 2 * far * near / (near - far)
    m[3, 2] = -1.0
    return m


def clip_from_view_orthographic(height: float, aspect: float, near: float, far: float) -> Array:
    """OpenGL orthographic projection (4, 4) of a box `height` metres tall."""
    m = np.eye(4)
    m[0, 0], m[1, 1] = 2 / (height * aspect), 2 / height
    m[2, 2], m[2, 3] = -2 / (far - near), -(far + near) / (far - near)
    return m


def direction_to_camera(azimuth_deg: float, elevation_deg: float) -> Array:
    """Unit direction (3,) from the subject to the camera.

    Azimuth 0° is in front of the face (+Z), positive toward the avatar's left (+X); elevation
    is positive above.
    """
    a, e = np.radians(azimuth_deg), np.radians(elevation_deg)
    return np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])
