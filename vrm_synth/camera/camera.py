"""The camera: position, projection, matrices and intrinsics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array, clip_from_view_orthographic, clip_from_view_perspective, world_from_view
from vrm_synth.core.vectors import Vec3

DEFAULT_FOV_Y = 30.0  # degrees


@dataclass(frozen=True)
class Camera:
    """A perspective or orthographic camera that looks along its −Z axis.

    position, target: world metres.
    up: a vector, world axes.
    fov_y: vertical field of view, degrees.
    ortho_height: height of an orthographic view, metres, instead of fov_y; None for perspective.
    near, far: metres along the view axis.
    """

    position: Vec3
    target: Vec3
    up: Vec3 = (0.0, 1.0, 0.0)
    fov_y: float = DEFAULT_FOV_Y
    ortho_height: float | None = None
    near: float = 0.1
    far: float = 20.0

    def __repr__(self) -> str:
        position, target = (", ".join(f"{c:.3f}" for c in v) for v in (self.position, self.target))
        lens = f"fov_y={self.fov_y:g}" if self.ortho_height is None else f"ortho_height={self.ortho_height:g}"
        return f"Camera(position=({position}), target=({target}), {lens})"

    def world_from_view(self) -> Array:
        """(4, 4) float64, read-only."""
        return _matrices(self.position, self.target, self.up)[0]

    def view_from_world(self) -> Array:
        """(4, 4) float64, read-only."""
        return _matrices(self.position, self.target, self.up)[1]

    def clip_from_view(self, width: int, height: int) -> Array:
        """(4, 4) float64, OpenGL clip space, for a picture of width × height pixels."""
        aspect = width / height
        if self.ortho_height is not None:
            return clip_from_view_orthographic(self.ortho_height, aspect, self.near, self.far)
        return clip_from_view_perspective(self.fov_y, aspect, self.near, self.far)

    def depth_of(self, window_z: NDArray[np.float32]) -> NDArray[np.float32]:
        """Metres along the view axis of OpenGL's window z (0 near to 1 far), any shape."""
        near, far = np.float32(self.near), np.float32(self.far)
        if self.ortho_height is not None:
            return np.asarray(near + window_z * (far - near))
        reciprocal = window_z * (near - far)
        reciprocal += far
        return np.divide(near * far, reciprocal, out=reciprocal)

    def intrinsics(self, width: int, height: int) -> dict[str, float]:
        """fx, fy, cx, cy in pixels; pixel centres at .5, origin top left, y down (perspective only)."""
        fy = height / (2 * np.tan(np.radians(self.fov_y) / 2))
        return {"fx": float(fy), "fy": float(fy), "cx": width / 2, "cy": height / 2}


@lru_cache(maxsize=64)
def _matrices(position: Vec3, target: Vec3, up: Vec3) -> tuple[Array, Array]:
    """world_from_view and its inverse: facts of one picture project a dozen sets of points."""
    world = world_from_view(position, target, up)
    view = np.asarray(np.linalg.inv(world), np.float64)
    world.flags.writeable = view.flags.writeable = False
    return world, view
