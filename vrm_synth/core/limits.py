"""Limits that several packages hold to."""

from __future__ import annotations

MAX_IMAGE_SIDE = 8192  # pixels, of the width and the height of a picture that is rendered here
