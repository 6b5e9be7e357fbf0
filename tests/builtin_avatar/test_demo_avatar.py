"""The built-in avatar: every attribute works, both VRM versions state the same, and its geometry is sound."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from vrm_synth.builtin_avatar import DemoParams, allowed_values, build_glb, facts, variant
from vrm_synth.builtin_avatar.params import ACCESSORIES, HAIR_STYLES, OUTFITS
from vrm_synth.builtin_avatar.write_vrm0 import shading_to_v0
from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.model import Primitive
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.vrm import load_bytes
from vrm_synth.vrm.avatar import Avatar

PRESETS = {
    "happy", "angry", "sad", "relaxed", "surprised", "aa", "ih", "ou", "ee", "oh", "blink", "blinkLeft", "blinkRight",
    "lookUp", "lookDown", "lookLeft", "lookRight", "neutral",
}  # fmt: skip


@cache
def glb(params: DemoParams = DemoParams(), vrm: str = "1") -> bytes:  # noqa: B008 (frozen)
    return build_glb(params, "0" if vrm == "0" else "1")


@cache
def avatar(params: DemoParams = DemoParams(), vrm: str = "1") -> Avatar:  # noqa: B008 (frozen)
    return load_bytes(glb(params, vrm), f"demo.{vrm}")


def primitives(a: Avatar) -> list[tuple[str, Primitive]]:
    return [(m.name, p) for m in a.meshes for p in m.primitives]


def json_of(data: bytes) -> dict[str, object]:
    length = int.from_bytes(data[12:16], "little")
    return json.loads(data[20 : 20 + length])  # type: ignore[no-any-return]


@pytest.mark.parametrize("vrm", ["0", "1"])
def test_loads_without_oddities_and_is_cc0(vrm: str) -> None:
    a = avatar(vrm=vrm)
    assert a.vrm_version == vrm
    assert a.oddities == ()
    assert a.meta.license.is_cc0
    assert a.meta.name == "Mio"
    assert a.meta.raw["extras"]["vrm_synth_facts"] == facts(DemoParams())
    assert json_of(glb(vrm=vrm))["asset"]["extras"]["vrm_synth_facts"] == facts(DemoParams())  # type: ignore[index]
    assert a.meta.thumbnail is not None
    assert len(glb(vrm=vrm)) <= 5_000_000


@pytest.mark.parametrize("vrm", ["0", "1"])
def test_it_has_every_bone_but_the_jaw(vrm: str) -> None:
    a = avatar(vrm=vrm)
    assert set(a.humanoid) == set(BONE_NAMES) - {"jaw"}
    names = {b: a.nodes[n].name for b, n in a.humanoid.items()}
    assert all(b == n for b, n in names.items())


@pytest.mark.parametrize("vrm", ["0", "1"])
def test_all_presets_change_the_picture(vrm: str) -> None:
    a = avatar(vrm=vrm)
    assert set(a.expressions) == PRESETS
    for name, e in a.expressions.items():
        moved = 0.0
        for bind in e.morph_target_binds:
            mesh = a.meshes[a.nodes[bind.node].mesh or 0]
            moved += max(float(np.abs(p.morph_positions[bind.index]).max()) for p in mesh.primitives)
        assert moved > 0.001, name
    assert {e.name for e in a.expressions.values() if e.material_color_binds} == {"happy", "relaxed", "angry"}
    assert {e.name for e in a.expressions.values() if e.texture_transform_binds} == {"surprised"}


def test_overrides_stop_a_blink_of_closed_eyes() -> None:
    e = avatar().expressions
    assert (e["happy"].override_blink, e["happy"].override_look_at, e["happy"].override_mouth) == ("block",) * 2 + (
        "blend",
    )
    assert e["relaxed"].override_blink == "blend"
    assert e["surprised"].override_mouth == "block"


def test_blink_closes_the_eyes() -> None:
    """With both lids down, no skin rim is left above the iris' middle inside the opening."""
    a = avatar()
    face = next(m for m in a.meshes if m.name == "Face")
    left = face.target_names.index("blinkLeft")
    right = face.target_names.index("blinkRight")
    skin = next(p for p in face.primitives if a.materials[p.material].name == "Face")
    eye = a.humanoid["leftEye"]
    assert a.nodes[eye].name == "leftEye"
    moved_l = np.abs(skin.morph_positions[left]).max(1) > 1e-6
    moved_r = np.abs(skin.morph_positions[right]).max(1) > 1e-6
    assert np.all(skin.positions[moved_l, 0] > 0)
    assert np.all(skin.positions[moved_r, 0] < 0)
    assert -skin.morph_positions[left][:, 1].min() > 0.02  # the upper lid travels over two centimeters


