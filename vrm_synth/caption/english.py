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

Alternatives = Annotated[tuple[str, ...], Field(min_length=1)]


class Wording(BaseModel):
    """english.yaml: for each fact, its alternative wordings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sentence: Alternatives
    framing: dict[str, Alternatives]
    named: Alternatives
    outfit: Alternatives
    expression: dict[str, Alternatives]
    gaze: dict[str, Alternatives]
    azimuth: dict[str, Alternatives]
    elevation: dict[str, Alternatives]
    background: dict[str, Alternatives]


@cache
def wording() -> Wording:
    """The wordings of english.yaml. Raises RecipeError where the file is broken."""
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


def _pick(alternatives: Sequence[str], f: Facts, slot: str) -> str:
    """One of the alternatives; each slot draws from its own random stream, so that all combinations occur."""
    return alternatives[int(rng(f.wording, f"caption {slot}").integers(len(alternatives)))]


def _subject(f: Facts, w: Wording) -> str:
    appearance = " and ".join(x for x in (f.hair, f.eyes) if x)
    appearance = f" with {appearance}" if appearance else ""
    if f.outfit:
        appearance += " " + _pick(w.outfit, f, "outfit").format(outfit=with_article(f.outfit))
    return (
        _pick(w.named, f, "named").format(name=f.name, noun=f.noun, looks=appearance) if f.name else f.noun + appearance
    )


def _details(f: Facts, w: Wording) -> str:
    """Pose, expression and gaze, each after its comma."""
    details = [" and ".join(f.phrases)] if f.phrases else []
    if f.expression in w.expression:
        details.append(_pick(w.expression[f.expression], f, "expression"))
    if f.gaze in w.gaze:
        details.append(_pick(w.gaze[f.gaze], f, "gaze"))
    return "".join(f", {s}" for s in details)


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
