"""`vrm-synth inspect`: the report of a file as JSON and as a table."""

from __future__ import annotations

import json

from tests.vrm.vrm_file import BONE_LIST, Doc, changed, glb, vrm0, vrm1
from vrm_synth.core.bones import BONES
from vrm_synth.vrm import load_bytes
from vrm_synth.vrm.report import avatar_report, format_report


def test_report_lists_the_facts_of_a_file() -> None:
    doc, data = vrm1()
    facts = json.loads(json.dumps(avatar_report(load_bytes(glb(doc, bytes(data)), "quad.vrm")), allow_nan=False))
    assert (facts["source"], facts["vrm_version"], facts["name"]) == ("quad.vrm", "1", "quad")
    assert facts["license"]["is_cc0"] and facts["license"]["name"] == "CC0"
    counts = facts["counts"]
    assert (counts["triangles"], counts["vertices"], counts["meshes"], counts["morph_targets"]) == (2, 4, 1, 2)
    assert facts["head_height"] == 1.5
    assert len(facts["bones"]["present"]) == len(BONE_LIST)
    assert len(facts["bones"]["present"]) + len(facts["bones"]["missing"]) == len(BONES)
    assert {n: e["bound"] for n, e in facts["expressions"].items()} == {"happy": True, "wink": False}
    assert facts["expressions"]["happy"]["overrides"] == {"blink": "block"}
    (material,) = facts["materials"]
    assert (material["kind"], material["alpha_mode"], material["outline"]) == ("mtoon", "OPAQUE", "worldCoordinates")
    textures = {"base_color_texture": 0, "shade_multiply_texture": 0, "shading_shift_texture": 0}
    assert material["textures"] == textures
    assert facts["springs"] == [{"name": "hair", "joints": 1, "colliders": 1, "root": "strand"}]
    assert facts["colliders"] == {"capsule": 1} and facts["constraints"] == {"roll": 1}
    assert facts["look_at"]["horizontal_inner"] == {"input_max_value": 60, "output_scale": 8, "curve": []}
    assert facts["first_person"] == {"thirdPersonOnly": 1} and facts["oddities"] == []


def test_table_names_what_matters_one_fact_a_line() -> None:
    doc, data = vrm0()
    text = format_report(avatar_report(load_bytes(glb(doc, bytes(data)), "quad.vrm")))
    rows = {line[: line.index("  ")].strip(): line for line in text.splitlines()}
    assert rows["format"].endswith("VRM 0.x, written by tests")
    assert rows["license"].endswith("CC0")
    assert "2 triangles, 4 vertices" in rows["geometry"]
    assert rows["size"].endswith("head at 1.500 m")
    assert rows["expressions"].endswith("1 bound, 1 empty")
    assert rows["materials"].endswith("1 mtoon BLEND")
    assert rows["springs"].endswith("1 with 2 joints")
    assert rows["gaze"].endswith("by bone")
    assert "oddities" not in rows


def test_table_of_a_hostile_title_stays_on_its_line() -> None:
    def change(doc: Doc) -> None:
        doc["extensions"]["VRMC_vrm"]["meta"]["name"] = "a\nb\x1b[2J\u202e"
        doc["materials"][0]["name"] = "x\r\ny"

    text = format_report(avatar_report(load_bytes(changed(change), "x.vrm")))
    assert all(line.isprintable() for line in text.split("\n"))
    assert "title" in text and "a b [2J" in text


def test_all_fingers_are_counted_once() -> None:
    def change(doc: Doc) -> None:
        del doc["extensions"]["VRMC_vrm"]["humanoid"]["humanBones"]["leftThumbMetacarpal"]

    text = format_report(avatar_report(load_bytes(changed(change), "x.vrm")))
    assert "all 30 of the fingers" in text and "leftIndexDistal" not in text
