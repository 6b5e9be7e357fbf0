"""Which expression a VRM 0.x blend-shape group is, and names that every later step can take.

VRM 0.x tells groups apart by an ID (0.x README, "BlendShape name identifier"): the preset's name in capitals or, where
the preset is unknown, the group's own name in capitals. So an unknown group called "Joy" is the preset joy. Of groups
with one ID the one whose `presetName` says so counts; of several of those, or of none, the first. A group that is
not a preset after all keeps its own name, and one that has the very name of a VRM 1.0 preset gets a new one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vrm_synth.core.names import UniqueNames, is_plain, plain_name
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
# VRM 1.0's own, for groups that are called so: "Surprised", which 0.x has no preset for, is in every VRoid avatar.
_V1_PRESETS = {preset.casefold(): preset for preset in PRESETS}


@dataclass(frozen=True)
class GroupLabel:
    """What a blend-shape group says of itself. place: in the file; is_bound: whether it changes anything."""

    place: str
    preset_name: str
    name: str
    is_bound: bool = True


@dataclass(frozen=True)
class _Claim:
    """preset: VRM 1.0's name; rank: 0 by presetName, 1 by the name of a 0.x preset, 2 by that of a 1.0 preset."""

    preset: str
    rank: int


def assign_expression_names(groups: Sequence[GroupLabel], oddities: Oddities) -> list[str | None]:
    """Each group's expression name; None for one that is another's double and is left out. Names are unique."""
    claims = [_claim(g, oddities) for g in groups]
    winners: dict[str, int] = {}
    for i, claim in sorted(enumerate(claims), key=lambda c: (c[1].rank if c[1] else 0, c[0])):
        if claim is not None:
            winners.setdefault(claim.preset, i)
    doubles = _doubles(groups, claims, winners, oddities)
    out: list[str | None] = [None] * len(groups)
    unique = UniqueNames(PRESETS)
    for preset, i in winners.items():
        out[i] = preset
        if claims[i] != _Claim(preset, 0) and groups[i].name != preset:
            oddities.add(f"{groups[i].place} is the preset {preset} by its name, {groups[i].name[:60]!r}")
    for i, g in enumerate(groups):
        if out[i] is not None or i in doubles:
            continue
        if not g.name and not g.is_bound:
            oddities.add(f"{g.place} has no name, and changes nothing; it is left out")
            continue
        out[i] = _own_name(g, unique, oddities)
        if (claim := claims[i]) is not None:
            winner = groups[winners[claim.preset]].place
            oddities.add(f"{g.place} has the name of the preset that {winner} is; it is a custom one, {out[i]!r}")
    return out


def _claim(g: GroupLabel, oddities: Oddities) -> _Claim | None:
    stated, name = fold_case(g.preset_name), fold_case(g.name)
    if stated in V0_PRESETS:
        if g.preset_name.lower() != stated:
            oddities.add(f"{g.place} has the presetName {g.preset_name[:60]!r}, read as {stated!r}")
        return _Claim(V0_PRESETS[stated], 0)
    if stated not in ("", "unknown"):
        oddities.add(f"{g.place} has the unknown presetName {g.preset_name[:60]!r}; its name counts")
    if name in V0_PRESETS:
        return _Claim(V0_PRESETS[name], 1)
    return _Claim(_V1_PRESETS[name], 2) if name in _V1_PRESETS else None


def _doubles(
    groups: Sequence[GroupLabel], claims: Sequence[_Claim | None], winners: Mapping[str, int], oddities: Oddities
) -> set[int]:
    """The groups that say word for word what an earlier one says, or state a preset that another states."""
    out: set[int] = set()
    seen: dict[str, int] = {}
    for i, (g, claim) in enumerate(zip(groups, claims, strict=True)):
        if claim is not None and winners[claim.preset] == i:
            if claim.rank:
                seen.setdefault(g.name, i)
            continue
        stated = claim is not None and claim.rank == 0
        if stated or (g.name and g.name in seen):
            what = claim.preset if claim is not None else g.name[:60]
            oddities.add(f"{g.place} is {what!r} again; the first one counts")
            out.add(i)
        seen.setdefault(g.name, i)
    return out


def _own_name(g: GroupLabel, unique: UniqueNames, oddities: Oddities) -> str:
    name = plain_name(g.name, UNNAMED)
    if name in PRESETS:
        return unique.take(name, "custom")
    name = unique.take(name)
    if name != g.name:
        oddities.add(f"{g.place} has a name that cannot be used, {g.name[:60]!r}; it is called {name[:60]!r}")
    return name


def plain_names(expressions: Mapping[str, Expression], place: str, oddities: Oddities) -> dict[str, str]:
    """The file's name → a plain and unused one, for every expression of a VRM 1.0 file."""
    out = {name: name for name in expressions if is_plain(name)}
    unique = UniqueNames({*out, *PRESETS})
    for name in expressions:
        if name not in out:
            out[name] = unique.take(plain_name(name, UNNAMED))
            oddities.add(f"{place} has a name that cannot be used, {name[:60]!r}; it is called {out[name][:60]!r}")
    return {name: out[name] for name in expressions}


def fold_case(name: str) -> str:
    """A name without upper and lower case. The i of a Turkish locale, with and without its dot, is i."""
    return name.replace("\u0131", "i").replace("\u0130", "i").casefold().replace("i\u0307", "i")
