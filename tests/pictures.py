"""Writes a picture and its magnified difference to the expected one, to look at after a failure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write_difference(folder: Path, name: str, ours: np.ndarray, expected: np.ndarray) -> None:
    """Write `ours` as folder/name.png, and eight times its difference to `expected` as folder/name_difference_x8.png.

    Both (H, W, 4) uint8; a difference in alpha shows as grey.
    """
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ours).save(folder / f"{name}.png")
    difference = np.abs(ours.astype(int) - expected) * 8
    magnified = np.clip(difference[..., :3] + difference[..., 3:], 0, 255)
    Image.fromarray(magnified.astype(np.uint8)).save(folder / f"{name}_difference_x8.png")
