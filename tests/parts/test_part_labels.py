"""PartLabels: looked up by triangle, and by texel where a texture divides a triangle."""

from __future__ import annotations

import numpy as np
import pytest

from vrm_synth.builtin_avatar.generate import demo_avatar
from vrm_synth.gltf.model import TextureInfo
from vrm_synth.parts.part_labels import CODES, PartLabels
from vrm_synth.parts.part_names import PART_IDS
from vrm_synth.parts.parts_report import format_parts, part_pictures, parts_report
from vrm_synth.parts.texture_colors import TextureColors

HAIR, SHOES, HAT = (PART_IDS[n] for n in ("hair", "shoes", "hat"))


def halves() -> PartLabels:
    """Three triangles of one material: the second is hair on the left half of its texture and a hat on the right."""
    pixels = np.zeros((2, 4, 3), np.uint8)
    cluster = np.array([[0, 0, 1, 1], [0, 0, 1, 255]], np.uint8)
    return PartLabels(
        triangles=np.array([SHOES, HAIR, 0], np.uint8),
        refined=np.array([False, True, False]),
        codes=np.array([CODES + 0, CODES + 1]),
        code_parts=np.array([HAIR, HAT], np.uint8),
        material_of=np.zeros(3, np.int32),
        clusters={0: cluster},
        colors={0: TextureColors(pixels, np.ones((2, 4), bool), TextureInfo(0))},
        evidence=(),
    )


def test_texels_count_where_a_texture_divides_a_triangle():
    triangle = np.array([[0, 1, 1], [1, 2, -1]], np.int32)
    uv = np.array([[[0.9, 0.1], [0.1, 0.1], [0.9, 0.1]], [[0.9, 0.9], [0.1, 0.1], [np.nan, np.nan]]], np.float32)
    labels = halves().at(triangle, uv)
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[SHOES, HAIR, HAT], [0, 0, 0]]  # the last of the second triangle: of neither color


def test_without_uvs_whole_triangles_count():
    assert halves().at(np.array([0, 1, 2, -1], np.int32)).tolist() == [SHOES, HAIR, 0, 0]
    assert halves().at(np.zeros((0, 0), np.int32), np.zeros((0, 0, 2), np.float32)).shape == (0, 0)


def test_the_report_says_what_decided_and_no_control_character_reaches_a_terminal():
    rows = parts_report(halves())
    assert rows == [] and format_parts(rows) == ""
    rows = [{"part": "hat", "why": "node name", "subject": f"ha\x1b{k}", "share": 0.1} for k in range(6)]
    text = format_parts(rows)
    assert text.startswith("parts") and "60.0%  hat" in text and "and 2 more" in text and "\x1b" not in text


def test_pictures_of_front_back_and_head():
    pictures = part_pictures(demo_avatar(), None, 64)
    assert [title for title, _, _ in pictures] == ["parts, front", "parts, back", "parts, head"]
    assert all(p.shape == (64, 64, 3) and p.dtype == np.uint8 and (p != 255).any() for _, _, p in pictures)
    assert "hair" in pictures[1][1] and "iris" in pictures[2][1]


@pytest.mark.parametrize("uv", [np.float32(np.nan), np.float32(np.inf), np.float32(1e20)])
def test_uvs_that_are_no_place_on_the_texture_still_get_an_id_of_the_legend(uv):
    labels = halves().at(np.array([1], np.int32), np.array([[uv, uv]], np.float32))
    assert labels[0] in (0, HAIR, HAT)