def test_it_has_springs_colliders_and_constraints() -> None:
    a = avatar()
    kinds = {s.name.rstrip("LRM0123456789") for s in a.springs}
    assert kinds == {"hairFront", "hairSide", "hairBack", "skirt"}
    assert all(s.colliders and all(j.tail is not None for j in s.joints) for s in a.springs)
    assert {c.shape for c in a.colliders} == {"sphere", "capsule"}
    assert {c.kind for c in a.constraints} == {"roll", "rotation"}
    old = avatar(vrm="0")
    assert {c.shape for c in old.colliders} == {"sphere"}
    assert old.constraints == ()
    assert [s.name for s in old.springs] == [s.name for s in a.springs]


def test_its_materials_cover_rare_mtoon_features() -> None:
    a = avatar()
    toon = [m.mtoon for m in a.materials if m.mtoon]
    assert {m.alpha_mode for m in a.materials} == {"OPAQUE", "MASK", "BLEND"}
    assert {m.kind for m in a.materials} == {"mtoon", "unlit"}
    assert {t.outline_width_mode for t in toon} == {"none", "worldCoordinates", "screenCoordinates"}
    for texture in (
        "matcap_texture",
        "rim_multiply_texture",
        "shading_shift_texture",
        "outline_width_multiply_texture",
    ):
        assert any(getattr(t, texture) for t in toon), texture
    assert any(m.double_sided for m in a.materials)
    assert any(i.scale != (1.0, 1.0) for m in a.materials for i in m.texture_infos().values())
    assert a.look_at is not None and a.look_at.type == "bone"
    assert set(a.first_person.values()) == {"both", "auto", "thirdPersonOnly"}


def _of_material(a: Avatar, name: str) -> Primitive:
    return next(p for _, p in primitives(a) if a.materials[p.material].name == name)


@pytest.mark.parametrize("outfit", ["sailor", "dress"])
def test_shorts_are_worn_under_a_skirt(outfit: str) -> None:
    a = avatar(replace(DemoParams(), outfit=outfit))
    shorts, skirt, skin = (_of_material(a, n).positions for n in ("Dark", "Skirt", "Skin"))
    knee, hip = (a.nodes[a.humanoid[b]] for b in ("leftLowerLeg", "leftUpperLeg"))
    thigh = -knee.translation[1]
    top = a.nodes[a.humanoid["hips"]].translation[1] + hip.translation[1]
    assert 0.35 * thigh < top - shorts[:, 1].min() < 0.55 * thigh  # down to the middle of the thigh
    assert skirt[:, 1].min() < shorts[:, 1].min() - 0.03  # and hidden by the skirt of someone who stands
    body = skin[np.abs(skin[:, 0]) < 0.15]
    bare = body[(body[:, 1] > shorts[:, 1].min() + 0.05) & (body[:, 1] < top + 0.1)]
    assert len(bare) == 0  # no skin inside them that could show through


@pytest.mark.parametrize("outfit", ["sailor", "dress"])
def test_a_sitters_skirt_lies_on_the_thighs(outfit: str) -> None:
    a = avatar(replace(DemoParams(), outfit=outfit))
    bent = (-float(np.sin(np.pi / 4)), 0.0, 0.0, float(np.cos(np.pi / 4)))
    posed = evaluate(a, bones={"leftUpperLeg": bent, "rightUpperLeg": bent})
    drawn = {a.materials[p.material].name: (p, x) for _, p, x, _ in posed_primitives(posed)}
    rest, (_, now) = drawn["Skirt"][0].positions, drawn["Skirt"]
    hip = posed.bone_positions()["leftUpperLeg"]
    hem = rest[:, 1] < rest[:, 1].min() + 0.005
    ahead = hem & (rest[:, 2] > 0.08) & (np.abs(rest[:, 0]) > 0.05)
    assert now[ahead, 1].min() > hip[1] + 0.05 and now[ahead, 2].min() > 0.15
    length = hip[1] - rest[:, 1].min()
    behind = hem & (rest[:, 2] < -0.08)
    assert now[behind, 1].mean() > rest[behind, 1].mean() + 0.15 * length  # comes along, does not just hang


