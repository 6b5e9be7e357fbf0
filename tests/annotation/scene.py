"""Pictures for the tests of annotations: a posed avatar, its camera, and what an independent z-buffer says is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from tests.annotation.rasterizer import rasterize
from tests.corpus import CORPUS
from vrm_synth.annotation.annotate import Annotation, annotate
from vrm_synth.api.avatars import demo_avatar, load
from vrm_synth.camera.camera import Camera
from vrm_synth.camera.framing import Aim
from vrm_synth.camera.views import find_crop
from vrm_synth.pose.pose_files import find_pose
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.shot.posed_body import PosedBody, pose_body
from vrm_synth.vrm.avatar import Avatar

# Shared avatars whose bodies are skinned; the last four have no blink.
SKINNED = ("crimsom", "m_expressive", "zombie", "bizdude", "robot", "cool_banana", "boombox7", "skinnie4",
           "v1_samplebot", "boombox_export4")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Scene:
    """One picture: the body in its pose, the camera, what is drawn, and the annotation."""

    body: PosedBody
    camera: Camera
    size: tuple[int, int]
    depth: np.ndarray
    triangle: np.ndarray
    annotation: Annotation

    @property
    def posed(self) -> PosedAvatar:
        return self.body.posed


@cache
def avatar_of(name: str) -> Avatar:
    """The built-in avatar ("demo"), or a shared one by its file's stem."""
    if name == "demo":
        return demo_avatar()
    assert CORPUS is not None
    return load(CORPUS / "avatars" / f"{name}.vrm")


@cache
def scene(
    name: str = "demo", pose: str = "stand", crop: str = "full", azimuth: float = 0.0, elevation: float = 0.0,
    size: tuple[int, int] = (256, 320),
) -> Scene:  # fmt: skip
    """A picture of an avatar, drawn by the tests' z-buffer."""
    body = pose_body(avatar_of(name), find_pose(pose))
    framing = find_crop(crop)
    camera = body.frame(framing.down_to, Aim(azimuth, elevation), framing.room(), size[0] / size[1])
    return draw(body, camera, size)


def draw(body: PosedBody, camera: Camera, size: tuple[int, int]) -> Scene:
    """The picture of a body that a camera sees."""
    depth, triangle = rasterize(body.posed, camera, size)
    return Scene(body, camera, size, depth, triangle, annotate(body.posed, camera, size, depth, triangle))
