"""The tuple types of vectors, colors and quaternions in frozen data."""

from __future__ import annotations

Vec2 = tuple[float, float]
Vec3 = tuple[float, float, float]
Vec4 = tuple[float, float, float, float]
