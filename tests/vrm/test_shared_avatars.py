"""The shared avatars, as their README describes them and as the reference renderer sees them."""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.corpus import CORPUS, avatar_files, needs_corpus
from tests.vrm.test_fuzz import sound
from vrm_synth.vrm import Avatar, load
from vrm_synth.vrm.humanoid import rest_world_matrix
from vrm_synth.vrm.report import avatar_report, format_report

pytestmark = [needs_corpus, pytest.mark.corpus]

NAMES = [p.stem for p in avatar_files()]
CASES = sorted((CORPUS / "reference" / "cases").glob("*__t_front.json")) if CORPUS else []

VPL, VROID = "VRM Public License 1.0 (avatarPermission=everyone; ", "https://hub.vroid.com/license?allowed_to_use_user="
# README's table: version, triangles, materials by kind, what the name of the file's own license begins with.
FACTS: dict[str, tuple[str, int, dict[str, int], str]] = {
    "crimsom": ("0", 3776, {"mtoon": 1}, "CC0"),
    "bizdude": ("0", 5315, {"mtoon": 1}, "CC0"),
    "zombie": ("0", 5705, {"mtoon": 1}, "CC0"),
    "cool_banana": ("0", 4004, {"mtoon": 1}, "CC0"),
    "robot": ("0", 2656, {"pbr": 1}, "CC0"),
    "boombox7": ("0", 18420, {"pbr": 5}, "CC0"),
    "boombox_export4": ("0", 18332, {"pbr": 3}, "Redistribution_Prohibited"),
    "skinnie4": ("0", 16044, {"pbr": 1}, "Redistribution_Prohibited"),
    "emission_migration": ("0", 4608, {"unlit": 2, "pbr": 2, "mtoon": 2}, "CC0"),
    "sphere": ("0", 960, {"pbr": 1}, "CC0"),
    "addon_mtoon1_vrm0": ("0", 4, {"mtoon": 4}, "CC0"),
    "addon_armature_transform": ("0", 70, {"pbr": 3}, "CC0"),
    "addon_shapekey_vrm0": ("0", 1, {"pbr": 1}, "CC0"),
    "v1_debug_robot": ("1", 36, {"unlit": 3}, VPL),
    "v1_samplebot": ("1", 6576, {"pbr": 5}, VPL),
    "v1_isbinary_overridden": ("1", 8, {"pbr": 4}, VPL),
    "v1_uv_animation": ("1", 6, {"mtoon": 3}, VPL),
    "v1_springbone_extended": ("1", 2400, {"mtoon": 1}, VPL),
    "v1_mtoon_default": ("1", 2304, {"mtoon": 1}, VPL),
    "m_expressive": ("0", 9006, {"mtoon": 1, "unlit": 1}, VROID),
}


def path(name: str) -> Path:
    assert CORPUS is not None
    return CORPUS / "avatars" / f"{name}.vrm"


@functools.cache
def avatar(name: str) -> Avatar:
    return load(path(name))


def test_every_avatar_of_the_table_exists() -> None:
    assert set(NAMES) >= set(FACTS)


@pytest.mark.parametrize("name", NAMES)
def test_every_shared_avatar_loads_soundly(name: str) -> None:
    a = load(path(name))
    sound(a)
    assert a.source == str(path(name))
    assert a.sha256 == hashlib.sha256(path(name).read_bytes()).hexdigest()
    assert json.loads(json.dumps(avatar_report(a), allow_nan=False))["counts"]["triangles"] == a.triangle_count
    assert name in format_report(avatar_report(a))


