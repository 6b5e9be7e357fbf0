"""Ground truth for facts of the shared avatars: hand-made answers, applied to a ray cast of each picture.

The part that each pixel shows follows from tests/parts/answer_sheet.yaml (place at rest, unlit color, node), not from
the labels of the code; what may be claim of it is in real_answers.yaml.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.facts.observed import Observed, backend
from tests.facts.verdict import PLAIN, Verdict
from tests.parts.answer_sheet import load_answers, rule_of_pixel
from vrm_synth.facts.facts import Facts
from vrm_synth.parts.labeling import measured
from vrm_synth.render.base import Buffers
from vrm_synth.vrm.drawn_triangles import drawn_triangles

ANSWERS = Path(__file__).with_name("real_answers.yaml")
SOME = 15  # pixels of 512² that make a claim possible


@cache
def load_real_answers() -> dict[str, dict[str, Any]]:
    """File name → the claims that are right."""
    return yaml.safe_load(ANSWERS.read_text(encoding="utf-8"))


def part_pixels(observed: Observed, file_name: str) -> dict[str, float]:
    """Part → pixels of a picture of 512²; a pixel of which the sheet accepts several parts counts for each."""
    view = replace(observed.planned.shot.view(), buffers=Buffers(geometry=frozenset({"rest_position", "albedo"})))
    geometry = backend().render(observed.posed, view).geometry
    assert geometry is not None and geometry.rest_position is not None and geometry.albedo is not None
    avatar = observed.posed.avatar
    surface = measured(avatar)[0]
    hit = geometry.triangle >= 0
    node_of = drawn_triangles(avatar).node_of[geometry.triangle[hit]]
    names = [avatar.nodes[n].name for n in node_of]
    position = (geometry.rest_position[hit] - [0, surface.floor, 0]) / (surface.top - surface.floor)
    rules = load_answers()[file_name]
    row = rule_of_pixel(rules, position, geometry.albedo[hit], names)
    scale = geometry.triangle.size / 512**2
    out: dict[str, float] = {}
    for k, rule in enumerate(rules):
        count = float(np.count_nonzero(row == k)) / scale
        for part in rule["part"] if isinstance(rule["part"], list) else [rule["part"]]:
            out[part] = out.get(part, 0.0) + count
    return out


def judge_real(
    facts: Facts, file_name: str, parts: dict[str, float], expressions: Collection[str] = ()
) -> Iterator[Verdict]:
    """Every claim about looks, and every plain sight. parts: of part_pixels; expressions: that the shot has on."""
    a = load_real_answers()[file_name]
    yield Verdict("kind", facts.character.kind, facts.character.kind in a["kind"], True)
    yield Verdict("style", facts.character.style, facts.character.style in a["style"], bool(a["style"]))
    hair = sum(p for n, p in parts.items() if n.startswith("hair"))
    for k, color in enumerate(facts.hair.colors or ("",)):
        fits = color in a["hair"]["colors"] and hair >= SOME
        yield Verdict("hair color", color, fits, k == 0 and a["hair"]["expected"] and hair >= PLAIN)
    if facts.hair.length:
        yield Verdict("hair length", facts.hair.length, facts.hair.length in a["hair"]["lengths"], False)
    if facts.hair.style:
        yield Verdict("hair style", facts.hair.style, False, False)
    for color in facts.eye_colors:
        yield Verdict("eye color", color, color in a["eyes"]["colors"], False)
    skin = parts.get("face_skin", 0.0) + parts.get("body_skin", 0.0)
    claim = facts.skin.tone or facts.skin.color
    yield Verdict("skin", claim, claim in a["skin"]["names"], a["skin"]["expected"] and skin >= 2 * PLAIN)
    claim = facts.face.expression
    yield Verdict("expression", claim, claim in a.get("expression", ()) or claim in expressions, False)
    items = [*facts.garments, *facts.accessories]
    for item in items:
        rules = [r for r in a["items"] if item.kind in r["kinds"]]
        pixels = sum(parts.get(n, 0.0) for n in {n for r in rules for n in r["parts"]})
        yield Verdict("item", item.kind, bool(rules) and pixels >= SOME, False)
        for color in item.colors:
            yield Verdict("color of an item", f"{color} {item.kind}", any(color in r["colors"] for r in rules), False)
    for rule in a["items"]:
        if rule["expected"] and sum(parts.get(n, 0.0) for n in rule["parts"]) >= PLAIN:
            known = next((i.kind for i in items if i.kind in rule["kinds"]), "")
            yield Verdict("item in sight", known, True, True)
