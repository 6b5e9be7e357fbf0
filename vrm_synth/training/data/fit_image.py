"""The part of a picture that a bucket takes, on its background, at the bucket's size."""

from __future__ import annotations

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from vrm_synth.training.data.buckets import Size, crop


def fit(
    pixels: NDArray[np.uint8],
    bucket: Size,
    background: tuple[int, int, int],
    mask: NDArray[np.uint8] | None,
    cell: int,
    pad: bool = False,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The picture as a bucket takes it: laid on the background, its middle cut out, scaled; or all of it, with pad.

    pixels: (H, W, 3 or 4), mask: (H, W) or None for its alpha. Returns (height, width, 3) uint8, and the mask
    averaged over cells of `cell`² pixels, (height / cell, width / cell) uint8; 255 where there is neither, but 0
    where a picture that is padded is not.
    """
    picture = PIL.Image.fromarray(np.ascontiguousarray(pixels))
    if mask is None and pixels.shape[2] == 4:
        mask = pixels[..., 3]
    shares = None if mask is None else PIL.Image.fromarray(np.ascontiguousarray(mask))
    if picture.mode == "RGBA":
        ground = PIL.Image.new("RGBA", picture.size, (*background, 255))
        picture = PIL.Image.alpha_composite(ground, picture).convert("RGB")
    if pad:
        shares = shares or PIL.Image.new("L", picture.size, 255)
        picture, shares = _padded(picture, bucket, background), _padded(shares, bucket, 0)
    box = crop(picture.size, bucket)
    scaled = picture.resize(bucket, PIL.Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    cells = bucket[0] // cell, bucket[1] // cell
    if shares is None:
        return np.asarray(scaled), np.full(cells[::-1], 255, np.uint8)
    return np.asarray(scaled), np.asarray(shares.resize(cells, PIL.Image.Resampling.BOX, box=box))


def _padded(picture: PIL.Image.Image, bucket: Size, background: int | tuple[int, ...]) -> PIL.Image.Image:
    """The picture in the middle of the least canvas of the bucket's shape that holds it."""
    scale = max(picture.width / bucket[0], picture.height / bucket[1])
    size = max(picture.width, round(bucket[0] * scale)), max(picture.height, round(bucket[1] * scale))
    canvas = PIL.Image.new(picture.mode, size, background)
    canvas.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    return canvas
