"""Place a camera so that given points just fit the picture: exact, in closed form.

With the camera's orientation fixed, a point at (x, y, z) in its axes (z backwards) lies inside the right edge
of a picture whose half-width at distance 1 is t when `x − cx ≤ t (cz − z)`: linear in the camera's position
(cx, cz). The tightest edge of all points is one maximum each, so two opposite edges give the least distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vrm_synth.camera.camera import DEFAULT_FOV_Y, Camera
from vrm_synth.core.errors import ShotError
from vrm_synth.core.transforms import Array, direction_to_camera
from vrm_synth.core.vectors import Vec3

STEEPEST = 85.0


@dataclass(frozen=True)
class Aim:
    """Direction and field of view of a camera, degrees.

    azimuth: around the avatar, 0 in front, + toward its left (docs/conventions.md).
    elevation: 0 level, + above.
    roll: + clockwise as seen in the picture.
    fov_y: vertical field of view.
    """

    azimuth: float
    elevation: float = 0.0
    roll: float = 0.0
    fov_y: float = DEFAULT_FOV_Y


@dataclass(frozen=True)
class Margins:
    """Room between the points and the picture's edges, as fractions of its width and height, each in [0, 0.45]."""

    left: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    top: float = 0.0


def axes(aim: Aim) -> Array:
    """The camera's axes as rows (3, 3): right, up and backward, in the world frame. Raises ShotError."""
    if not abs(aim.elevation) <= STEEPEST:
        raise ShotError("too steep", got=aim.elevation, allowed=f"elevation from −{STEEPEST:g} to {STEEPEST:g}")
    backward = direction_to_camera(aim.azimuth, aim.elevation)
    right = np.cross([0.0, 1.0, 0.0], backward)
    right /= np.linalg.norm(right)
    up = np.cross(backward, right)
    c, s = np.cos(np.radians(aim.roll)), np.sin(np.radians(aim.roll))
    # The picture turns clockwise when the camera turns anti-clockwise about its line of sight.
    return np.stack([c * right + s * up, c * up - s * right, backward])


def fit(points: ArrayLike, everything: ArrayLike, aim: Aim, aspect: float, margins: Margins) -> Camera:
    """The nearest camera that sees `points` (N, 3) inside the margins, metres in the world frame.

    everything: (M, 3), all that is drawn: near and far enclose it as far as it lies in front of the camera.
    aspect: width / height. Along the axis that does not bind, the points are centred between the margins.
    """
    p = np.asarray(points, np.float64).reshape(-1, 3)
    if not len(p):
        raise ShotError("nothing to frame", got="no points")
    r = axes(aim)
    x, y, z = (p @ r.T).T
    half = np.tan(np.radians(aim.fov_y) / 2)
    left, right = half * aspect * (1 - 2 * margins.left), half * aspect * (1 - 2 * margins.right)
    low, high = half * (1 - 2 * margins.bottom), half * (1 - 2 * margins.top)
    x_range, y_range = _edges(x, z, left, right), _edges(y, z, low, high)
    size = max(float(np.ptp(p, axis=0).max()), 1e-3)
    cz = max(x_range[2], y_range[2], float(z.max()) + 0.05 * size)
    eye = np.array([_centre(x_range, left, right, cz), _centre(y_range, low, high, cz), cz]) @ r
    depth = cz - float((z.max() + z.min()) / 2)
    near, far = _planes(np.asarray(everything, np.float64).reshape(-1, 3) @ r[2], cz, depth)
    return Camera(_vec(eye), _vec(eye - r[2] * depth), _vec(r[1]), float(aim.fov_y), None, near, far)


def project(camera: Camera, aspect: float, points: ArrayLike) -> Array:
    """(N, 3): picture coordinates from −1 (left, bottom) to 1, and the depth in metres along the view axis.

    Points not in front of the camera have a depth ≤ 0 and NaN coordinates.
    """
    p = np.asarray(points, np.float64).reshape(-1, 3)
    view = camera.view_from_world()
    x, y, z = (p @ view[:3, :3].T + view[:3, 3]).T
    depth = -z
    half = np.tan(np.radians(camera.fov_y) / 2) * np.where(depth > 0, depth, np.nan)
    if camera.ortho_height is not None:
        half = np.full_like(depth, camera.ortho_height / 2)
    return np.stack([x / (half * aspect), y / half, depth], 1)


def _edges(v: Array, z: Array, minus: float, plus: float) -> tuple[float, float, float]:
    """(A, B, least cz): the camera at (c, cz) sees all when c + plus·cz ≥ A and −c + minus·cz ≥ B."""
    a, b = float((v + plus * z).max()), float((-v + minus * z).max())
    return a, b, (a + b) / (minus + plus)


def _centre(edges: tuple[float, float, float], minus: float, plus: float, cz: float) -> float:
    a, b, _ = edges
    return ((a - plus * cz) + (minus * cz - b)) / 2


def _planes(z: Array, cz: float, depth: float) -> tuple[float, float]:
    """near and far: a tenth beyond what is drawn; what comes closer than 1/50 of the subject is cut away."""
    nearest, farthest = cz - float(z.max()), cz - float(z.min())
    near = max(0.9 * nearest, depth / 50)
    return near, max(1.1 * farthest, 2 * depth, 2 * near)


def _vec(v: Array) -> Vec3:
    return float(v[0]), float(v[1]), float(v[2])
