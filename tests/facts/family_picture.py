"""A picture of a built-in avatar with its ground truth: parameters, joints, and pixels by material and bone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vrm_synth.builtin_avatar.params import DemoParams, variant
from vrm_synth.parts.labeling import measured
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.shot import Shot
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.drawn_triangles import drawn_triangles


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of a built-in avatar and what was asked for.

    triangle: (H, W) int32, of the geometry buffer, −1 for the background. hands: side → name of poses/hands/.
    looks_at: what the shot's gaze was to be; eyes_turned: whether the shot turned the eyes.
    """

    params: DemoParams
    shot: Shot
    posed: PosedAvatar
    triangle: NDArray[np.int32]
    hands: dict[str, str]

    @property
    def avatar(self) -> Avatar:
        """The avatar."""
        return self.posed.avatar

    @cached_property
    def scale(self) -> float:
        """Pixels for one of 512²."""
        return self.triangle.size / 512**2

    @cached_property
    def joints(self) -> dict[str, NDArray[np.float64]]:
        """World position of each bone."""
        return {b: np.asarray(p, np.float64) for b, p in self.posed.bone_positions().items()}

    @cached_property
    def by_material(self) -> dict[str, float]:
        """Material → pixels, of a picture of 512²."""
        d = drawn_triangles(self.avatar)
        names = np.array([self.avatar.materials[m].name for m in d.material_of])
        shown = names[self.triangle[self.triangle >= 0]]
        found, counts = np.unique(shown, return_counts=True)
        return {str(n): float(c) / self.scale for n, c in zip(found, counts, strict=True)}

    @cached_property
    def by_bone(self) -> dict[str, float]:
        """Humanoid bone at or above the node that moves a triangle most → pixels, of a picture of 512²."""
        lead = measured(self.avatar)[0].lead
        own = {node: name for name, node in self.avatar.humanoid.items()}
        bone = {}
        for node in self.avatar.scene_nodes:
            parent = self.avatar.nodes[node].parent
            bone[node] = own.get(node, bone.get(parent, ""))
        shown, counts = np.unique(lead[self.triangle[self.triangle >= 0]], return_counts=True)
        out: dict[str, float] = {}
        for node, c in zip(shown.tolist(), counts.tolist(), strict=True):
            out[bone.get(node, "")] = out.get(bone.get(node, ""), 0.0) + c / self.scale
        return out

    def node_pixels(self, prefix: str) -> dict[str, float]:
        """Pixels of triangles led by nodes whose names start so, by the name without its number."""
        lead = measured(self.avatar)[0].lead
        shown, counts = np.unique(lead[self.triangle[self.triangle >= 0]], return_counts=True)
        out: dict[str, float] = {n.name.rpartition("_")[0]: 0.0 for n in self.avatar.nodes if n.name.startswith(prefix)}
        for node, c in zip(shown.tolist(), counts.tolist(), strict=True):
            name = self.avatar.nodes[node].name
            if name.startswith(prefix):
                out[name.rpartition("_")[0]] += c / self.scale
        return out

    def region(self, *ends: str) -> float:
        """Pixels of the bones whose names end so, fingers and toes with their hands and feet."""
        return sum(p for b, p in self.by_bone.items() if b and any(is_part_of(b, e) for e in ends))

    def at(self, bone: str) -> tuple[float, float]:
        """(x, y) of a joint in the picture, 0..1 from the top left."""
        camera = self.shot.camera
        v = camera.view_from_world() @ np.append(self.joints[bone], 1.0)
        half = np.tan(np.radians(camera.fov_y) / 2) * -v[2]
        aspect = self.shot.size[0] / self.shot.size[1]
        return float(v[0] / (half * aspect) + 1) / 2, float(1 - v[1] / half) / 2

    def has(self, bone: str) -> bool:
        """A joint is inside the picture and before the camera."""
        x, y = self.at(bone)
        return 0 <= x <= 1 and 0 <= y <= 1


def is_part_of(bone: str, end: str) -> bool:
    if bone.endswith(end):
        return True
    side = bone[: 4 if bone.startswith("left") else 5]
    if end.endswith("Hand") and any(f in bone for f in ("Thumb", "Index", "Middle", "Ring", "Little")):
        return end in ("Hand", f"{side}Hand")
    return end.endswith("Foot") and bone.endswith("Toes") and end in ("Foot", f"{side}Foot")


def params_of(source: str) -> DemoParams:
    """Parameters of a built-in avatar by its source, "demo:3"."""
    _, _, number = source.partition(":")
    return (
        variant(int(number)) if number.isdecimal() else DemoParams.parse(number.split(",")) if number else DemoParams()
    )
