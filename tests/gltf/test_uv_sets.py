"""UV sets: materials are drawn with the sets that they read; missing sets are reported."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.gltf.test_meshes import attributes, edited, primitive
from tests.vrm.vrm_file import MESH_NODE, Doc, changed, vrm0
from vrm_synth.camera.camera import Camera
from vrm_synth.gltf.model import Material, MToon, TextureInfo
from vrm_synth.gltf.oddities import Oddities
from vrm_synth.gltf.uv_sets import UvSets, assign_uv_sets
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.render import View, open_backend
from vrm_synth.vrm import Avatar, load_bytes

PBR_SLOTS = (
    "base_color_texture",
    "metallic_roughness_texture",
    "normal_texture",
    "occlusion_texture",
    "emissive_texture",
)
TOON_SLOTS = (
    "shade_multiply_texture",
    "shading_shift_texture",
    "rim_multiply_texture",
    "outline_width_multiply_texture",
    "uv_animation_mask_texture",
)


def assigned(material: Material) -> tuple[Material, UvSets, list[str]]:
    oddities = Oddities()
    (m,), (sets,) = assign_uv_sets((material,), oddities)
    return m, sets, list(oddities.lines())


def sets_read(m: Material, sets: UvSets) -> dict[str, int]:
    """slot → the file's number of the set that it reads."""
    return {name: sets.kept[info.tex_coord] for name, info in m.texture_infos().items() if name != "matcap_texture"}


def test_the_first_four_sets_keep_their_numbers() -> None:
    m = Material(base_color_texture=TextureInfo(0, 3), emissive_texture=TextureInfo(0, 1))
    assert assigned(m) == (m, UvSets((0, 1, 2, 3), frozenset({1, 3})), [])
    assert assigned(Material()) == (Material(), UvSets(), [])


@pytest.mark.parametrize("slot", PBR_SLOTS)
def test_a_higher_set_is_kept_for_every_texture_of_a_pbr_material(slot: str) -> None:
    m, sets, reported = assigned(Material(**{slot: TextureInfo(0, 250)}))  # type: ignore[arg-type]
    assert sets_read(m, sets) == {slot: 250} and sets == UvSets((0, 250), frozenset({250})) and reported == []


@pytest.mark.parametrize("slot", TOON_SLOTS)
def test_a_higher_set_is_kept_for_every_texture_of_mtoon(slot: str) -> None:
    toon = MToon(matcap_texture=TextureInfo(0, 9), **{slot: TextureInfo(0, 5)})  # type: ignore[arg-type]
    m, sets, reported = assigned(Material(kind="mtoon", base_color_texture=TextureInfo(0, 2), mtoon=toon))
    assert sets_read(m, sets) == {"base_color_texture": 2, slot: 5} and reported == []
    assert sets.kept == (0, 2, 5)  # set 0 comes along: three-vrm's MToon reads nothing else
    assert m.mtoon is not None and m.mtoon.matcap_texture == TextureInfo(0, 0)  # by the normal, not by a UV


def test_four_high_sets_are_drawn_and_the_textures_of_a_fifth_are_reported() -> None:
    four = dict(zip(PBR_SLOTS, (TextureInfo(0, n) for n in (7, 5, 6, 4)), strict=False))
    m, sets, reported = assigned(Material(**four))  # type: ignore[arg-type]
    assert sets_read(m, sets) == {slot: info.tex_coord for slot, info in four.items()} and reported == []
    m, sets, reported = assigned(Material(**four, emissive_texture=TextureInfo(0, 8)))  # type: ignore[arg-type]
    assert m.emissive_texture is None and len(sets_read(m, sets)) == 4
    assert reported == [
        "materials[0] reads 5 UV sets, more than the 4 that are drawn; its textures of TEXCOORD_8 are left out"
    ]


def test_textures_that_unlit_ignores_need_no_uv_set() -> None:
    _, sets, reported = assigned(
        Material(kind="unlit", base_color_texture=TextureInfo(0, 1), normal_texture=TextureInfo(0, 9))
    )
    assert sets == UvSets(used=frozenset({1})) and reported == []


# ---------------------------------------------------------------- in a file

RED, BLUE = [[0.25, 0.5]] * 4, [[0.75, 0.5]] * 4


def with_sets(sets: dict[int, Any], material: dict[str, Any]) -> Avatar:
    """The quad with those UV sets and one material."""

    def change(doc: Doc, add: Any) -> None:
        del attributes(doc)["TEXCOORD_0"]
        for n, uv in sets.items():
            attributes(doc)[f"TEXCOORD_{n}"] = add(uv, "<f4", "VEC2", 5126)
        doc["materials"][0] = material
        doc["extensions"]["VRMC_vrm"].pop("expressions")

    return edited(change)