@pytest.mark.parametrize("name", sorted(FACTS))
def test_facts_match_the_readme_of_the_corpus(name: str) -> None:
    version, triangles, kinds, license = FACTS[name]
    a = avatar(name)
    assert a.vrm_version == version
    assert sum(len(p.indices) for m in a.meshes for p in m.primitives) == triangles
    assert Counter(m.kind for m in a.materials) == kinds
    assert a.meta.license.name.startswith(license)
    assert a.meta.license.is_cc0 == (license == "CC0")


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.stem)
def test_bones_and_expressions_are_the_references(case: Path) -> None:
    reference: dict[str, Any] = json.loads(case.read_text())
    a = avatar(case.stem.split("__")[0])
    assert a.vrm_version == reference["vrm_version"]
    assert set(a.expressions) == set(reference["expressions"])
    assert set(a.humanoid) == set(reference["bones"])
    for bone, position in reference["bones"].items():
        at_rest = rest_world_matrix(a.nodes, a.humanoid[bone])[:3, 3]
        np.testing.assert_allclose(at_rest, position, rtol=0, atol=1e-4, err_msg=bone)
    assert (a.look_at.type if a.look_at else None) == (reference["look_at"] or {}).get("type")


@pytest.mark.parametrize("name", sorted(FACTS))
def test_only_vrm0_files_are_turned(name: str) -> None:
    a = avatar(name)
    assert a.nodes[-1].name.startswith("half turn") == (a.vrm_version == "0")
    arm, hips = (rest_world_matrix(a.nodes, a.humanoid[bone])[0, 3] for bone in ("leftLowerArm", "hips"))
    assert arm > hips


def test_m_expressive_is_read_as_described() -> None:
    a = avatar("m_expressive")
    bound = {n for n, e in a.expressions.items() if e.is_bound}
    assert len(bound) == 16 and "neutral" not in bound
    assert len(a.springs) == 9 and [c.shape for c in a.colliders] == ["sphere"] * 4
    assert a.springs[0].colliders == (0, 1, 2, 3)
    assert a.look_at is not None and a.look_at.type == "expression"
    assert a.look_at.offset_from_head_bone == pytest.approx((0, 0.0191129446, -0.155601472))
    assert a.meta.thumbnail is not None and a.images[a.meta.thumbnail] is None
    assert Counter(a.first_person.values()) == {"thirdPersonOnly": 10, "both": 5}


def test_an_inside_capsule_without_a_basic_shape_is_read() -> None:
    a = avatar("v1_springbone_extended")
    assert [c.shape for c in a.colliders] == ["insideCapsule"]
    assert len(a.springs) == 1 and a.springs[0].colliders == (0,)
    assert all(j.tail is not None for j in a.springs[0].joints)


def test_materials_of_the_addon_chart_are_the_references() -> None:
    """Figures of three-vrm's own migration, but for emission, which stays linear here."""
    opaque, cutout, transparent, z_write = avatar("addon_mtoon1_vrm0").materials
    m = opaque.mtoon
    assert m is not None and opaque.base_color_texture is not None and m.matcap_texture is not None
    assert opaque.base_color_factor == pytest.approx((0.25, 0, 0, 0.5))
    assert opaque.emissive_factor == pytest.approx((0, 0, 1.25))
    assert opaque.normal_scale == pytest.approx(0.8)
    assert opaque.base_color_texture.offset == (-0.125, -0.125) and opaque.base_color_texture.scale == (1.5, 1.0)
    assert m.matcap_texture.scale == (1.0, 1.0)
    assert m.shade_color_factor == pytest.approx((1, 0.5, 1))
    assert (m.shading_shift_factor, m.shading_toony_factor) == pytest.approx((-0.5, 1.0))
    assert m.gi_equalization_factor == pytest.approx(0.125)
    assert (m.outline_width_mode, m.outline_width_factor) == ("worldCoordinates", pytest.approx(0.0625))
    assert (m.uv_animation_scroll_x_speed_factor, m.uv_animation_scroll_y_speed_factor) == (0.125, -0.125)
    assert [x.alpha_mode for x in (opaque, cutout, transparent, z_write)] == ["BLEND"] * 4
    assert [x.mtoon and x.mtoon.transparent_with_z_write for x in (opaque, cutout, transparent, z_write)] == [
        True,
        True,
        False,
        True,
    ]
    assert any("keywords win" in o for o in avatar("addon_mtoon1_vrm0").oddities)