@pytest.mark.parametrize(("mood", "sign"), [("browSad", 1.0), ("browAngry", -1.0)])
def test_brows_tilt_with_the_mood(mood: str, sign: float) -> None:
    a = avatar()
    face = next(m for m in a.meshes if m.name == "Face")
    paint = next(p for p in face.primitives if a.materials[p.material].name == "Paint")
    shift = paint.morph_positions[face.target_names.index(mood)]
    brow = np.abs(shift).max(1) > 0
    x = np.abs(paint.positions[brow, 0])
    inner, outer = (shift[brow, 1][side].mean() for side in (x < np.quantile(x, 0.2), x > np.quantile(x, 0.8)))
    assert sign * (inner - outer) > 0.009  # meters, on brows 4 cm long


@pytest.mark.parametrize("k", range(len(HAIR_STYLES)))
def test_geometry_is_sound(k: int) -> None:
    chosen = {"hair_style": HAIR_STYLES[k], "outfit": OUTFITS[(k + 2) % 3], "accessory": ACCESSORIES[k % 4]}
    a = avatar(replace(DemoParams(), **chosen))  # type: ignore[arg-type]
    assert 25_000 <= a.triangle_count <= 35_000
    for name, p in primitives(a):
        where = (name, a.materials[p.material].name)
        assert p.normals is not None and p.weights is not None and p.joints is not None
        for array in (p.positions, p.normals, p.tex_coords[0], p.weights, p.morph_positions):
            assert np.isfinite(array).all(), where
        assert np.abs(np.linalg.norm(p.normals, axis=1) - 1).max() < 1e-4, where
        assert np.abs(p.weights.sum(1) - 1).max() < 1e-5, where
        assert p.weights.min() >= 0, where
        assert p.joints[p.weights > 0].max() < len(a.skins[0].joints), where
        assert p.indices.max() < len(p.positions), where


def test_normals_look_outward() -> None:
    """A triangle's own normal and its vertices' agree: nothing is inside out."""
    a = avatar()
    for _, p in primitives(a):
        name = a.materials[p.material].name
        if name in ("Paint", "Hair"):  # the mouth's inside, and locks whose normals follow the skull
            continue
        q = p.positions[p.indices].astype(np.float64)
        face = np.cross(q[:, 1] - q[:, 0], q[:, 2] - q[:, 0])
        agree = np.einsum("ij,ij->i", face, p.normals[p.indices].mean(1)) > 0  # type: ignore[index]
        area = np.linalg.norm(face, axis=1)
        assert area[agree].sum() / area.sum() > 0.97, name


@pytest.mark.parametrize("vrm", ["0", "1"])
def test_same_parameters_same_bytes(vrm: str) -> None:
    assert build_glb(DemoParams(), "0" if vrm == "0" else "1") == glb(vrm=vrm)


def test_both_vrm_versions_state_the_same() -> None:
    """Geometry, skin, materials, expressions and gaze are the same after loading either format."""
    new, old = avatar(vrm="1"), avatar(vrm="0")
    half_turn = np.array([-1, 1, -1])
    for (name, p), (_, q) in zip(primitives(new), primitives(old), strict=True):
        assert np.array_equal(p.positions, q.positions * half_turn), name
        assert np.array_equal(p.indices, q.indices)
        assert np.array_equal(p.joints, q.joints) and np.array_equal(p.weights, q.weights)  # type: ignore[arg-type]
        assert np.array_equal(p.morph_positions, q.morph_positions * half_turn)
        assert np.array_equal(p.tex_coords[0], q.tex_coords[0])
    for m, n in zip(new.materials, old.materials, strict=True):
        assert (m.name, m.kind, m.alpha_mode, m.double_sided) == (n.name, n.kind, n.alpha_mode, n.double_sided)
        assert np.allclose(m.base_color_factor, n.base_color_factor, atol=1e-6)
        expected = {k: v for k, v in m.texture_infos().items() if k != "shading_shift_texture"}
        assert n.texture_infos() == expected, m.name
        if m.mtoon is None or n.mtoon is None:
            continue
        for key, value in vars(m.mtoon).items():
            if key.startswith("shading_shift_texture") or value is None or isinstance(value, str | bool):
                continue
            if isinstance(value, int | float | tuple):
                assert np.allclose(value, getattr(n.mtoon, key), atol=1e-6), (m.name, key)
        assert m.mtoon.outline_width_mode == n.mtoon.outline_width_mode
    for name, e in new.expressions.items():
        assert e.morph_target_binds == old.expressions[name].morph_target_binds
        for t, u in zip(e.texture_transform_binds, old.expressions[name].texture_transform_binds, strict=True):
            assert np.allclose([*t.offset, *t.scale], [*u.offset, *u.scale])
        for c, d in zip(e.material_color_binds, old.expressions[name].material_color_binds, strict=True):
            assert (c.type, c.target) == (d.type, d.target)
    assert new.look_at is not None and old.look_at is not None
    # in the head node's own frame, which faces the other way in a 0.x file
    assert np.allclose(new.look_at.offset_from_head_bone, old.look_at.offset_from_head_bone * half_turn)


