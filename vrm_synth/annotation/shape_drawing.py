"""Filled dots, ellipses and thick lines in integer pixels, the shapes that OpenCV draws, without OpenCV."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.transforms import Array

Canvas = NDArray[np.uint8]
Color = tuple[int, int, int]

# Half widths of a filled circle's rows, from its middle outwards (OpenCV's midpoint circles).
_CIRCLES = {1: (1, 0), 3: (3, 2, 2, 0), 4: (4, 3, 3, 2, 0)}


def fill_circle(canvas: Canvas, x: int, y: int, radius: int, color: Color) -> None:
    """Fill a circle around pixel (x, y); radius: 1, 3 or 4 pixels. canvas: (H, W, 3), changed in place."""
    for dy in range(-radius, radius + 1):
        half = _CIRCLES[radius][abs(dy)]
        _fill_row(canvas, y + dy, x - half, x + half, color)


def fill_ellipse(canvas: Canvas, x: int, y: int, axes: tuple[int, int], degrees: int, color: Color) -> None:
    """Fill an ellipse around pixel (x, y); axes: half length and half width, pixels, the length turned clockwise by
    whole degrees from the right."""
    t, turn = np.radians(np.arange(361)), math.radians(degrees)
    along, across = axes[0] * np.cos(t), axes[1] * np.sin(t)
    c, s = math.cos(turn), math.sin(turn)
    points = np.stack([x + along * c - across * s, y + along * s + across * c], 1)
    fill_convex(canvas, np.rint(points), color)


def draw_line(canvas: Canvas, start: tuple[int, int], end: tuple[int, int], color: Color) -> None:
    """A line of OpenCV's thickness 2, which covers three pixels, with round ends. start, end: pixels (x, y)."""
    run = np.subtract(end, start).astype(np.float64)
    length = float(np.hypot(*run))
    if length > 0:
        side = np.array([run[1], -run[0]]) / length
        a, b = np.asarray(start, np.float64), np.asarray(end, np.float64)
        fill_convex(canvas, np.stack([a + side, b + side, b - side, a - side]), color)
    for x, y in (start, end):
        fill_circle(canvas, x, y, 1, color)


def fill_convex(canvas: Canvas, points: Array, color: Color) -> None:
    """Fill a convex polygon (N, 2) x, y with its edges, which are lines of one pixel."""
    spans: dict[int, tuple[int, int]] = {}
    for a, b in zip(points, np.roll(points, -1, axis=0), strict=True):
        steps = max(1, math.ceil(float(np.abs(b - a).max())))
        line = np.floor(a + (b - a) * (np.arange(steps + 1) / steps)[:, None] + 0.5).astype(np.int64)
        for x, y in line.tolist():
            low, high = spans.get(y, (x, x))
            spans[y] = (min(low, x), max(high, x))
    for y, (low, high) in spans.items():
        _fill_row(canvas, y, low, high, color)


def _fill_row(canvas: Canvas, y: int, low: int, high: int, color: Color) -> None:
    height, width = canvas.shape[:2]
    if 0 <= y < height and high >= 0 and low < width:
        canvas[y, max(low, 0) : high + 1] = color
