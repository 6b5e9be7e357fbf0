"""Names and weights of expressions as real exporters write them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.vrm.vrm_file import MESH_NODE, Doc, changed, vrm0, vrm1
from vrm_synth.camera.camera import Camera
from vrm_synth.core.names import is_control_free
from vrm_synth.gltf.oddities import Oddities
from vrm_synth.shot import Shot
from vrm_synth.shot.figure import Figure
from vrm_synth.vrm import Avatar, load_bytes
from vrm_synth.vrm.avatar import Expression, MorphTargetBind
from vrm_synth.vrm.bind_weights import clamp_weights, divide_percent_weights
from vrm_synth.vrm.expression_names import GroupLabel, assign_expression_names, fold_case
from vrm_synth.vrm.three_vrm_compat import as_three_vrm

ODD_NAMES = ["", "line\nbreak", "x" * 201, "nul\0", "x" * 300, "sep\u2028arated"]


def names(*groups: tuple[str, str]) -> tuple[list[str | None], tuple[str, ...]]:
    """The names of groups of (presetName, name), and the oddities."""
    oddities = Oddities()
    labels = [GroupLabel(f"g[{i}]", *g) for i, g in enumerate(groups)]
    return assign_expression_names(labels, oddities), oddities.lines()


def weights(*values: float) -> Expression:
    return Expression("e", False, morph_target_binds=tuple(MorphTargetBind(0, 0, v) for v in values))


def of(expressions: dict[str, Expression]) -> dict[str, list[float]]:
    return {name: [b.weight for b in e.morph_target_binds] for name, e in expressions.items()}


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("preset", "name", "is_"),
    [
        ("joy", "whatever", "happy"),
        ("Joy", "whatever", "happy"),  # as the README's own schema spells them
        ("unknown", "Joy", "happy"),
        ("unknown", "JOY", "happy"),
        ("Unknown", "blink_l", "blinkLeft"),
        ("", "LookUp", "lookUp"),
        ("\u0131", "I", "ih"),  # what ToLower() makes of I in a Turkish locale
        ("bl\u0131nk", "", "blink"),
        ("unknown", "BL\u0130NK", "blink"),
        ("unknown", "Surprised", "surprised"),  # VRoid
        ("unknown", "happy", "happy"),
        ("unknown", "Smile", "Smile"),
        ("surprised", "Oh!", "Oh!"),  # no preset of 0.x: the name counts
    ],
)
def test_the_expression_name_of_a_blend_shape_group(preset: str, name: str, is_: str) -> None:
    assert names((preset, name))[0] == [is_]


def test_reinterpreted_names_are_reported() -> None:
    assert names(("joy", "Joy"), ("unknown", "surprised"), ("unknown", "Wink"))[1] == ()
    (line,) = names(("\u0131", "I"))[1]
    assert "g[0]" in line and "'ı'" in line and "'i'" in line
    (line,) = names(("unknown", "Surprised"))[1]
    assert "preset surprised by its name, 'Surprised'" in line


def test_a_stated_preset_wins_over_a_name_in_either_order() -> None:
    for order in (1, -1):
        found_names, oddities = names(*[("unknown", "Joy"), ("joy", "Smile")][::order])
        assert found_names == ["Joy", "happy"][::order]  # the other group keeps its own name
        assert len(oddities) == 1 and "custom" in oddities[0]


def test_a_0x_name_wins_over_a_10_name() -> None:
    found_names, oddities = names(("unknown", "happy"), ("unknown", "Joy"))
    assert found_names == ["happy (custom)", "happy"] and len(oddities) == 2


def test_a_custom_group_with_the_very_name_of_a_preset_gets_another() -> None:
    found_names, oddities = names(("unknown", "happy"), ("joy", "Joy"), ("unknown", "blink"), ("blink", "Blink"))
    assert found_names == ["happy (custom)", "happy", "blink (custom)", "blink"]
    assert [line.split(" ")[0] for line in oddities] == ["g[0]", "g[2]"]


def test_duplicates_are_left_out_and_reported() -> None:
    found_names, oddities = names(("joy", "A1"), ("joy", "A2"), ("unknown", "x"), ("unknown", "x"), ("unknown", "X"))
    assert found_names == ["happy", None, "x", None, "X"]
    assert len(oddities) == 2 and all("the first one counts" in line for line in oddities)


def test_names_are_unique_and_control_free_whatever_the_file_says() -> None:
    groups = [("unknown", n) for n in [*ODD_NAMES, "unnamed", "line break", "joy", "Joy", "happy", "aa", "A"] * 2]
    found_names = [n for n in names(*groups)[0] if n is not None]
    assert len(set(found_names)) == len(found_names) and all(map(is_control_free, found_names))


def test_case_folding_covers_dotted_and_dotless_i() -> None:
    assert {fold_case(n) for n in ("BLINK", "Blink", "bl\u0131nk", "BL\u0130NK", "bli\u0307nk")} == {"blink"}


def test_a_nameless_group_with_an_effect_is_kept() -> None:
    def change(doc: Doc) -> None:
        groups = doc["extensions"]["VRM"]["blendShapeMaster"]["blendShapeGroups"]
        groups += [{"presetName": "unknown", "binds": [{"mesh": 0, "index": 1}]}, {"name": "", "presetName": ""}]

    a = load_bytes(changed(change, vrm0), "x.vrm")
    assert list(a.expressions) == ["happy", "Wink", "unnamed"] and len(a.oddities) == 2


def odd_names0(doc: Doc) -> None:
    groups = doc["extensions"]["VRM"]["blendShapeMaster"]["blendShapeGroups"]
    groups += [{"name": n, "presetName": "unknown", "binds": [{"mesh": 0, "index": 1}]} for n in ODD_NAMES]


def odd_names1(doc: Doc) -> None:
    bind = {"morphTargetBinds": [{"node": MESH_NODE, "index": 1}]}
    doc["extensions"]["VRMC_vrm"]["expressions"]["custom"] |= dict.fromkeys([*ODD_NAMES, "blink\n"], bind)


@pytest.mark.parametrize(("change", "make"), [(odd_names0, vrm0), (odd_names1, vrm1)])
def test_a_shot_takes_every_name_that_the_loader_lets_in(change: Any, make: Any) -> None:
    a = load_bytes(changed(change, make), "x.vrm")
    bound = [e for e in a.expressions.values() if e.is_bound]
    assert len(bound) > len(ODD_NAMES) and all(name == e.name for name, e in a.expressions.items())
    camera = Camera((0.0, 1.0, 2.0), (0.0, 1.0, 0.0))
    for name in a.expressions:
        shot = Shot("s", (Figure("x.vrm", expressions={name: 1.0}),), camera, (8, 8))
        assert Shot.from_json(json.loads(json.dumps(shot.to_json()))) == shot
    assert sum("cannot be used" in line for line in a.oddities) >= len(ODD_NAMES)


# ---------------------------------------------------------------- weights


def test_percent_is_decided_for_the_file() -> None:
    oddities = Oddities()
    stored = {"a": weights(100, 50), "b": weights(5), "c": weights(1, 0.5), "d": weights()}
    assert of(divide_percent_weights(stored, "here", oddities)) == {"a": [1, 0.5], "b": [0.05], "c": [1, 0.5], "d": []}
    assert oddities.lines() == ("here has morph target weights in percent, up to 100; divided by 100",)


def test_weights_slightly_above_one_are_no_percentages() -> None:
    oddities = Oddities()
    stored = {"a": weights(1.5, 0.5), "b": weights(1)}
    assert of(divide_percent_weights(stored, "here", oddities)) == of(stored)
    assert of(clamp_weights(stored, "here", oddities)) == {"a": [1, 0.5], "b": [1]}
    (line,) = oddities.lines()
    assert "1 morph target weights outside 0 to 1" in line and "1.5 in 'a'" in line


def test_weights_off_by_rounding_are_unchanged_and_not_reported() -> None:
    oddities = Oddities()
    stored = {"a": weights(1.00000012, -1e-9)}
    assert clamp_weights(stored, "here", oddities) == stored and oddities.lines() == ()


def test_percentages_in_a_vrm1_file_are_converted() -> None:
    def change(doc: Doc) -> None:
        expressions = doc["extensions"]["VRMC_vrm"]["expressions"]
        expressions["preset"]["happy"]["morphTargetBinds"] = [
            {"node": MESH_NODE, "index": 0, "weight": 100},
            {"node": MESH_NODE, "index": 1, "weight": 30},
        ]
        expressions["custom"]["wink"]["morphTargetBinds"] = [{"node": MESH_NODE, "index": 1, "weight": 250}]

    a = load_bytes(changed(change), "x.vrm")
    assert of(dict(a.expressions)) == {"happy": [1, pytest.approx(0.3)], "wink": [1]}
    assert len(a.oddities) == 2
    assert of(dict(as_three_vrm(a).expressions)) == {"happy": [100, 30], "wink": [250]}


def test_vrm0_weights_outside_0_to_100_are_clamped_and_reported() -> None:
    def change(doc: Doc) -> None:
        group = doc["extensions"]["VRM"]["blendShapeMaster"]["blendShapeGroups"][0]
        group["binds"] = [{"mesh": 0, "index": 0, "weight": w} for w in (1000, 40, -20)]

    a = load_bytes(changed(change, vrm0), "x.vrm")
    assert of({"happy": a.expressions["happy"]}) == {"happy": [1, pytest.approx(0.4), 0]}
    (line,) = a.oddities
    assert "2 morph target weights outside 0 to 100" in line and "1000 in 'happy'" in line
    assert of({"happy": as_three_vrm(a).expressions["happy"]}) == {"happy": pytest.approx([10, 0.4, -0.2])}


# ---------------------------------------------------------------- three-vrm


def test_three_vrm_has_the_names_of_the_file() -> None:
    def change(doc: Doc) -> None:
        doc["extensions"]["VRM"]["blendShapeMaster"]["blendShapeGroups"] = [
            {"name": n, "presetName": p, "binds": [{"mesh": 0, "index": 0, "weight": w}]}
            for n, p, w in (
                ("Surprised", "unknown", 10),
                ("Joy", "unknown", 20),
                ("happy", "unknown", 30),
                ("x", "joy", 40),
                ("y", "\u0131", 50),
            )
        ]

    a = load_bytes(changed(change, vrm0), "x.vrm")
    ours = {"surprised": 0.1, "Joy": 0.2, "happy (custom)": 0.3, "happy": 0.4, "ih": 0.5}
    assert {n: e.morph_target_binds[0].weight for n, e in a.expressions.items()} == pytest.approx(ours)
    # presetName to the letter, else the name; the first "happy" counts
    three_vrm = {"Surprised": 0.1, "Joy": 0.2, "happy": 0.3, "y": 0.5}
    reference = as_three_vrm(a).expressions
    assert {n: e.morph_target_binds[0].weight for n, e in reference.items()} == pytest.approx(three_vrm)
    assert all(n == e.name for n, e in reference.items())


@pytest.mark.parametrize("make", [vrm0, vrm1])
def test_a_sound_file_loads_the_same_in_three_vrm_compat(make: Any) -> None:
    a: Avatar = load_bytes(changed(lambda doc: None, make), "x.vrm")
    assert a.reference_expressions is None and replace(a).expressions is a.expressions