def unlit(**info: Any) -> dict[str, Any]:
    base = {"index": 0, **info}
    return {"pbrMetallicRoughness": {"baseColorTexture": base}, "extensions": {"KHR_materials_unlit": {}}}


@pytest.mark.parametrize("n", [0, 1, 3, 4, 7, 8, 255])
@pytest.mark.parametrize("by", ["textureInfo", "KHR_texture_transform"])
def test_a_uv_set_of_any_number_is_read(n: int, by: str) -> None:
    override = {"texCoord": 2, "extensions": {"KHR_texture_transform": {"texCoord": n}}}
    a = with_sets({0: RED, 2: RED} | {n: BLUE}, unlit(**({"texCoord": n} if by == "textureInfo" else override)))
    info = a.materials[0].base_color_texture
    assert info is not None and a.oddities == ()
    np.testing.assert_array_equal(primitive(a).tex_coords[info.tex_coord], BLUE)


def test_unread_uv_sets_beyond_the_fourth_are_not_checked() -> None:
    a = with_sets({0: RED, 9: [[np.nan, 0]] * 4}, unlit())
    assert len(primitive(a).tex_coords) == 1 and a.oddities == ()


@pytest.mark.parametrize("n", [1, 3, 5])
def test_a_missing_uv_set_is_reported(n: int) -> None:
    a = with_sets({0: BLUE}, unlit(texCoord=n))
    info = a.materials[0].base_color_texture
    assert info is not None
    np.testing.assert_array_equal(primitive(a).tex_coords[info.tex_coord], np.zeros((4, 2)))
    assert a.oddities == (f"meshes[0].primitives[0] has no TEXCOORD_{n}, which materials[0] reads; taken as zeros",)


def test_textures_without_any_set_are_reported() -> None:
    a = with_sets({}, unlit())
    assert primitive(a).tex_coords == ()
    assert a.oddities == ("meshes[0].primitives[0] has no UVs for the textures of materials[0]; it has none",)


def test_vrm_0x_reads_any_set_too() -> None:
    def change(doc: Doc) -> None:
        a = attributes(doc)
        a["TEXCOORD_6"] = a.pop("TEXCOORD_0")
        doc["materials"][0] = unlit(texCoord=6)
        doc["extensions"]["VRM"]["materialProperties"][0] = {"name": "skin", "shader": "VRM_USE_GLTFSHADER"}

    a = load_bytes(changed(change, vrm0), "x.vrm")
    info = a.materials[0].base_color_texture
    assert info is not None and primitive(a).tex_coords[info.tex_coord][0].tolist() == [0, 1]
    assert not any("TEXCOORD" in o for o in a.oddities) and MESH_NODE in a.drawn_nodes


@pytest.mark.parametrize("n", [3, 4, 6])
@pytest.mark.parametrize("name", ["gl", "pyrender"])
def test_renderers_draw_the_set_that_is_read(n: int, name: Any) -> None:
    if name == "pyrender" and importlib.util.find_spec("pyrender") is None:
        pytest.skip("the [pyrender] extra is not installed")
    corner, others = [[0.0, 0.0]] * 4, {k: [[0.9, 0.9]] * 4 for k in range(3)}
    ramp = np.zeros((4, 4, 4), np.uint8)
    ramp[..., 3] = 255
    ramp[:2, :2, 0] = 200  # red around the corner, black elsewhere
    a = with_sets(others | {n: corner}, {**unlit(texCoord=n), "doubleSided": True})
    image = a.images[0]
    assert image is not None
    sampler = replace(a.textures[0].sampler, mag_filter=9728, min_filter=9728)
    a = replace(a, images=(replace(image, pixels=ramp),), textures=(replace(a.textures[0], sampler=sampler),))
    points = posed_primitives(evaluate(a))[0][2]
    middle = tuple(map(float, (points.min(0) + points.max(0)) / 2))
    camera = Camera((middle[0], middle[1], middle[2] + 5), middle, ortho_height=float(np.ptp(points[:, 1])) * 1.5)
    renderer = open_backend(name)
    try:
        rgba = renderer.render(evaluate(a), View(camera, (16, 16), mipmaps=False)).rgba
    finally:
        renderer.close()
    assert rgba[8, 8].tolist() == [200, 0, 0, 255]
