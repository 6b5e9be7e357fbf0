"""The landmarks of a face as they are found, feature by feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from vrm_synth.annotation.landmark import Landmark, Outline, on_vertex


@dataclass
class FaceLandmarks:
    """Landmarks of the face; the search adds to them.

    points: keypoint's name ("face-0", "nose", "left_eye") → landmark.
    missing: feature ("mouth") → why its points are unlabeled.
    skin: the piece of the mesh that is the face's skin; None where it is not known.
    """

    points: dict[str, Landmark] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    skin: int | None = None

    def label(self, rows: Sequence[int], landmarks: Sequence[Landmark | None]) -> None:
        """Label points of the face's 68 by their indices; None leaves a point unlabeled."""
        for row, landmark in zip(rows, landmarks, strict=True):
            if landmark is not None:
                self.points[f"face-{row}"] = landmark


def around(outline: Outline, count: int) -> list[Landmark]:
    """Right corner, `count` points of the upper edge, left corner, `count` points of the lower edge on the way back."""
    first, last = outline.ends
    shares = np.arange(1, count + 1) / (count + 1)
    upper = [outline.at(s, upper=True) for s in shares]
    lower = [outline.at(s, upper=False) for s in shares[::-1]]
    return [on_vertex(first), *upper, on_vertex(last), *lower]
