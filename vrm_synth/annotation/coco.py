"""coco.json: the annotations of a dataset as COCO's keypoint task and COCO-WholeBody's readers expect them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrm_synth.annotation.annotate import Annotation
from vrm_synth.annotation.cameras import camera_json
from vrm_synth.annotation.keypoint_names import BODY, FACE, FOOT, LEFT_HAND, RIGHT_HAND, SKELETON
from vrm_synth.annotation.regions import Box, box_of

PERSON = 1  # COCO's id of the category


@dataclass(frozen=True)
class CocoImage:
    """One picture of a coco.json.

    file_name: relative to the dataset's folder.
    size: (width, height), pixels.
    figures: an annotation without ids for each figure, from coco_annotation.
    camera: from camera_json; None leaves it out.
    """

    file_name: str
    size: tuple[int, int]
    figures: Sequence[dict[str, Any]]
    camera: dict[str, Any] | None = None


def coco_annotation(annotation: Annotation) -> dict[str, Any]:
    """A figure's annotation without ids: it can be kept as JSON beside the picture until the coco.json is written.

    A keypoint outside the picture, or one that the mesh does not tell, is 0, 0, 0. A group's `_valid` is true where any
    of its points is visible; else its points and box are 0, as COCO-WholeBody has them.
    """
    body = annotation.keypoints.select(BODY).coco()
    box = box_of(annotation.mask)
    out: dict[str, Any] = {
        "category_id": PERSON,
        "iscrowd": 0,
        "bbox": _list(box),
        "area": int(annotation.mask.sum()),
        "segmentation": run_lengths(annotation.mask),
        "keypoints": _flat(body),
        "num_keypoints": int((body[:, 2] > 0).sum()),
    }
    boxes = {"face": "face", "lefthand": "left_hand", "righthand": "right_hand", "foot": None}
    groups = {"face": FACE, "lefthand": LEFT_HAND, "righthand": RIGHT_HAND, "foot": FOOT}
    for group, names in groups.items():
        points = annotation.keypoints.select(names).coco()
        region = boxes[group]
        valid = bool((points[:, 2] == 2).any()) and (region is None or annotation.boxes[region] is not None)
        out[f"{group}_valid"] = valid
        out[f"{group}_kpts"] = _flat(points) if valid else [0.0] * points.size
        if region is not None:
            out[f"{group}_box"] = _list(annotation.boxes[region] if valid else None)
    return out


def coco_image(file_name: str, annotation: Annotation) -> CocoImage:
    """A picture with one figure."""
    camera = camera_json(annotation.camera, annotation.size)
    return CocoImage(file_name, annotation.size, [coco_annotation(annotation)], camera)


def coco_dataset(images: Sequence[CocoImage], description: str = "") -> dict[str, Any]:
    """The content of a coco.json. Ids count from 1 in the order of `images`; figures of which nothing is seen (area 0)
    are left out, their picture stays."""
    figures = [(i, figure) for i, image in enumerate(images, 1) for figure in image.figures if figure["area"] > 0]
    return {
        "info": {"description": description},
        "licenses": [],
        "images": [
            {
                "id": i,
                "file_name": image.file_name,
                "width": image.size[0],
                "height": image.size[1],
                **({} if image.camera is None else {"camera": image.camera}),
            }
            for i, image in enumerate(images, 1)
        ],
        "annotations": [{"id": n, "image_id": i, **figure} for n, (i, figure) in enumerate(figures, 1)],
        "categories": [
            {
                "id": PERSON,
                "name": "person",
                "supercategory": "person",
                "keypoints": list(BODY),
                "skeleton": [[BODY.index(a) + 1, BODY.index(b) + 1] for a, b in SKELETON],
            }
        ],
    }


def run_lengths(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """COCO's uncompressed RLE of a mask (H, W): lengths of runs down the columns, zeros first."""
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], edges, [len(flat)]])
    counts = np.diff(starts).tolist()
    return {"counts": [0, *counts] if flat[0] else counts, "size": list(mask.shape)}


def _list(box: Box | None) -> list[float]:
    return [0.0, 0.0, 0.0, 0.0] if box is None else list(box)


def _flat(points: NDArray[np.float64]) -> list[float]:
    out: list[float] = []
    for x, y, v in points:
        out += [round(float(x), 3), round(float(y), 3), int(v)]
    return out
