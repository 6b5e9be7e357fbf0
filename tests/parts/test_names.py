"""Names of materials, meshes and nodes, and the parts that they name."""

from __future__ import annotations

import pytest

from vrm_synth.parts.name_words import HINTS, JAPANESE, LATIN
from vrm_synth.parts.names import read_name
from vrm_synth.parts.part_names import PART_NAMES

VROID = {
    "N00_000_00_FaceMouth_00_FACE (Instance)": "mouth",
    "N00_000_00_EyeIris_00_EYE (Instance)": "iris",
    "N00_000_00_EyeHighlight_00_EYE (Instance)": "iris",
    "N00_000_00_EyeWhite_00_EYE (Instance)": "eye_white",
    "N00_000_00_FaceBrow_00_FACE (Instance)": "brow",
    "N00_000_00_FaceEyelash_00_FACE (Instance)": "lash",
    "N00_000_00_FaceEyeline_00_FACE (Instance)": "lash",
    "N00_000_00_Face_00_SKIN (Instance)": "face_skin",
    "N00_000_00_Body_00_SKIN (Instance)": "body_skin",
    "N00_002_03_Tops_01_CLOTH_02 (Instance)": "upper_garment",
    "N00_001_01_Bottoms_01_CLOTH (Instance)": "lower_garment",
    "N00_008_01_Shoes_01_CLOTH (Instance)": "shoes",
    "N00_002_01_Onepiece_00_CLOTH (Instance)": "one_piece",
    "N00_005_01_Accessory_00_CLOTH (Instance)": "ornament",
    "N00_000_00_HairBack_00_HAIR (Instance)": "hair_back",
    "N00_000_Hair_00_HAIR_01 (Instance)": "hair",
    "F00_000_HairBack_00_HAIR": "hair_back",
    "M00_000_00_EyeIris_00_EYE": "iris",
}
HABITS = {
    "hair": "hair", "Hair.001": "hair",
    "MAT_Hair_Front": "hair_front", "frontHair": "hair_front", "bangs": "hair_front",
    "back_hair": "hair_back", "Ponytail": "hair_tail", "hair_tail_L": "hair_tail", "Twintails": "hair_tail",
    "eyelashes": "lash", "Eyebrow_R": "brow", "Sclera": "eye_white", "pupil": "iris", "teeth": "mouth",
    "T-Shirt": "upper_garment", "SM_Skirt": "lower_garment", "jeans": "lower_garment", "Dress.002": "one_piece",
    "Jacket_mat": "outer_garment", "thigh high": "legwear", "knee_socks": "legwear", "Sneakers": "shoes",
    "leftGlove": "gloves", "witch_hat": "hat", "EyeGlasses": "glasses", "HairRibbon": "ornament",
    "cat_ears": "animal_ears", "Fox_Tail": "tail", "angel wings": "wings", "Sword (1)": "held_thing",
    "face_skin": "face_skin", "skin_body": "body_skin",
}  # fmt: skip
JAPANESE_NAMES = {
    "前髪": "hair_front", "後ろ髪_L": "hair_back", "ツインテール右": "hair_tail", "髪": "hair", "髪飾り": "ornament",
    "白目": "eye_white", "瞳.001": "iris", "目_ハイライト": "iris", "眉毛": "brow", "まつげ": "lash", "口内": "mouth",
    "靴下": "legwear", "靴": "shoes", "手袋": "gloves", "帽子": "hat", "メガネ": "glasses", "ﾒｶﾞﾈ": "glasses",
    "スカート": "lower_garment", "上着": "outer_garment", "ワンピース": "one_piece", "シャツ": "upper_garment",
    "猫耳": "animal_ears", "しっぽ": "tail", "翼": "wings", "剣": "held_thing", "羽織": "outer_garment",
    "KAMI": "hair", "kutu.001": "shoes", "kutsushita": "legwear", "megane": "glasses", "tebukuro": "gloves",
}  # fmt: skip
NO_PART = (
    "mesh_ava_102", "Combined-Texture", "Material.001", "mat_body", "Body", "Laptop", "Topology", "carpet", "shoulder",
    "ear_L", "耳", "目次", "eyeshadow", "Eye", "Face", "huku ", "", "outline", "Scarlet", "Chair", "Bottle",
    "shirt_and_skirt",
)  # fmt: skip


@pytest.mark.parametrize(("name", "part"), [*VROID.items(), *HABITS.items(), *JAPANESE_NAMES.items()])
def test_a_name_names_its_part(name, part):
    assert read_name(name).part == part


@pytest.mark.parametrize("name", NO_PART)
def test_a_name_that_names_none_or_several_names_no_part(name):
    assert read_name(name).part == ""


@pytest.mark.parametrize(
    ("name", "part"), [("hairpin", "ornament"), ("earring_L", "ornament"), ("eyewhite", "eye_white")]
)
def test_words_are_whole(name, part):
    assert read_name(name).part == part


@pytest.mark.parametrize(
    ("name", "hint"),
    [("Body_00", "body"), ("肌", "skin"), ("Face", "face"), ("atama", "head"), ("服", "garment"), ("Collar", "detail")],
)
def test_hints(name, hint):
    assert hint in read_name(name).hints


def test_every_word_of_the_table_means_what_it_stands_under():
    known = {*PART_NAMES, *HINTS}
    for sense, phrases in LATIN.items():
        assert sense in known
        for phrase in phrases.split(", "):
            got = read_name(phrase)
            assert got.part == sense or sense in got.hints, phrase
    for sense, words in JAPANESE.items():
        assert sense in known
        for word in words.split():
            got = read_name(word)
            assert got.part == sense or sense in got.hints, word


def test_very_long_names_are_read_in_part():
    assert read_name("hair" + "_x" * 100_000).part == "hair"