@pytest.mark.parametrize(("shift", "toony"), [(-0.05, 0.95), (-0.08, 0.95), (0.0, 0.9), (-0.3, 0.8)])
def test_mtoon0_shading_parameters_invert_the_conversion(shift: float, toony: float) -> None:
    s, t = shading_to_v0(shift, toony)
    back = t + (1 - t) * (0.5 + 0.5 * s)
    assert back == pytest.approx(toony)
    assert -s - (1 - back) == pytest.approx(shift)


def test_proportions_follow_the_parameters() -> None:
    """The skull, chin to crown, is 0.944 of the head; the rest of it is hair."""
    for height, heads in ((1.4, 5.2), (1.55, 6.0), (1.8, 7.0)):
        a = avatar(replace(DemoParams(), height=height, heads=heads, accessory="none"))
        points = np.concatenate([p.positions for _, p in primitives(a)])
        assert points[:, 1].min() == pytest.approx(0.0, abs=0.005)
        skin = next(p for n, p in primitives(a) if n == "Face" and a.materials[p.material].name == "Face")
        chin, crown = skin.positions[:, 1].min(), skin.positions[:, 1].max()
        assert crown - chin == pytest.approx(0.944 * height / heads, rel=0.01)
        assert crown == pytest.approx(height - 0.056 * height / heads, abs=0.003)


def test_members_of_the_family_differ() -> None:
    family = [variant(i) for i in range(24)]
    assert variant(0) == DemoParams()
    assert len({replace(p, name="x") for p in family}) == 24
    assert {p.hair_style for p in family} == set(HAIR_STYLES)
    assert {p.outfit for p in family} == set(OUTFITS)
    assert len({p.hair_color for p in family}) == 10
    assert [variant(i) for i in range(24)] == family
    assert glb(family[1]) != glb(family[2])


def test_attribute_settings_are_parsed() -> None:
    assert DemoParams.parse([]) == DemoParams()
    p = DemoParams.parse(["hair_color=#12Ab9f", "outfit=dress", "height=1.7"])
    assert (p.hair_color, p.outfit, p.height) == ("#12Ab9f", "dress", 1.7)
    assert facts(p)["outfit"] == "navy dress"
    assert set(allowed_values()) == set(vars(DemoParams()))


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [
        ("hair_style=mohawk", "bob"),
        ("hair_color=pnk", "#rrggbb"),
        ("eye_color=#12345", "#rrggbb"),
        ("outfit=", "sailor"),
        ("height=9", "1.9"),
        ("height=nan", "1.9"),
        ("heads=tall", "5.0"),
        ("color=red", "hair_color"),
        ("hair_style", "hair_style"),
        ("name=", "60"),
    ],
)
def test_unknown_settings_list_the_allowed_ones(setting: str, allowed: str) -> None:
    with pytest.raises(AvatarError) as e:
        DemoParams.parse([setting])
    assert allowed in str(e.value)
    assert "\n" not in str(e.value)


def test_bad_versions_and_variants_are_refused() -> None:
    with pytest.raises(AvatarError, match="version"):
        build_glb(DemoParams(), "2")  # type: ignore[arg-type]
    for bad in (-1, True, 1.5):
        with pytest.raises(AvatarError, match="variant"):
            variant(bad)  # type: ignore[arg-type]
