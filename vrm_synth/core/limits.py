"""Limits that several packages hold to."""

from __future__ import annotations

# Pixels, of the width and the height of a picture that is rendered, and of one that io/image_decoder.py decodes where
# its caller sets no other limit (training and comparison pages bound the number of pixels instead).
MAX_IMAGE_SIDE = 8192
