"""Labels of the built-in family against its construction, by its names, by other names, and by none."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.parts.construction import construction, outfit_of, scrubbed
from tests.parts.rest_pictures import rest_pictures
from vrm_synth.builtin_avatar.generate import demo_avatar
from vrm_synth.builtin_avatar.params import variant
from vrm_synth.core.errors import RecipeError
from vrm_synth.parts import PART_IDS, PART_NAMES, PartLabels, PartOverrides, label_parts
from vrm_synth.parts.labeling import measured
from vrm_synth.parts.part_names import HAIR
from vrm_synth.vrm.avatar import Avatar

SIDE = 256
FAMILY = (0, 1, 4)  # one of each outfit, with different hair
VROID_NAMES = {
    "Skin": "N00_000_00_Body_00_SKIN (Instance)", "Face": "N00_000_00_Face_00_SKIN (Instance)",
    "EyeWhite": "N00_000_00_EyeWhite_00_EYE (Instance)", "Iris": "N00_000_00_EyeIris_00_EYE (Instance)",
    "EyeLight": "N00_000_00_EyeHighlight_00_EYE (Instance)", "Hair": "N00_000_Hair_00_HAIR_01 (Instance)",
    "Top": "N00_002_03_Tops_01_CLOTH (Instance)", "Skirt": "N00_001_01_Bottoms_01_CLOTH (Instance)",
    "Shoe": "N00_008_01_Shoes_01_CLOTH (Instance)", "Sole": "N00_008_02_Shoes_01_CLOTH (Instance)",
    "Sock": "靴下", "Dark": "ズボン", "Accent": "リボン",
}  # fmt: skip


@cache
def member(k: int = 0) -> Avatar:
    """A member of the built-in family, measured once for all tests."""
    return demo_avatar(variant(k))


def score(avatar: Avatar, labels: PartLabels, right: np.ndarray) -> tuple[float, float]:
    """(precision, share of all pixels that are right). right: (T, parts) bool."""
    label, triangle = [], []
    for picture in rest_pictures(avatar, SIDE):
        shown = picture.triangle >= 0
        label.append(labels.at(picture.triangle, picture.uv)[shown])
        triangle.append(picture.triangle[shown])
    labeled, own = np.concatenate(label), np.concatenate(triangle)
    good = right[own, labeled] & (labeled > 0)
    return float(good.sum() / (labeled > 0).sum()), float(good.mean())


def truth(avatar: Avatar) -> np.ndarray:
    return construction(avatar, measured(avatar)[0], outfit_of(avatar))


@pytest.mark.parametrize("k", FAMILY)
def test_the_family_by_its_names_is_as_it_was_built(k):
    avatar = member(k)
    precision, right = score(avatar, label_parts(avatar), truth(avatar))
    assert precision >= 0.999 and right >= 0.995


@pytest.mark.parametrize("k", FAMILY)
def test_the_family_without_any_name_is_right_where_it_has_labels(k):
    avatar = member(k)
    right = truth(avatar)
    right[np.ix_(right[:, list(HAIR)].any(1), list(HAIR))] = True  # which lock is a tail, names alone tell
    precision, all_right = score(avatar, label_parts(scrubbed(avatar)), right)
    assert precision >= 0.99 and all_right >= 0.75


def test_vroid_names_do_as_well():
    avatar = member()
    renamed = replace(
        avatar,
        materials=tuple(replace(m, name=VROID_NAMES.get(m.name, m.name)) for m in avatar.materials),
        textures=tuple(replace(t, name="") for t in avatar.textures),
        images=tuple(i and replace(i, name="") for i in avatar.images),
    )
    precision, right = score(avatar, label_parts(renamed), truth(avatar))
    assert precision >= 0.999 and right >= 0.995


def test_labels_are_found_once():
    avatar = member()
    assert label_parts(avatar) is label_parts(avatar)
    assert label_parts(avatar, sources=("names",)) is not label_parts(avatar)


def test_every_label_is_in_the_legend_and_the_background_has_none():
    avatar = member()
    labels = label_parts(avatar)
    assert len(labels.triangles) == avatar.triangle_count and labels.triangles.max() < len(PART_NAMES)
    nothing = labels.at(np.full((2, 3), -1, np.int32), np.zeros((2, 3, 2), np.float32))
    assert nothing.shape == (2, 3) and not nothing.any()


def test_evidence_adds_up():
    labels = label_parts(member())
    assert sum(e.share for e in labels.evidence) == pytest.approx(1.0)
    assert {"material name", "joint name", "place"} <= {e.why for e in labels.evidence}


# ---------------------------------------------------------------- overrides


def of_material(avatar: Avatar, labels: PartLabels, name: str) -> set[str]:
    d = measured(avatar)[0].triangles
    chosen = [avatar.materials[m].name == name for m in d.material_of]
    return {PART_NAMES[k] for k in np.unique(labels.triangles[chosen])}


def test_an_override_by_material_counts_before_its_name():
    avatar = member()
    labels = label_parts(avatar, PartOverrides(materials={"Top": "outer_garment", "Hair": "unknown", "Skin": "skin"}))
    assert of_material(avatar, labels, "Top") == {"outer_garment"}
    assert of_material(avatar, labels, "Hair") == {"unknown"}
    assert of_material(avatar, labels, "Skin") == {"face_skin", "body_skin"}


@pytest.mark.parametrize("key", ["materials", "textures", "nodes", "meshes"])
def test_an_override_of_what_the_avatar_lacks_is_an_error(key):
    with pytest.raises(RecipeError, match=f"among its {key}"):
        label_parts(member(), PartOverrides.model_validate({key: {"Tpo": "hat"}}))


def test_an_override_by_color_and_zone():
    avatar = member()
    surface, regions = measured(avatar)
    shoe = next(m for m in avatar.materials if m.name == "Shoe")
    pixels = regions.colors[avatar.materials.index(shoe)].pixels[0, 0]
    rule = {"color": "#{:02x}{:02x}{:02x}".format(*pixels.tolist()), "part": "gloves", "zones": ["foot"]}
    on_feet = PartOverrides.model_validate({"colors": [rule]})
    assert "gloves" in of_material(avatar, label_parts(avatar, on_feet), "Shoe")
    elsewhere = PartOverrides.model_validate({"colors": [rule | {"zones": ["hand"]}]})
    assert of_material(avatar, label_parts(avatar, elsewhere), "Shoe") == {"shoes"}
    assert surface.in_zone("foot").any()
    assert PART_IDS["gloves"] in label_parts(avatar, PartOverrides(nodes={"Hair": "gloves"})).triangles
