"""Near duplicates: changes that the hash tolerates, and completeness of the banded search."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from vrm_synth.dataset.verify import near_duplicates
from vrm_synth.dataset.verify.near_duplicates import NEAR, near_groups, near_pairs, perceptual_hash


@pytest.fixture(scope="module")
def pictures(gl) -> list[Image.Image]:
    """The built-in avatar in four poses before the same camera."""
    from vrm_synth.builtin_avatar.open_avatar import open_avatar
    from vrm_synth.dataset.render_shot import render_shot
    from vrm_synth.shot import preset_shot

    avatar = open_avatar("demo")
    shots = [
        preset_shot(avatar, "demo", p, "full_front_level", size=(128, 128))
        for p in ("stand", "wave", "sit_floor", "spin")
    ]
    return [Image.fromarray(render_shot(gl, avatar, s)[1].rgba) for s in shots]


def apart(a: Image.Image, b: Image.Image) -> int:
    return int(np.bitwise_count(perceptual_hash(a) ^ perceptual_hash(b)).sum())


def jpeg(picture: Image.Image) -> Image.Image:
    out = io.BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=80)
    return Image.open(out)


def test_a_reencoded_resized_or_brightened_picture_is_near_and_another_pose_is_not(pictures):
    for k, picture in enumerate(pictures):
        for same in (jpeg(picture), picture.resize((64, 64)), ImageEnhance.Brightness(picture).enhance(1.05)):
            assert apart(picture, same) <= NEAR
        assert all(apart(picture, other) > NEAR for other in pictures[:k])


def test_the_color_of_transparent_pixels_does_not_count():
    rgba = np.zeros((32, 32, 4), np.uint8)
    rgba[8:20, 8:24] = (200, 40, 40, 255)
    hidden = rgba.copy()
    hidden[..., :3] = np.where(rgba[..., 3:] == 0, np.arange(32, dtype=np.uint8)[:, None, None] * 7, rgba[..., :3])
    assert apart(Image.fromarray(rgba), Image.fromarray(hidden)) == 0


@pytest.mark.parametrize("many", [0, 1 << 40], ids=["two bands", "one band"])
@pytest.mark.parametrize("at_once", [7, 1 << 20])
def test_the_search_finds_what_comparing_all_pairs_finds(monkeypatch, many, at_once):
    monkeypatch.setattr(near_duplicates, "TWO_BANDS_FROM", many)
    monkeypatch.setattr(near_duplicates, "MAX_PAIRS", at_once)
    random = np.random.default_rng(3)
    hashes = random.integers(0, 256, (60, 4), dtype=np.uint8)
    steps = np.zeros((60, 32), np.uint8)
    for row in steps:  # a hash of each, some bits away
        row[random.permutation(32)[: random.integers(0, 9)]] = 1
    hashes = np.unique(np.concatenate([hashes, hashes ^ np.packbits(steps, axis=1)]), axis=0)
    for distance in (0, 1, 3, 6):
        a, b = np.triu_indices(len(hashes), 1)
        expected = {
            (int(x), int(y))
            for x, y in zip(a, b, strict=True)
            if np.bitwise_count(hashes[x] ^ hashes[y]).sum() <= distance
        }
        pairs = {
            (min(x, y), max(x, y))
            for p in near_pairs(hashes, distance)
            for x, y in zip(*map(np.ndarray.tolist, p), strict=True)
        }
        assert pairs == expected
        assert distance < 3 or expected


def test_groups_are_chains_and_equal_hashes_belong_together():
    rows = np.zeros((7, 32), np.uint8)
    rows[1, 0], rows[2, 0], rows[2, 1] = 0xFF, 0xFF, 0xFF  # 8 bits a step: 0 – 1 – 2
    rows[3] = rows[5] = 0xAA
    rows[4], rows[6] = 0x0F, 0x33
    assert near_groups(rows, 8) == [(0, 1, 2), (3, 5)]
    assert near_groups(rows, 7) == [(3, 5)]
    assert near_groups(rows[:0]) == [] and near_groups(rows[:1]) == []


def test_many_equal_pictures_are_compared_once():
    rows = np.tile(np.arange(32, dtype=np.uint8), (100_000, 1))
    assert [len(g) for g in near_groups(rows)] == [100_000]
