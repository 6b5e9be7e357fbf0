"""Everything that is known of one figure in one picture: keypoints, boxes, visible shares, head and gaze."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrm_synth.annotation.cameras import camera_json
from vrm_synth.annotation.drawn_depth import DrawnDepth
from vrm_synth.annotation.head_pose import Gaze, HeadPose, gaze, head_pose
from vrm_synth.annotation.keypoints import Keypoints, joint_keypoints, wholebody_keypoints
from vrm_synth.annotation.landmarks import landmarks_of
from vrm_synth.annotation.part_regions import PartIds, part_boxes, part_visible_shares
from vrm_synth.annotation.regions import Box, boxes, visible_shares
from vrm_synth.camera.camera import Camera
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.geometry_buffer import NOTHING
from vrm_synth.shot.body_parts import posed_vertices


@dataclass(frozen=True, eq=False)
class Annotation:
    """Labels of one figure in one picture; docs/annotations.md has the conventions.

    size: (width, height), pixels.
    camera: that drew the picture.
    mask: (H, W) bool, True where the figure is drawn.
    joints: the joints of the humanoid, by bone.
    keypoints: COCO-WholeBody's 133.
    boxes: figure, head, face, left_hand, right_hand → COCO's box; None where nothing of it is seen.
    part_boxes: the same for the parts of PartIds, those that are seen.
    part_visible_share: part → share of its surface in sight, 0 to 1, for parts that the avatar has.
    visible_share: body part → share of its vertices in sight, 0 to 1; None where the avatar hardly has it.
    head: angles of the head; None where it has none.
    gaze: where the eyes look; None where nothing that is drawn moves them.
    missing: feature → why its keypoints are unlabeled.
    """

    size: tuple[int, int]
    camera: Camera
    mask: NDArray[np.bool_]
    joints: Keypoints
    keypoints: Keypoints
    boxes: Mapping[str, Box | None]
    part_boxes: Mapping[str, Box]
    part_visible_share: Mapping[str, float]
    visible_share: Mapping[str, float | None]
    head: HeadPose | None
    gaze: Gaze | None
    missing: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The annotation as JSON has it, without the mask (coco.coco_annotation has it as RLE)."""
        return {
            "size": list(self.size),
            "camera": camera_json(self.camera, self.size),
            "joints": self.joints.to_json(),
            "keypoints": self.keypoints.to_json(),
            "boxes": {name: None if box is None else list(box) for name, box in self.boxes.items()},
            "part_boxes": {name: list(box) for name, box in self.part_boxes.items()},
            "part_visible_share": {name: round(share, 4) for name, share in self.part_visible_share.items()},
            "visible_share": {k: None if v is None else round(v, 4) for k, v in self.visible_share.items()},
            "head": None if self.head is None else _rounded(asdict(self.head)),
            "gaze": None if self.gaze is None else _rounded(asdict(self.gaze)),
            "missing": dict(self.missing),
        }


def annotate(
    posed: PosedAvatar,
    camera: Camera,
    size: tuple[int, int],
    depth: NDArray[np.float32],
    triangle: NDArray[np.int32],
    parts: PartIds | None = None,
) -> Annotation:
    """Annotate a picture; a pure function of its arguments. The avatar is measured once and kept as long as it lives.

    size: (width, height), pixels. depth, triangle: (H, W), what lies at each pixel's centre, as in GeometryBuffer.
    parts: which part each triangle is, for boxes and shares of parts.
    Raises ShotError where they do not fit the size or the avatar, and where the avatar draws nothing.
    """
    landmarks = landmarks_of(posed.avatar)
    surface = landmarks.surface
    count = len(surface.bone)
    drawn = DrawnDepth.checked(depth, triangle, size, count)
    if parts is not None:
        parts.check(count, drawn)
    vertices = posed_vertices(surface.parts, posed)
    joints = joint_keypoints(posed, surface, camera, size, drawn)
    return Annotation(
        size=size,
        camera=camera,
        mask=triangle != NOTHING,
        joints=joints,
        keypoints=wholebody_keypoints(joints, landmarks, vertices, camera, size, drawn),
        boxes=boxes(landmarks, drawn),
        part_boxes={} if parts is None else part_boxes(parts, drawn),
        part_visible_share=(
            {} if parts is None else part_visible_shares(parts, surface, vertices, camera, size, drawn)
        ),
        visible_share=visible_shares(surface, vertices, camera, size, drawn),
        head=head_pose(posed, surface.parts, camera),
        gaze=gaze(posed, surface.parts, camera),
        missing=landmarks.missing,
    )


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {k: [round(c, 6) for c in v] if isinstance(v, tuple) else round(v, 4) for k, v in values.items()}
