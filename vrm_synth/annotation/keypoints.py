"""Keypoints of a picture: where they are in pixels, in the world and before the camera, and whether they are seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vrm_synth.annotation.cameras import project_points
from vrm_synth.annotation.drawn_depth import SURFACE_TOLERANCE, DrawnDepth
from vrm_synth.annotation.keypoint_names import WHOLEBODY, flip_indices
from vrm_synth.annotation.landmark import landmark_positions
from vrm_synth.annotation.landmarks import AvatarLandmarks
from vrm_synth.annotation.surface import NO_BONE, Surface
from vrm_synth.camera.camera import Camera
from vrm_synth.core.transforms import Array
from vrm_synth.pose.posed_avatar import PosedAvatar

Visibility = Literal["visible", "occluded", "outside", "unlabeled"]
COCO_V: Mapping[Visibility, int] = {"visible": 2, "occluded": 1, "outside": 0, "unlabeled": 0}


@dataclass(frozen=True, eq=False)
class Keypoints:
    """N named points of one figure in one picture. Arrays are NaN where a point is unlabeled.

    names: of the N points; left and right are the avatar's own.
    pixels: (N, 2) float64 x, y; pixel centres at .5, origin top left, y down; NaN, too, behind the camera.
    world: (N, 3) float64, metres.
    camera: (N, 3) float64, metres, OpenCV's axes: x right, y down, z forward.
    visibility: of each point. "visible": drawn; "occluded": in the picture, behind something; "outside": not in the
        picture; "unlabeled": the avatar does not have it, or its mesh does not tell where it is.
    """

    names: tuple[str, ...]
    pixels: Array
    world: Array
    camera: Array
    visibility: tuple[Visibility, ...]

    @property
    def camera_opengl(self) -> Array:
        """(N, 3) float64, metres, OpenGL's axes: x right, y up, z backward, as GeometryBuffer has them."""
        return self.camera * [1.0, -1.0, -1.0]

    def coco(self) -> Array:
        """(N, 3) x, y, v: 2 visible, 1 occluded, 0 outside or unlabeled, where x and y are 0, too."""
        v = np.array([COCO_V[k] for k in self.visibility], np.float64)
        return np.concatenate([np.where(v[:, None] > 0, self.pixels, 0.0), v[:, None]], 1)

    def select(self, names: Sequence[str]) -> Keypoints:
        """Some of the points, in the order of `names`."""
        rows = [self.names.index(n) for n in names]
        visibility = tuple(self.visibility[r] for r in rows)
        return Keypoints(tuple(names), self.pixels[rows], self.world[rows], self.camera[rows], visibility)

    def to_json(self) -> dict[str, Any]:
        """Name → pixel, world, camera_opencv (None where not a number) and visibility."""
        rows = zip(self.pixels, self.world, self.camera, self.visibility, strict=True)
        return {
            name: {
                "pixel": rounded(pixel, 3),
                "world": rounded(world, 6),
                "camera_opencv": rounded(camera, 6),
                "visibility": visibility,
            }
            for name, (pixel, world, camera, visibility) in zip(self.names, rows, strict=True)
        }


def rounded(values: Array, digits: int) -> list[float] | None:
    """Numbers for JSON; None where any is not finite."""
    return [round(float(v), digits) for v in values] if np.isfinite(values).all() else None


def joint_keypoints(
    posed: PosedAvatar, surface: Surface, camera: Camera, size: tuple[int, int], drawn: DrawnDepth
) -> Keypoints:
    """The humanoid's joints, by bone.

    A joint lies inside the body: it is visible where its pixel shows its own limb, a triangle of the joint's bone or a
    neighbouring one, no farther in front of it than the limb's local radius.
    """
    positions = posed.bone_positions()
    bones = tuple(positions)
    world = np.array([positions[b] for b in bones]).reshape(-1, 3)
    pixels, points = project_points(camera, size, world)
    depth, triangle = drawn.at(pixels)
    bone = np.where(triangle >= 0, surface.bone[triangle], NO_BONE)
    own = np.array([b != NO_BONE and surface.near[name][b] for name, b in zip(bones, bone, strict=True)], np.bool_)
    in_front = points[:, 2] - depth
    radius = np.array([surface.radius[name] for name in bones])
    seen = own & (in_front <= radius) & (in_front >= -SURFACE_TOLERANCE)
    return Keypoints(bones, pixels, world, points, _visibility(drawn.inside(pixels, points[:, 2]), seen))


def wholebody_keypoints(
    joints: Keypoints,
    landmarks: AvatarLandmarks,
    vertices: Array,
    camera: Camera,
    size: tuple[int, int],
    drawn: DrawnDepth,
) -> Keypoints:
    """COCO-WholeBody's 133 keypoints. vertices: (V, 3) of BodyParts in the pose, world metres.

    A point of the surface is visible where the surface is drawn at its pixel (DrawnDepth.on_surface).
    """
    count = len(WHOLEBODY)
    pixels, world, points = np.full((count, 2), np.nan), np.full((count, 3), np.nan), np.full((count, 3), np.nan)
    visibility: list[Visibility] = ["unlabeled"] * count
    for name, bone in landmarks.joints.items():
        row, source = WHOLEBODY.index(name), joints.names.index(bone)
        pixels[row], world[row], points[row] = joints.pixels[source], joints.world[source], joints.camera[source]
        visibility[row] = joints.visibility[source]
    rows = [WHOLEBODY.index(name) for name in landmarks.points]
    if rows:
        world[rows] = landmark_positions(list(landmarks.points.values()), vertices)
        pixels[rows], points[rows] = project_points(camera, size, world[rows])
        distance = points[rows][:, 2]
        inside = drawn.inside(pixels[rows], distance)
        for row, v in zip(rows, _visibility(inside, drawn.on_surface(pixels[rows], distance)), strict=True):
            visibility[row] = v
    return Keypoints(WHOLEBODY, pixels, world, points, tuple(visibility))


def _visibility(inside: NDArray[np.bool_], seen: NDArray[np.bool_]) -> tuple[Visibility, ...]:
    return tuple(("visible" if s else "occluded") if i else "outside" for i, s in zip(inside, seen, strict=True))


def mirrored(keypoints: Keypoints, width: int) -> Keypoints:
    """The keypoints of the picture mirrored left to right: x and names are exchanged, in the same order of names.

    width: of the picture, pixels. World positions and camera axes are mirrored at the camera's vertical plane: the
    world's are left out (NaN), because no world of this avatar has them.
    """
    rows = list(flip_indices(keypoints.names))
    pixels = keypoints.pixels[rows] * [-1.0, 1.0] + [float(width), 0.0]
    camera = keypoints.camera[rows] * [-1.0, 1.0, 1.0]
    visibility = tuple(keypoints.visibility[r] for r in rows)
    return Keypoints(keypoints.names, pixels, np.full_like(keypoints.world, np.nan), camera, visibility)
