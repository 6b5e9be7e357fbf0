"""Expressions: binary, overrides, morphs, colours and texture transforms, in numbers worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.pose.builders import avatar, node
from vrm_synth.core.errors import ShotError
from vrm_synth.gltf.model import Material, Mesh, MToon, Primitive, TextureInfo
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.expressions import effective_weights
from vrm_synth.vrm.avatar import Avatar, Expression, MaterialColorBind, MorphTargetBind, TextureTransformBind


def faces(**expressions: dict[str, Any]) -> dict[str, Expression]:
    return {name: Expression(name, True, **fields) for name, fields in expressions.items()}


def weights(expressions: dict[str, Expression], quirks: bool = False, **requested: float) -> dict[str, float]:
    return {n: w for n, w in effective_weights(expressions, requested, quirks).items() if w}


def test_binary_is_on_above_one_half() -> None:
    e = faces(happy={"is_binary": True})
    assert weights(e, happy=0.5) == {}
    assert weights(e, happy=0.500001) == {"happy": 1}


@pytest.mark.parametrize("mouth", ["aa", "ih", "ou", "ee", "oh"])
def test_override_mouth_blocks_or_blends_mouth_expressions(mouth: str) -> None:
    e = faces(happy={"override_mouth": "block"}, sad={"override_mouth": "blend"}, blink={}, **{mouth: {}})
    assert weights(e, **{mouth: 0.8}) == {mouth: 0.8}
    assert weights(e, happy=0.001, blink=0.5, **{mouth: 0.8}) == {"happy": 0.001, "blink": 0.5}
    assert weights(e, sad=0.25, **{mouth: 0.8}) == pytest.approx({"sad": 0.25, mouth: 0.6})


@pytest.mark.parametrize(
    ("field", "members"),
    [
        ("override_blink", ("blink", "blinkLeft", "blinkRight")),
        ("override_look_at", ("lookUp", "lookDown", "lookLeft", "lookRight")),
    ],
)
def test_override_blink_and_look_at_act_on_their_groups(field: str, members: tuple[str, ...]) -> None:
    e = faces(angry={field: "block"}, aa={}, wink={}, **{m: {} for m in members})
    requested = dict.fromkeys((*members, "aa", "wink"), 0.5)
    assert weights(e, angry=1.0, **requested) == {"angry": 1.0, "aa": 0.5, "wink": 0.5}


def test_blending_overrides_add_up_to_one_at_most() -> None:
    e = faces(happy={"override_blink": "blend"}, sad={"override_blink": "blend"}, blink={})
    assert weights(e, happy=0.3, sad=0.2, blink=0.8)["blink"] == pytest.approx(0.4)
    assert "blink" not in weights(e, happy=0.7, sad=0.7, blink=0.8)


def test_a_binary_overrider_counts_by_its_output() -> None:
    e = faces(happy={"is_binary": True, "override_blink": "blend"}, blink={})
    assert weights(e, happy=0.4, blink=0.8) == {"blink": 0.8}
    assert weights(e, happy=0.6, blink=0.8) == {"happy": 1}


def test_an_overridden_binary_is_off_altogether() -> None:
    e = faces(happy={"override_blink": "blend"}, blink={"is_binary": True})
    assert weights(e, happy=0.001, blink=1.0) == {"happy": 0.001}
    assert weights(e, blink=1.0) == {"blink": 1}


def test_an_override_on_its_own_group_counts_as_none_but_not_in_the_reference() -> None:
    e = faces(blink={"override_blink": "block"}, blinkLeft={})
    assert weights(e, blink=1.0, blinkLeft=0.5) == {"blink": 1.0, "blinkLeft": 0.5}
    assert weights(e, True, blink=1.0, blinkLeft=0.5) == {}


# ---------------------------------------------------------------- binds


def primitive(targets: int) -> Primitive:
    zeros = np.zeros((3, 3), np.float32)
    morphs = np.zeros((targets, 3, 3), np.float32)
    return Primitive(zeros, np.array([[0, 1, 2]], np.uint32), 0, morph_positions=morphs)


def morphing(expressions: dict[str, Expression], defaults: tuple[float, ...] = ()) -> Avatar:
    nodes = [node("hips", -1), node("face", 0, mesh=0), node("again", 0, mesh=0), node("plain", 0, mesh=1)]
    meshes = (Mesh("face", (primitive(3), primitive(3)), defaults), Mesh("plain", (primitive(0),)))
    return avatar(nodes, {"hips": 0}, meshes=meshes, expressions=expressions)


def test_morphs_add_up_over_expressions() -> None:
    happy = {"morph_target_binds": (MorphTargetBind(1, 0, 0.5), MorphTargetBind(1, 2, 1.0), MorphTargetBind(2, 1, 1))}
    aa = {"morph_target_binds": (MorphTargetBind(1, 0, 0.25),)}
    posed = evaluate(morphing(faces(happy=happy, aa=aa)), expressions={"happy": 0.5, "aa": 1.0})
    assert set(posed.morph_weights) == {1, 2}
    np.testing.assert_allclose(posed.morph_weights[1], (0.5, 0, 0.5))
    np.testing.assert_allclose(posed.morph_weights[2], (0, 0.5, 0))


def test_a_driven_morph_starts_at_zero_and_others_at_their_default() -> None:
    a = morphing(faces(happy={"morph_target_binds": (MorphTargetBind(1, 0, 1.0),)}), (0.7, 0.2))
    np.testing.assert_allclose(evaluate(a).morph_weights[1], (0, 0.2, 0))
    np.testing.assert_allclose(evaluate(a).morph_weights[2], (0.7, 0.2, 0))


def test_poses_do_not_affect_later_ones() -> None:
    a = morphing(faces(happy={"morph_target_binds": (MorphTargetBind(1, 0, 1.0),)}))
    before = evaluate(a).morph_weights[1].copy()
    evaluate(a, expressions={"happy": 1.0}).morph_weights[1][:] = 9
    np.testing.assert_array_equal(evaluate(a).morph_weights[1], before)


def test_binds_without_a_target_have_no_effect() -> None:
    nowhere = (MorphTargetBind(3, 0, 1.0), MorphTargetBind(0, 0, 1.0), MorphTargetBind(1, 3, 1.0))
    posed = evaluate(morphing(faces(happy={"morph_target_binds": nowhere})), expressions={"happy": 1.0})
    np.testing.assert_array_equal(posed.morph_weights[1], (0, 0, 0))


def colored(kind: str, *binds: MaterialColorBind, weight: float = 0.5) -> Material:
    toon = MToon(shade_color_factor=(0.2, 0.4, 0.6), matcap_factor=(1, 1, 1)) if kind == "mtoon" else None
    material = Material("m", kind, (0.8, 0.6, 0.4, 0.2), emissive_factor=(0.1, 0, 0), mtoon=toon)  # type: ignore[arg-type]
    other = Material("other")
    happy = {"happy": Expression("happy", True, material_color_binds=binds)}
    a = avatar([node("hips", -1)], {"hips": 0}, materials=(other, material), expressions=happy)
    posed = evaluate(a, expressions={"happy": weight})
    assert posed.materials[0] is other
    assert evaluate(a).materials is a.materials
    return posed.materials[1]


def test_color_moves_from_its_base_by_the_weight_alpha_included() -> None:
    for kind in ("mtoon", "unlit", "pbr"):
        m = colored(kind, MaterialColorBind(1, "color", (0, 1, 0.4, 1)), weight=0.25)
        assert m.base_color_factor == pytest.approx((0.6, 0.7, 0.4, 0.4))


def test_two_binds_of_one_color_each_count_from_the_base() -> None:
    m = colored("pbr", MaterialColorBind(1, "color", (0, 0.6, 0.4, 0.2)), MaterialColorBind(1, "color", (1, 1, 1, 1)))
    assert m.base_color_factor == pytest.approx((0.8 - 0.4 + 0.1, 0.6 + 0.2, 0.4 + 0.3, 0.2 + 0.4))


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("shadeColor", "shade_color_factor"),
        ("matcapColor", "matcap_factor"),
        ("rimColor", "parametric_rim_color_factor"),
        ("outlineColor", "outline_color_factor"),
    ],
)
def test_mtoon_colors_belong_to_mtoon(kind: str, field: str) -> None:
    bind = MaterialColorBind(1, kind, (0.5, 0.25, 1.0, 0.0))
    toon = colored("mtoon", bind, weight=1.0).mtoon
    assert toon is not None and getattr(toon, field) == pytest.approx((0.5, 0.25, 1.0))
    for other in ("pbr", "unlit"):
        assert colored(other, bind) == colored(other)


def test_emission_binds_act_on_lit_materials_and_not_on_unlit() -> None:
    bind = MaterialColorBind(1, "emissionColor", (1, 1, 0, 0.5))
    assert colored("mtoon", bind).emissive_factor == pytest.approx((0.55, 0.5, 0))
    assert colored("pbr", bind).emissive_factor == pytest.approx((0.55, 0.5, 0))
    assert colored("unlit", bind) == colored("unlit")


def test_texture_transforms_move_every_texture_but_the_matcap() -> None:
    info = TextureInfo(0, 1, (0.5, 0.25), 0.3, (2.0, 1.0))
    toon = MToon(shade_multiply_texture=info, matcap_texture=info, shading_shift_texture=info)
    material = Material("m", "mtoon", base_color_texture=info, emissive_texture=info, mtoon=toon)
    moves = (TextureTransformBind(0, (0.0, 0.75), (1.0, 3.0)),)
    e = {"happy": Expression("happy", True, texture_transform_binds=moves)}
    posed = evaluate(
        avatar([node("hips", -1)], {"hips": 0}, materials=(material,), expressions=e), expressions={"happy": 0.5}
    )
    moved = TextureInfo(0, 1, (0.25, 0.5), 0.3, (1.5, 2.0))
    got = posed.materials[0]
    assert got.base_color_texture == got.emissive_texture == moved
    assert got.mtoon is not None and got.mtoon.matcap_texture == info
    assert got.mtoon.shade_multiply_texture == got.mtoon.shading_shift_texture == moved
    assert got.normal_texture is None


def test_a_missing_expression_is_a_warning() -> None:
    posed = evaluate(morphing(faces(happy={})), expressions={"surprised": 1.0, "happy": 0.5})
    assert posed.warnings == ("not in this avatar: expression:surprised",)
    assert posed.expressions == {"happy": 0.5}


@pytest.mark.parametrize("weight", [-0.01, 1.01, math.nan, math.inf, "1", None, True])
def test_weights_outside_zero_to_one_are_refused(weight: Any) -> None:
    for name in ("happy", "absent"):
        with pytest.raises(ShotError, match=f"{name}: bad expression weight"):
            evaluate(morphing(faces(happy={})), expressions={name: weight})
