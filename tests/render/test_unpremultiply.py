"""Un-premultiplying on the CPU, for every pair of color and alpha."""

from __future__ import annotations

import numpy as np

from vrm_synth.render.gl.unpremultiply import unpremultiply


def test_every_colour_under_every_alpha():
    alpha, color = np.meshgrid(np.arange(256), np.arange(256), indexing="ij")
    premultiplied = np.stack([color, 255 - color, color // 2, alpha], -1).astype(np.uint8)
    expected = premultiplied.astype(float)
    half = (alpha > 0) & (alpha < 255)
    exact = expected[..., :3] * 255 / np.maximum(alpha, 1)[..., None]
    expected[half, :3] = np.minimum(np.floor(exact + 0.5), 255)[half]
    out = unpremultiply(premultiplied)
    np.testing.assert_array_equal(out, expected.astype(np.uint8))
    assert out is premultiplied
