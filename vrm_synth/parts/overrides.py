"""Part labels of the user's, by names and colors of one avatar, as recipes and the manifest have them.

materials: {Body_00: body_skin}
nodes: {"Cube.003": held_thing}
colors:
- {color: "#3a606d", part: upper_garment, zones: [torso, upper_arm, lower_arm]}
kinds: {upper_garment: hoodie, baggu: backpack}
hair: {length: short}
kind: man
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from vrm_synth.core.near_names import did_you_mean
from vrm_synth.parts.part_names import PART_NAMES
from vrm_synth.parts.zones import ZONE_NAMES
from vrm_synth.yaml_models.strict_yaml import RefusedError

MOST_RULES = 1000
SKIN = "skin"  # in overrides: face_skin on the head, body_skin elsewhere
LONGEST_NAME = 1000  # characters of a name of the avatar's


def _part(name: str) -> str:
    known = (*PART_NAMES, SKIN)
    if name not in known:
        raise RefusedError(f"no such part{did_you_mean(name, known)}", ", ".join(known))
    return name


def _zone(name: str) -> str:
    if name not in ZONE_NAMES:
        raise RefusedError(f"no such zone{did_you_mean(name, ZONE_NAMES)}", ", ".join(ZONE_NAMES))
    return name


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


PartName = Annotated[str, AfterValidator(_part)]
OwnName = Annotated[str, Field(max_length=LONGEST_NAME)]
ByName = Annotated[dict[OwnName, PartName], Field(max_length=MOST_RULES)]
Word = Annotated[str, Field(max_length=100)]
Height = Annotated[float, Field(ge=-1.0, le=2.0)]


class ColorRule(BaseModel):
    """A part by its unlit color; of several rules the first that fits counts.

    color: "#rrggbb". part: what it is. tolerance: largest CIE L*a*b* distance. zones: only where these parts of the
    body move the surface (zones.ZONE_NAMES); empty: anywhere. materials: only of these; empty: of all. height:
    [low, high], only there, 0 the lowest and 1 the highest point of the figure at rest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    color: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
    part: PartName
    tolerance: Annotated[float, Field(gt=0, le=100)] = 10.0
    zones: Annotated[tuple[Annotated[str, AfterValidator(_zone)], ...], BeforeValidator(_listed)] = ()
    materials: Annotated[tuple[OwnName, ...], BeforeValidator(_listed)] = ()
    height: Annotated[tuple[Height, Height], BeforeValidator(_listed)] = (-1.0, 2.0)

    @property
    def rgb(self) -> tuple[float, float, float]:
        """sRGB in 0..1."""
        r, g, b = (int(self.color[k : k + 2], 16) / 255 for k in (1, 3, 5))
        return r, g, b


class HairOverrides(BaseModel):
    """What the hair of an avatar is like; "" leaves it to what is found, "none" says nothing of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    length: Literal["", "none", "bald", "short", "medium", "long"] = ""
    style: Literal["", "none", "bob", "ponytail", "twintails", "braid"] = ""


class PartOverrides(BaseModel):
    """What one avatar's surface is and looks like, where names and colors do not tell or mislead.

    Part labels count before anything else: a color's before a material's, a material's before a node's. Beside the
    parts' names "skin" is one: face_skin on the head and body_skin elsewhere.

    materials, textures, nodes, meshes: name in the avatar's file → part; a texture's name is its own or its image's.
    colors: parts by color.

    The rest is for captions alone:

    kinds: part, or name of a material, texture, node or mesh → the garment or thing that it is, a name of
        appearance/items.yaml ({lower_garment: trousers}); "none" for what captions do not speak of. A name counts
        before a part.
    hair: its length and style. kind: what the figure is, a name of appearance/kinds.yaml. style: "anime" for what
        looks drawn, "none" for what does not. expression: the emotion that a face shows which no expression moves
        ("angry" for painted brows).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    materials: ByName = {}
    textures: ByName = {}
    nodes: ByName = {}
    meshes: ByName = {}
    colors: Annotated[tuple[ColorRule, ...], BeforeValidator(_listed), Field(max_length=MOST_RULES)] = ()
    kinds: Annotated[dict[OwnName, Word], Field(max_length=MOST_RULES)] = {}
    hair: HairOverrides = HairOverrides()
    kind: Word = ""
    style: Literal["", "anime", "none"] = ""
    expression: Literal["", "happy", "angry", "sad", "relaxed", "surprised"] = ""


def overrides_of(table: Mapping[str, PartOverrides], source: str) -> PartOverrides | None:
    """The overrides of one avatar from a recipe's `parts`, by its source as the recipe has it or its file's name."""
    own = table.get(source)
    return own if own is not None else table.get(PurePath(source).name)


def combined(first: PartOverrides | None, then: PartOverrides | None) -> PartOverrides | None:
    """Both as one; where they disagree `first` counts (a recipe's before the manifest's)."""
    if first is None or then is None:
        return first if then is None else then
    return PartOverrides(
        materials={**then.materials, **first.materials},
        textures={**then.textures, **first.textures},
        nodes={**then.nodes, **first.nodes},
        meshes={**then.meshes, **first.meshes},
        colors=(*first.colors, *then.colors),
        kinds={**then.kinds, **first.kinds},
        hair=HairOverrides(length=first.hair.length or then.hair.length, style=first.hair.style or then.hair.style),
        kind=first.kind or then.kind,
        style=first.style or then.style,
        expression=first.expression or then.expression,
    )
