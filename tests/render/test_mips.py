"""Mip chains: means in linear light, and their cache, which may fail but never return wrong levels."""

from __future__ import annotations

import numpy as np
import pytest

from vrm_synth.core.color import linear_from_srgb, srgb_from_linear
from vrm_synth.render.gl.mip_cache import MipCache, level_shapes
from vrm_synth.render.gl.mips import mip_chain


def noise(height, width):
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 4), dtype=np.uint8)


def plain_halving(pixels, srgb):
    """The mean of each four, in floats."""
    light = pixels / 255.0
    if srgb:
        light[..., :3] = linear_from_srgb(light[..., :3])
    h, w = pixels.shape[:2]
    mean = light.reshape(h // 2, 2, w // 2, 2, 4).mean((1, 3))
    if srgb:
        mean[..., :3] = srgb_from_linear(mean[..., :3])
    return mean * 255


@pytest.mark.parametrize("srgb", [True, False])
@pytest.mark.parametrize("size", [(64, 64), (128, 32), (6, 10)])
def test_each_texel_is_the_mean_of_four_in_linear_light(size, srgb):
    first = mip_chain(noise(*size), srgb)[0]
    assert np.abs(first - plain_halving(noise(*size), srgb)).max() < 0.6  # half a step, and 14 bits' rounding


@pytest.mark.parametrize("srgb", [True, False])
def test_lower_levels_do_not_drift(srgb):
    pixels = noise(64, 64)
    light = linear_from_srgb(pixels[..., :3] / 255.0) if srgb else pixels[..., :3] / 255.0
    mean = light.reshape(-1, 3).mean(0)
    expected = 255 * (srgb_from_linear(mean) if srgb else mean)
    assert np.abs(mip_chain(pixels, srgb)[-1][0, 0, :3] - expected).max() < 1.0


@pytest.mark.parametrize("size", [(7, 4), (1, 9), (5, 1), (33, 2), (1, 1), (640, 40)])
def test_odd_sides_get_every_level_and_flat_stays_flat(size):
    for value in (0, 1, 7, 128, 255):
        levels = mip_chain(np.full((*size, 4), value, np.uint8), True)
        assert [level.shape[:2] for level in levels] == level_shapes(*size)
        assert all((level == value).all() for level in levels)


def test_a_chain_is_cached_and_read_again(tmp_path):
    pixels, calls = noise(64, 32), []

    def make():
        calls.append(1)
        return mip_chain(pixels, True)

    cache = MipCache(tmp_path / "new" / "mips")
    for _ in range(3):
        for cached, level in zip(cache.chain("one", (64, 32), make), mip_chain(pixels, True), strict=True):
            np.testing.assert_array_equal(cached, level)
    assert len(calls) == 1


@pytest.mark.parametrize("damage", ["flip", "cut", "grow", "empty", "other size"])
def test_a_damaged_cache_file_is_replaced(tmp_path, damage):
    cache, right = MipCache(tmp_path), mip_chain(noise(32, 32), True)
    cache.chain("one", (32, 32), lambda: right)
    (file,) = tmp_path.iterdir()
    data = bytearray(file.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
    file.write_bytes({"cut": data[:-1], "grow": data + b"x", "empty": b""}.get(damage, data))
    size = (16, 64) if damage == "other size" else (32, 32)
    chain = cache.chain("one", size, lambda: mip_chain(noise(*size), True))
    for level, expected in zip(chain, mip_chain(noise(*size), True), strict=True):
        np.testing.assert_array_equal(level, expected)


def test_an_unwritable_cache_folder_is_ignored(tmp_path):
    (tmp_path / "file").write_text("in the way")
    chain = MipCache(tmp_path / "file" / "mips").chain("one", (4, 4), lambda: mip_chain(noise(4, 4), False))
    assert len(chain) == 2


def test_the_least_recently_used_chains_are_evicted(tmp_path):
    import os

    size = 4 * sum(h * w for h, w in level_shapes(16, 16)) + 12
    cache = MipCache(tmp_path, max_bytes=2 * size)
    for n, name in enumerate("abc"):
        cache.chain(name, (16, 16), lambda: mip_chain(noise(16, 16), True))
        if name == "b":
            for k, file in enumerate(sorted(tmp_path.iterdir())):  # a was used after b
                os.utime(file, (100 - k, 100 - k))
        assert len(list(tmp_path.iterdir())) == min(n + 1, 2)
    assert sorted(f.stem for f in tmp_path.iterdir()) == ["a", "c"]
