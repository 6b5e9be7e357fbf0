"""Assign expression names: VRM 0.x blend-shape groups → VRM 1.0 names; and, for both versions, names without control
characters.

VRM 0.x distinguishes groups by an ID (0.x README, "BlendShape name identifier"): the preset's name in capitals or,
where the preset is unknown, the group's own name in capitals. So an unknown group called "Joy" is the preset joy. Of
groups with one ID the one whose `presetName` states it counts; of several of those, or of none, the first. A group that
is no preset keeps its own name, and one with exactly the name of a VRM 1.0 preset gets a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vrm_synth.core.names import UniqueNames, control_free_name, is_control_free
from vrm_synth.gltf.oddities import Oddities
from vrm_synth.vrm.avatar import Expression
from vrm_synth.vrm.extension import PRESETS

UNNAMED = "unnamed"
# VRM 0.x presets by the names that the schema gives them → VRM 1.0's.
V0_PRESETS: Mapping[str, str] = {
    "neutral": "neutral",
    "a": "aa",
    "i": "ih",
    "u": "ou",
    "e": "ee",
    "o": "oh",
    "blink": "blink",
    "blink_l": "blinkLeft",
    "blink_r": "blinkRight",
    "joy": "happy",
    "angry": "angry",
    "sorrow": "sad",
    "fun": "relaxed",
    "lookup": "lookUp",
    "lookdown": "lookDown",
    "lookleft": "lookLeft",
    "lookright": "lookRight",
}
# VRM 1.0's presets by name, for groups with such a name: "Surprised", no preset of 0.x, is in every VRoid avatar.
_V1_PRESETS = {preset.casefold(): preset for preset in PRESETS}


@dataclass(frozen=True)
class GroupLabel:
    """The identifying fields of a VRM 0.x blend-shape group.

    Attributes:
        json_path: where it is in the file, for messages.
        preset_name: its presetName.
        name: its name.
        is_bound: True where it has any bind.
    """

    json_path: str
    preset_name: str
    name: str
    is_bound: bool = True


@dataclass(frozen=True)
class _PresetMatch:
    """The preset that a group stands for, and how that was found.

    Attributes:
        preset: VRM 1.0's name of the preset.
        rank: 0 by presetName, 1 by the name of a 0.x preset, 2 by the name of a 1.0 preset.
    """

    preset: str
    rank: int


def assign_expression_names(groups: Sequence[GroupLabel], oddities: Oddities) -> list[str | None]:
    """Return each group's expression name; None for a duplicate, which is left out. Names are unique."""
    matches = [_match_preset(g, oddities) for g in groups]
    chosen: dict[str, int] = {}
    for i, match in sorted(enumerate(matches), key=lambda c: (c[1].rank if c[1] else 0, c[0])):
        if match is not None:
            chosen.setdefault(match.preset, i)
    duplicates = _duplicates(groups, matches, chosen, oddities)
    out: list[str | None] = [None] * len(groups)
    unique = UniqueNames(PRESETS)
    for preset, i in chosen.items():
        out[i] = preset
        if matches[i] != _PresetMatch(preset, 0) and groups[i].name != preset:
            oddities.add(f"{groups[i].json_path} is the preset {preset} by its name, {groups[i].name[:60]!r}")
    for i, g in enumerate(groups):
        if out[i] is not None or i in duplicates:
            continue
        if not g.name and not g.is_bound:
            oddities.add(f"{g.json_path} has no name, and changes nothing; it is left out")
            continue
        out[i] = _own_name(g, unique, oddities)
        if (match := matches[i]) is not None:
            preset_path = groups[chosen[match.preset]].json_path
            oddities.add(
                f"{g.json_path} has the name of the preset that {preset_path} is; it is a custom one, {out[i]!r}"
            )
    return out


def _match_preset(g: GroupLabel, oddities: Oddities) -> _PresetMatch | None:
    stated, name = fold_case(g.preset_name), fold_case(g.name)
    if stated in V0_PRESETS:
        if g.preset_name.lower() != stated:
            oddities.add(f"{g.json_path} has the presetName {g.preset_name[:60]!r}, read as {stated!r}")
        return _PresetMatch(V0_PRESETS[stated], 0)
    if stated not in ("", "unknown"):
        oddities.add(f"{g.json_path} has the unknown presetName {g.preset_name[:60]!r}; its name counts")
    if name in V0_PRESETS:
        return _PresetMatch(V0_PRESETS[name], 1)
    return _PresetMatch(_V1_PRESETS[name], 2) if name in _V1_PRESETS else None


def _duplicates(
    groups: Sequence[GroupLabel], matches: Sequence[_PresetMatch | None], chosen: Mapping[str, int], oddities: Oddities
) -> set[int]:
    """Return the groups to leave out: those that repeat an earlier group's name, and those that state a preset which
    is given to another group. A group that got its preset by its presetName does not reserve its own name."""
    out: set[int] = set()
    seen_names: set[str] = set()
    for i, (g, match) in enumerate(zip(groups, matches, strict=True)):
        if match is not None and chosen[match.preset] == i:
            if match.rank:
                seen_names.add(g.name)
            continue
        stated = match is not None and match.rank == 0
        if stated or (g.name and g.name in seen_names):
            label = match.preset if match is not None else g.name[:60]
            oddities.add(f"{g.json_path} is {label!r} again; the first one counts")
            out.add(i)
        seen_names.add(g.name)
    return out


def _own_name(g: GroupLabel, unique: UniqueNames, oddities: Oddities) -> str:
    name = control_free_name(g.name, UNNAMED)
    if name in PRESETS:
        return unique.take(name, "custom")
    name = unique.take(name)
    if name != g.name:
        oddities.add(f"{g.json_path} has a name that cannot be used, {g.name[:60]!r}; it is called {name[:60]!r}")
    return name


def control_free_names(expressions: Mapping[str, Expression], json_path: str, oddities: Oddities) -> dict[str, str]:
    """Return the file's name → a control-free and unused name, for every expression of a VRM 1.0 file."""
    out = {name: name for name in expressions if is_control_free(name)}
    unique = UniqueNames({*out, *PRESETS})
    for name in expressions:
        if name not in out:
            out[name] = unique.take(control_free_name(name, UNNAMED))
            oddities.add(f"{json_path} has a name that cannot be used, {name[:60]!r}; it is called {out[name][:60]!r}")
    return {name: out[name] for name in expressions}


def fold_case(name: str) -> str:
    """Case-fold a name. The i of a Turkish locale, with and without its dot, is i."""
    return name.replace("\u0131", "i").replace("\u0130", "i").casefold().replace("i\u0307", "i")
