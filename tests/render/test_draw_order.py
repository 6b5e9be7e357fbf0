"""Draw order: opaque and masked before blended, outlines after their surfaces."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vrm_synth.gltf.model import Material, MToon
from vrm_synth.render.gl.draw_order import draw_order, render_order

OUTLINED = MToon(outline_width_mode="worldCoordinates", outline_width_factor=0.01)


def order(materials, ids, depths, outlines=True):
    return [(d.instance, d.kind) for d in draw_order(materials, ids, np.array(depths, float), outlines)]


def test_opaque_and_mask_come_before_blend():
    kinds = [Material(alpha_mode=m) for m in ("BLEND", "MASK", "OPAQUE")]
    assert order(kinds, [0, 1, 2], [1, 1, 1]) == [(1, "surface"), (2, "surface"), (0, "surface")]


def test_opaque_near_to_far_and_blend_far_to_near():
    opaque, blend = Material(), Material(alpha_mode="BLEND")
    assert [i for i, _ in order([opaque] * 3, [0] * 3, [3, 1, 2])] == [1, 2, 0]
    assert [i for i, _ in order([blend] * 3, [0] * 3, [3, 1, 2])] == [0, 2, 1]


def test_an_outline_follows_all_surfaces_of_its_opaque_material():
    m = Material(kind="mtoon", mtoon=OUTLINED)
    assert order([m, m], [0, 0], [1, 2]) == [(0, "surface"), (1, "surface"), (0, "outline"), (1, "outline")]


def test_an_outline_follows_its_own_blended_surface():
    m = Material(kind="mtoon", mtoon=OUTLINED, alpha_mode="BLEND")
    assert order([m, m], [0, 0], [1, 2]) == [(1, "surface"), (1, "outline"), (0, "surface"), (0, "outline")]


def test_z_write_comes_before_plain_blend_whatever_the_offsets():
    early = [render_order(Material(mtoon=MToon(True, n))) for n in range(10)]
    late = [render_order(Material(mtoon=MToon(False, n))) for n in range(-9, 1)]
    assert max(early) < min(late)


def test_no_outline_when_asked_or_when_it_has_no_width():
    assert order([Material(kind="mtoon", mtoon=OUTLINED)], [0], [1], outlines=False) == [(0, "surface")]
    assert order([Material(kind="mtoon", mtoon=MToon(outline_width_mode="worldCoordinates"))], [0], [1]) == [
        (0, "surface")
    ]


@given(st.lists(st.tuples(st.sampled_from(["OPAQUE", "MASK", "BLEND"]), st.booleans(), st.floats(-9, 9)), max_size=12))
def test_every_surface_is_drawn_exactly_once_and_before_its_outline(parts):
    materials = [Material(kind="mtoon", alpha_mode=a, mtoon=OUTLINED if o else MToon()) for a, o, _ in parts]
    drawn = order(materials, list(range(len(parts))), [d for *_, d in parts])
    surfaces = [i for i, kind in drawn if kind == "surface"]
    outlines = [i for i, kind in drawn if kind == "outline"]
    assert sorted(surfaces) == list(range(len(parts)))
    assert sorted(outlines) == [i for i, (_, o, _) in enumerate(parts) if o]
    assert all(drawn.index((i, "surface")) < drawn.index((i, "outline")) for i in outlines)
