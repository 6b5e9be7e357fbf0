"""Fit a picture into a bucket: on the background, cropped or padded to its aspect, resized to its size."""

from __future__ import annotations

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from vrm_synth.training.data.buckets import Size, crop_box


def fit_image(
    pixels: NDArray[np.uint8],
    bucket: Size,
    background: tuple[int, int, int],
    mask: NDArray[np.uint8] | None,
    cell: int,
    pad: bool = False,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Lay a picture on the background, crop its center (or pad it) to a bucket's aspect, and resize it.

    pixels: (H, W, 3 or 4) uint8, sRGB, with straight alpha if any.
    bucket: (width, height) in pixels.
    background: sRGB, 0 to 255.
    mask: (H, W) uint8, share of figure × 255; None takes the alpha, and 255 everywhere where there is none.
    cell: side in pixels of the cells that the mask is averaged over: the pixels of a latent.
    pad: pad the whole picture with the background instead of cropping it.

    Returns (height, width, 3) uint8 and the mask, (height / cell, width / cell) uint8, which is 0 in the padding.
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
    box = crop_box(picture.size, bucket)
    scaled = picture.resize(bucket, PIL.Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
    cells = bucket[0] // cell, bucket[1] // cell
    if shares is None:
        return np.asarray(scaled), np.full(cells[::-1], 255, np.uint8)
    return np.asarray(scaled), np.asarray(shares.resize(cells, PIL.Image.Resampling.BOX, box=box))


def _padded(picture: PIL.Image.Image, bucket: Size, background: int | tuple[int, ...]) -> PIL.Image.Image:
    """Center the picture on the smallest canvas of the bucket's aspect that contains it."""
    scale = max(picture.width / bucket[0], picture.height / bucket[1])
    size = max(picture.width, round(bucket[0] * scale)), max(picture.height, round(bucket[1] * scale))
    canvas = PIL.Image.new(picture.mode, size, background)
    canvas.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    return canvas
