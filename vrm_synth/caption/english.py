"""Facts → one English sentence. The words are in english.yaml."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from vrm_synth.caption.facts import Facts, facts
from vrm_synth.core.rng import rng
from vrm_synth.shot.character import with_article
from vrm_synth.shot.choices import Choices
from vrm_synth.shot.observations import Observations
from vrm_synth.yaml_models.strict_yaml import load

Ways = Annotated[tuple[str, ...], Field(min_length=1)]


class Wording(BaseModel):
    """english.yaml: for each fact, the ways to say it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sentence: Ways
    framing: dict[str, Ways]
    named: Ways
    outfit: Ways
    expression: dict[str, Ways]
    gaze: dict[str, Ways]
    azimuth: dict[str, Ways]
    elevation: dict[str, Ways]
    background: dict[str, Ways]


@cache
def wording() -> Wording:
    """The words that ship with the code. Raises RecipeError where the file is broken."""
    return load(Path(__file__).with_name("english.yaml"), Wording)


def english(choices: Choices, observations: Observations) -> str:
    """The caption of a picture: one sentence, a pure function of the arguments."""
    f, w = facts(choices, observations), wording()
    angle = _angle(f, w)
    slots = {
        "framing": _pick(w.framing[f.framing or "part"], f, "framing"),
        "subject": _subject(f, w),
        "details": _details(f, w),
        "angle": angle,
        "background": _background(f, w),
    }
    template = _pick(w.sentence, f, "sentence")
    if not angle:
        template = template.replace(", {angle}", "")
    return template.format_map(slots)


def _pick(ways: Sequence[str], f: Facts, slot: str) -> str:
    """One of the ways; each slot turns its own wheel, so that all combinations come up."""
    return ways[int(rng(f.wording, f"caption {slot}").integers(len(ways)))]


def _subject(f: Facts, w: Wording) -> str:
    looks = " and ".join(x for x in (f.hair, f.eyes) if x)
    looks = f" with {looks}" if looks else ""
    if f.outfit:
        looks += " " + _pick(w.outfit, f, "outfit").format(outfit=with_article(f.outfit))
    return _pick(w.named, f, "named").format(name=f.name, noun=f.noun, looks=looks) if f.name else f.noun + looks


def _details(f: Facts, w: Wording) -> str:
    """Pose, expression and gaze, each after its comma."""
    said = [" and ".join(f.phrases)] if f.phrases else []
    if f.expression in w.expression:
        said.append(_pick(w.expression[f.expression], f, "expression"))
    if f.gaze in w.gaze:
        said.append(_pick(w.gaze[f.gaze], f, "gaze"))
    return "".join(f", {s}" for s in said)


def _angle(f: Facts, w: Wording) -> str:
    if not f.azimuth:
        return ""
    around = _pick(w.azimuth[f.azimuth], f, "azimuth")
    if f.elevation not in w.elevation:
        return around
    return _pick(w.elevation[f.elevation], f, "elevation").format(azimuth=around)


def _background(f: Facts, w: Wording) -> str:
    kind = f.background if f.background in ("", "transparent") else "named"
    a_color = with_article(f.background) if f.background else ""
    return _pick(w.background[kind or "plain"], f, "background").format(color=f.background, a_color=a_color)
