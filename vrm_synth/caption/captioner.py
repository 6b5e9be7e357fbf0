"""Captioner: what makes a caption of facts, ours of each style or the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from vrm_synth.caption.choice import Choice
from vrm_synth.caption.clip_tokens import count_tokens
from vrm_synth.caption.english import one_sentence, sentences
from vrm_synth.caption.groups import WITHOUT, shortened
from vrm_synth.caption.japanese import japanese
from vrm_synth.caption.sayable import sayable, without_looks
from vrm_synth.caption.settings import STYLES, CaptionSettings
from vrm_synth.caption.sizes import medium, plainer, short
from vrm_synth.caption.tags import tags
from vrm_synth.caption.wording_files import english_wording, japanese_wording, tag_wording
from vrm_synth.core.rng import rng
from vrm_synth.facts.facts import Facts

LONG_DROPS_FIRST = ("light", "style")  # of the longest style, before what pictures mostly have
_ENDS = (".", "!", "?", "。", "！", "？")


class Captioner(Protocol):
    """A pure function of the facts of a picture and a seed: equal arguments, equal caption, on every machine.

    seed: of the choice among ways to say the same; any integer. Any function of this shape is a captioner:

        def hair_color(facts: Facts, seed: int) -> str:
            return f"a figure with {facts.hair.colors[0]} hair" if facts.hair.colors else "a figure"

    and goes into `captioners={"caption_own": hair_color}`, by the name of its column.
    """

    def __call__(self, facts: Facts, seed: int) -> str: ...


def captioner_of(settings: CaptionSettings) -> Captioner:
    """The captioner that follows the settings."""
    return lambda facts, seed: caption(facts, settings, seed)


def captions(facts: Facts, columns: Mapping[str, CaptionSettings], seed: int) -> dict[str, str]:
    """Column → caption of one picture."""
    return {name: caption(facts, settings, seed) for name, settings in columns.items()}


def caption(facts: Facts, settings: CaptionSettings | None = None, seed: int = 0) -> str:
    """One caption: a pure function of the arguments."""
    settings = settings or CaptionSettings()
    style = _style(settings, seed)
    for group, share in settings.drop.items():
        if float(rng(seed, f"caption drop {group}").random()) < share:
            facts = WITHOUT[group](facts)
    text = ""
    for less, choose in _shorter_and_shorter(_sized(style, sayable(facts)), style, seed):
        text = _around(_write(style, less, choose), settings, style)
        if settings.max_tokens is None or count_tokens(text) <= settings.max_tokens:
            break
    return text  # without any fact it fits; settings that leave no place for that are refused


def _shorter_and_shorter(facts: Facts, style: str, seed: int) -> Iterator[tuple[Facts, Choice]]:
    """Facts and wordings: all facts, all in the briefest words, then without what is plain, then ever fewer."""
    yield facts, Choice(seed)
    choose = Choice(seed, brief=True)
    yield facts, choose
    if style == "en_long":
        for group in LONG_DROPS_FIRST:
            facts = WITHOUT[group](facts)
            yield facts, choose
        yield from ((less, choose) for less in plainer(facts))
        facts = medium(facts)
    for less in shortened(facts, _drop_first(style)):
        yield less, choose


def _style(settings: CaptionSettings, seed: int) -> str:
    weights = settings.style
    if len(weights) == 1:
        return next(iter(weights))
    styles = [s for s in STYLES if s in weights]  # whatever order the recipe has them in
    at = float(rng(seed, "caption style").random()) * sum(weights[s] for s in styles)
    for style in styles:
        at -= weights[style]
        if at < 0:
            return style
    return styles[-1]


def _sized(style: str, facts: Facts) -> Facts:
    """The facts that a style says. The user's description is English and stands for the looks in English alone."""
    if style in ("ja", "tags"):
        return medium(facts)
    if facts.character.description:
        facts = without_looks(facts)
    return short(facts) if style == "en_short" else medium(facts) if style == "en" else facts


def _write(style: str, facts: Facts, choose: Choice) -> str:
    writers: Mapping[str, Callable[[Facts, Choice], str]] = {"en_long": sentences, "ja": japanese, "tags": tags}
    return writers.get(style, one_sentence)(facts, choose)


def _drop_first(style: str) -> tuple[str, ...]:
    if style == "ja":
        return japanese_wording().drop_first
    return tag_wording().drop_first if style == "tags" else english_wording().drop_first


def _around(text: str, settings: CaptionSettings, style: str) -> str:
    """The caption with the user's own words before and after it."""
    s = settings
    if style == "tags":
        return ", ".join(part for x in (s.prefix, s.trigger, text, s.suffix) if (part := x.strip(" ,")))
    if s.trigger:
        text = f"{s.trigger}、{text}" if style == "ja" else f"{s.trigger}, {text[:1].lower()}{text[1:]}"
    if s.prefix:
        between = "" if style == "ja" else " "
        text = text if s.prefix.endswith(_ENDS) or s.trigger else text[:1].lower() + text[1:]
        text = f"{s.prefix}{between}{text}"
    if not s.suffix:
        return text
    if s.suffix.startswith((",", "、")):
        return text.rstrip(".。") + s.suffix
    return f"{text}{'' if style == 'ja' else ' '}{s.suffix}"
