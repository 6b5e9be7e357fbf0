"""Cameras as other tools read them: pinhole intrinsics, OpenCV extrinsics, NeRF's transforms.json.

OpenCV's camera axes: x right, y down, z forward. OpenGL's, which this package and NeRF use: x right, y up, z backward.
Pixels: centres at .5, origin top left, x right, y down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vrm_synth.camera.camera import Camera
from vrm_synth.core.errors import ShotError
from vrm_synth.core.transforms import Array, transform_points

OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class NerfFrame:
    """One picture of a transforms.json.

    file_path: of the picture, relative to the transforms.json.
    camera: perspective.
    size: (width, height), pixels.
    """

    file_path: str
    camera: Camera
    size: tuple[int, int]


def camera_from_world(camera: Camera) -> Array:
    """(4, 4) float64: OpenCV's extrinsics [R | t]."""
    return np.asarray(OPENCV_FROM_OPENGL @ camera.view_from_world(), np.float64)


def camera_matrix(camera: Camera, size: tuple[int, int]) -> Array:
    """(3, 3) float64. Perspective: OpenCV's K, applied before the division by z. Orthographic: x and y in metres to
    pixels, and no division follows."""
    width, height = size
    if camera.ortho_height is not None:
        scale = height / camera.ortho_height
        return np.array([[scale, 0, width / 2], [0, scale, height / 2], [0, 0, 1.0]])
    k = camera.intrinsics(width, height)
    return np.array([[k["fx"], 0, k["cx"]], [0, k["fy"], k["cy"]], [0, 0, 1.0]])


def project_points(camera: Camera, size: tuple[int, int], world: Array) -> tuple[Array, Array]:
    """Pixels (N, 2) and OpenCV camera coordinates (N, 3), metres, of world points (N, 3).

    Pixels are NaN where a perspective camera has the point behind it or in its own plane.
    """
    points = transform_points(camera_from_world(camera), world)
    k = camera_matrix(camera, size)
    z = points[:, 2:]
    if camera.ortho_height is not None:
        flat = points[:, :2]
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            flat = np.where(z > 0, points[:, :2] / z, np.nan)
    return flat * [k[0, 0], k[1, 1]] + k[:2, 2], points


def camera_json(camera: Camera, size: tuple[int, int]) -> dict[str, Any]:
    """A camera for COCO's images and for OpenCV.

    model: "perspective" or "orthographic". width, height: pixels. K: camera_matrix, perspective only;
    pixels_per_meter, cx, cy instead for orthographic, which has no focal length. camera_from_world: (4, 4), OpenCV
    axes. world_from_camera_opengl: (4, 4), OpenGL axes. near, far: metres.
    """
    width, height = size
    out: dict[str, Any] = {"width": width, "height": height, "near": camera.near, "far": camera.far}
    k = camera_matrix(camera, size)
    if camera.ortho_height is None:
        out |= {"model": "perspective", "K": k.tolist(), "fov_y_degrees": camera.fov_y}
    else:
        out |= {"model": "orthographic", "pixels_per_meter": k[0, 0], "cx": k[0, 2], "cy": k[1, 2]}
    return out | {
        "camera_from_world": camera_from_world(camera).tolist(),
        "world_from_camera_opengl": camera.world_from_view().tolist(),
    }


def nerf_transforms(frames: Sequence[NerfFrame]) -> dict[str, Any]:
    """The content of a transforms.json, as instant-ngp and nerfstudio read it.

    Intrinsics that all frames share are at the top, those that differ stand in each frame. transform_matrix: camera to
    world, OpenGL axes, metres; the world has +Y up. Raises ShotError for an orthographic camera, which the format does
    not have, and for no frames.
    """
    if not frames:
        raise ShotError("a transforms.json needs frames", got="none")
    for frame in frames:
        if frame.camera.ortho_height is not None:
            raise ShotError("NeRF's transforms.json has no orthographic camera", got=frame.file_path,
                            allowed="perspective cameras")  # fmt: skip
    lenses = [_lens(frame) for frame in frames]
    shared = {k: v for k, v in lenses[0].items() if all(lens[k] == v for lens in lenses)}
    return {
        "camera_model": "OPENCV",
        **shared,
        "frames": [
            {
                "file_path": frame.file_path,
                **{k: v for k, v in lens.items() if k not in shared},
                "transform_matrix": frame.camera.world_from_view().tolist(),
            }
            for frame, lens in zip(frames, lenses, strict=True)
        ],
    }


def _lens(frame: NerfFrame) -> dict[str, float]:
    width, height = frame.size
    k = frame.camera.intrinsics(width, height)
    return {
        "camera_angle_x": float(2 * np.arctan(width / 2 / k["fx"])),
        "camera_angle_y": float(np.radians(frame.camera.fov_y)),
        "fl_x": k["fx"],
        "fl_y": k["fy"],
        "cx": k["cx"],
        "cy": k["cy"],
        "w": width,
        "h": height,
    }
