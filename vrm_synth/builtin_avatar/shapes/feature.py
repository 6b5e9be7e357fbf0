"""Eyes and mouth as curves in front view: an opening's outline at rest, and its outline in each expression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vrm_synth.builtin_avatar.shapes.skeleton import CHIN_Y, EYE
from vrm_synth.core.transforms import Array

EYE_CENTER = np.array([0.0325, EYE[1]])
MOUTH_CENTER = np.array([0.0, CHIN_Y + 0.0335])
EYE_POINTS, MOUTH_POINTS = 22, 14  # along the upper and again along the lower edge


@dataclass(frozen=True)
class EyeShape:
    """Outline of an eye; meters from the eye's center.

    Attributes:
        half: half width.
        up: height of the upper lid above the line between the corners.
        low: depth of the lower lid below that line.
        inner: height of the inner corner.
        outer: height of the outer corner.
        power: exponent of the upper lid's curve.
    """

    half: float = 0.0202
    up: float = 0.0184
    low: float = 0.0138
    inner: float = -0.0030
    outer: float = -0.0005
    power: float = 2.5

    def curve(self, t: Array, upper: bool) -> Array:
        """Points (..., 2) at t in -1 (inner corner) to 1 (outer corner), relative to the left eye's center."""
        line = self.inner + (self.outer - self.inner) * (t + 1) / 2
        # the upper lid peaks toward the nose, the lower one sinks toward the temple
        skewed = np.clip(t + (0.10 if upper else -0.12) * (1 - t * t), -1, 1)
        bulge = 1 - np.abs(skewed) ** (self.power if upper else 2.1)
        return np.stack([self.half * t, line + (self.up if upper else -self.low) * bulge], -1)


REST_EYES = {
    "round": EyeShape(),
    "gentle": EyeShape(up=0.0168, low=0.0138, inner=-0.0012, outer=-0.0030),
    "sharp": EyeShape(half=0.0205, up=0.0156, low=0.0120, inner=-0.0042, outer=0.0026, power=2.2),
}


def eye_targets(rest: EyeShape) -> dict[str, EyeShape]:
    """The eye's outline in every expression that changes it."""
    o = rest.outer - rest.inner
    return {
        "blink": EyeShape(rest.half, -0.0090, 0.0086, -0.0040, -0.0040 + o * 0.6, 2.1),
        "happy": EyeShape(rest.half * 0.97, 0.0062, -0.0068, -0.0070, -0.0060, 2.0),
        "relaxed": EyeShape(rest.half, rest.up * 0.56, rest.low * 0.86, rest.inner - 0.001, rest.outer - 0.002, 2.3),
        "angry": EyeShape(rest.half, rest.up * 0.60, rest.low * 0.78, rest.inner - 0.0042, rest.outer + 0.0030, 2.0),
        "sad": EyeShape(rest.half, rest.up * 0.56, rest.low * 0.92, rest.inner + 0.0040, rest.outer - 0.0062, 2.0),
        "surprised": EyeShape(rest.half * 1.02, rest.up * 1.16, rest.low * 1.14, rest.inner, rest.outer, 2.5),
        "up": EyeShape(rest.half, rest.up * 1.06, rest.low * 0.95, rest.inner, rest.outer, rest.power),
        "down": EyeShape(rest.half, rest.up * 0.72, rest.low * 1.02, rest.inner, rest.outer, rest.power),
    }


@dataclass(frozen=True)
class MouthShape:
    """Outline of a mouth, meters.

    Attributes:
        half: half width.
        up: height of the upper lip at the middle.
        low: height of the lower lip at the middle.
        corner: height of the corners.
        shift: vertical offset of the whole.
        power: exponent of the lips' curve.
    """

    half: float
    up: float
    low: float
    corner: float = 0.0
    shift: float = 0.0
    power: float = 2.0

    def curve(self, t: Array, upper: bool) -> Array:
        """Points (..., 2) at t in -1 (right corner) to 1 (left corner), relative to the mouth's center."""
        middle = self.up if upper else self.low
        bulge = 1 - np.abs(t) ** self.power
        return np.stack([self.half * t, self.shift + self.corner + (middle - self.corner) * bulge], -1)


REST_MOUTH = MouthShape(0.0132, -0.0014, -0.0014, 0.0019)
MOUTHS = {
    "neutral": MouthShape(0.0110, 0.0, 0.0, 0.0),
    "aa": MouthShape(0.0145, 0.0040, -0.0160, 0.0008, power=2.6),
    "ih": MouthShape(0.0170, 0.0024, -0.0060, 0.0016, power=3.0),
    "ou": MouthShape(0.0066, 0.0034, -0.0064, -0.0006, power=2.2),
    "ee": MouthShape(0.0178, 0.0030, -0.0092, 0.0024, power=2.8),
    "oh": MouthShape(0.0098, 0.0052, -0.0124, -0.0010, power=2.2),
    "happy": MouthShape(0.0192, 0.0002, -0.0158, 0.0048, power=2.2),
    "angry": MouthShape(0.0135, 0.0034, 0.0002, -0.0040, power=3.2),
    "sad": MouthShape(0.0088, 0.0022, 0.0016, -0.0036),
    "relaxed": MouthShape(0.0155, -0.0024, -0.0024, 0.0034),
    "surprised": MouthShape(0.0082, 0.0050, -0.0112, -0.0010, power=2.2),
}


def loop(shape: EyeShape | MouthShape, n: int) -> Array:
    """Return the opening's outline, 2n - 2 points (N, 2), counter-clockwise in front view of the left eye.

    It runs along the lower edge from t = -1 to 1 and back along the upper one, closer together at the corners.
    """
    t = -np.cos(np.linspace(0, np.pi, n))
    return np.concatenate([shape.curve(t, upper=False), shape.curve(t[::-1], upper=True)[1:-1]])
