"""The passes: files of ground truth beside each picture. Their names, their files' names, what they hold.

To add one: an entry here, its array in passes/pass_arrays.py, what it needs of a geometry buffer in
passes/pass_buffers.py, what its file keeps in passes/pass_files.py, what it means in docs/passes.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pass:
    """Another file beside each picture, drawn in the same shot.

    name: as `--pass` takes it.
    suffix: of its file, which is called key.suffix.
    description: one line.
    """

    name: str
    suffix: str
    description: str

    @property
    def is_image(self) -> bool:
        """True for what `datasets` and Pillow open as a picture; False for arrays."""
        return is_image(self.suffix)


def is_image(suffix: str) -> bool:
    """True where a sample's further file is a picture, by its suffix."""
    return not suffix.endswith(".npz")


DEFAULT_DEPTH_LAYERS, MAX_DEPTH_LAYERS = 4, 16  # of the pass depth_layers
NO_BONE_ID = 255  # in the files of the pass body_parts, where no bone moves the surface

_PASSES: tuple[Pass, ...] = (
    Pass("mask", "mask.png", "8-bit grey: 255 where the figure is drawn"),
    Pass("depth", "depth.png", "16-bit grey: depth along the view axis in units of 0.1 mm"),
    Pass("depth_metres", "depth_metres.npz", "depth (H, W) float32: the same in metres, +inf for the background"),
    Pass("depth_layers", "depth_layers.npz", "depth and triangle (K, H, W): the K nearest surfaces of each pixel"),
    Pass("normal", "normal.png", "RGB: normal of shading, (n + 1) / 2; x right, y up, z to the viewer"),
    Pass("geometric_normal", "geometric_normal.png", "RGB: the same of the triangle's plane"),
    Pass("parts", "parts.png", "8-bit grey: 1 + index of the part (hair, face skin, shoes…)"),
    Pass("body_parts", "body_parts.png", "8-bit grey: 1 + index of the humanoid bone of most skin weight"),
    Pass("instances", "instances.png", "8-bit grey: 1 + index of the figure"),
    Pass("materials", "materials.png", "16-bit grey: 1 + index of the glTF material"),
    Pass("nodes", "nodes.png", "16-bit grey: 1 + index of the glTF node"),
    Pass("outline", "outline.png", "8-bit grey: 255 where an outline is drawn"),
    Pass("uv", "uv.png", "16-bit RGB: fractional parts of u and v"),
    Pass("nocs", "nocs.png", "16-bit RGB: position in the rest pose, in the unit cube"),
    Pass("position", "position.npz", "position (H, W, 3) float32: world metres, NaN for the background"),
    Pass("albedo", "albedo.png", "RGB: base colour without light"),
    Pass("shading", "shading.png", "8-bit grey: 0 in shade to 255 in light"),
    Pass("pose", "pose.png", "RGB: the OpenPose skeleton, as ControlNet's annotators draw it"),
    Pass("depth_inverse", "depth_inverse.png", "RGB: inverse depth, white for the nearest"),
    Pass("normal_map", "normal_map.png", "RGB: normals, the background facing the viewer"),
    Pass("lines", "lines.png", "RGB: white outlines, silhouettes and creases on black"),
)
PASSES: Mapping[str, Pass] = {p.name: p for p in _PASSES}
# What a ControlNet is conditioned on: `conditioning` in a recipe → the pass that `conditioning_image` then is.
CONDITIONING: Mapping[str, str] = {
    "pose": "pose", "depth": "depth_inverse", "normal": "normal_map", "lines": "lines",
}  # fmt: skip
CONDITIONING_IMAGE = Pass("conditioning_image", "conditioning_image.png", "RGB: what a ControlNet is conditioned on")


def dataset_passes(settings: Mapping[str, Any]) -> tuple[Pass, ...]:
    """The further files of a dataset's samples. settings: `recipe` of its dataset.json, of any version."""
    listed = tuple(PASSES.get(name) or Pass(name, f"{name}.png", "") for name in settings.get("passes", ()))
    return (*listed, *((CONDITIONING_IMAGE,) if settings.get("conditioning") else ()))
