"""The input of all passes of a picture: its geometry buffer, and the posed avatar that it shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vrm_synth.annotation.annotate import Annotation, annotate
from vrm_synth.annotation.part_regions import PartIds
from vrm_synth.annotation.surface import NO_BONE, surface_of
from vrm_synth.camera.camera import Camera
from vrm_synth.core.errors import RenderError
from vrm_synth.parts.labeling import label_parts
from vrm_synth.parts.overrides import PartOverrides
from vrm_synth.parts.part_labels import PartLabels
from vrm_synth.parts.part_names import PART_NAMES, UNKNOWN
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import Frame, View
from vrm_synth.render.geometry_buffer import NOTHING, GeometryBuffer
from vrm_synth.vrm.drawn_triangles import drawn_triangles


@dataclass(frozen=True, eq=False)
class PassInput:
    """A picture and what is known of it.

    posed: the avatar in the picture's pose.
    camera: of the picture.
    size: (width, height), pixels.
    geometry: what lies at the centre of each pixel.
    layers: the same of depth peeling, nearest first; empty where no pass needs it.
    overrides: part labels of the user's; None for none.
    annotate: the annotation is asked for itself, and is to have parts; a drawn pose needs its keypoints alone.
    """

    posed: PosedAvatar
    camera: Camera
    size: tuple[int, int]
    geometry: GeometryBuffer
    layers: tuple[GeometryBuffer, ...]
    overrides: PartOverrides | None = None
    annotate: bool = False

    @staticmethod
    def of(
        posed: PosedAvatar,
        view: View,
        frame: Frame,
        overrides: PartOverrides | None = None,
        *,
        annotate: bool = False,
    ) -> PassInput:
        """The input of a frame that was rendered with a geometry buffer. Raises RenderError for one without."""
        if frame.geometry is None:
            raise RenderError("this renderer draws no geometry buffer", allowed="the gl renderer, or no passes")
        return PassInput(posed, view.camera, view.size, frame.geometry, frame.layers, overrides, annotate)

    @cached_property
    def labels(self) -> PartLabels:
        """Labels of the avatar's parts."""
        return label_parts(self.posed.avatar, self.overrides)

    @cached_property
    def parts(self) -> NDArray[np.uint8]:
        """(H, W) index into PART_NAMES of each pixel, 0 (unknown) for the background, too."""
        return self.labels.at(self.geometry.triangle, self.geometry.uv)

    @cached_property
    def nodes(self) -> NDArray[np.int32]:
        """(H, W) index of the glTF node that each pixel shows, −1 for none."""
        return self._of_triangle(drawn_triangles(self.posed.avatar).node_of)

    @cached_property
    def materials(self) -> NDArray[np.int32]:
        """(H, W) index of the glTF material that each pixel shows, −1 for none."""
        return self._of_triangle(drawn_triangles(self.posed.avatar).material_of)

    @cached_property
    def bones(self) -> NDArray[np.int32]:
        """(H, W) index into BONE_NAMES of the bone with the most skin weight on each pixel's triangle, −1 for none."""
        return self._of_triangle(surface_of(self.posed.avatar).bone.astype(np.int32))

    @cached_property
    def world_position(self) -> NDArray[np.float32]:
        """(H, W, 3) world metres of each pixel's point, NaN for the background."""
        width, height = self.size
        camera, depth = self.camera, self.geometry.depth
        x = (np.arange(width) + 0.5) / width * 2 - 1
        y = 1 - (np.arange(height) + 0.5) / height * 2
        clip_from_view = camera.clip_from_view(width, height)
        slope_x, slope_y = x[None, :] / clip_from_view[0, 0], y[:, None] / clip_from_view[1, 1]
        scale = np.where(self.geometry.mask, depth, np.nan).astype(np.float64)
        spread = scale if camera.ortho_height is None else np.where(self.geometry.mask, 1.0, np.nan)
        view = np.stack(np.broadcast_arrays(slope_x * spread, slope_y * spread, -scale), -1)
        world = camera.world_from_view()
        return np.asarray(view @ world[:3, :3].T + world[:3, 3], np.float32)

    @cached_property
    def annotation(self) -> Annotation:
        """Keypoints, boxes, visible shares, head and gaze of the figure; those of parts where `annotate` is set."""
        geometry = self.geometry
        parts = PartIds(PART_NAMES, self.labels.triangles, self.parts) if self.annotate else None
        whole = annotate(self.posed, self.camera, self.size, geometry.depth, geometry.triangle, parts)
        unknown = PART_NAMES[UNKNOWN]  # is no part
        boxes = {name: box for name, box in whole.part_boxes.items() if name != unknown}
        shares = {name: share for name, share in whole.part_visible_share.items() if name != unknown}
        return replace(whole, part_boxes=boxes, part_visible_share=shares)

    def _of_triangle(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        """(H, W) the value of each pixel's triangle, −1 for the background. values: (T,)."""
        assert NOTHING == NO_BONE == -1
        return np.append(values, np.int32(NOTHING))[self.geometry.triangle]
