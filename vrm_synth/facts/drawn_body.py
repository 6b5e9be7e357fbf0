"""One posed body in one drawn picture: everything that facts are found in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.surface_groups import FeaturePixels
from vrm_synth.shot.body_view import BodyView


@dataclass(frozen=True, eq=False)
class DrawnBody:
    """One posed body in one drawn picture.

    view: the body before the picture's camera.
    depth: (H, W) float32, metres along the view axis that the picture shows; +inf for the background.
    pixels: pixels by feature of the avatar's surface; what hides it is not counted, nor what lies outside.
    """

    view: BodyView
    depth: NDArray[np.float32]
    pixels: FeaturePixels

    @cached_property
    def scale(self) -> float:
        """Pixels of this picture for one of a picture of 512 × 512: thresholds are stated for that size."""
        width, height = self.view.size
        return width * height / 512**2
