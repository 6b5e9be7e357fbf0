"""Parameters of the built-in avatar: validation, parsing of "key=value", numbered variants, caption words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

from vrm_synth.core.errors import AvatarError
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.core.rng import rng

HAIR_STYLES = ("bob", "long", "twintails", "ponytail", "short")
OUTFITS = ("sailor", "dress", "hoodie")
ACCESSORIES = ("none", "ribbon", "glasses", "hairclip")
SKINS = ("fair", "light", "tan", "brown", "dark")
EYE_SHAPES = ("round", "gentle", "sharp")

HAIR_COLORS = {
    "black": "#3a3444",
    "brown": "#7a4a35",
    "blonde": "#f3cf7a",
    "red": "#c8453f",
    "pink": "#f49ab8",
    "purple": "#9a78cf",
    "blue": "#5b86d8",
    "green": "#5fb48c",
    "silver": "#cfd3e2",
    "orange": "#ee8f4d",
}
EYE_COLORS = {
    "blue": "#3f86e8",
    "green": "#37a878",
    "brown": "#9a5a34",
    "red": "#d8404f",
    "purple": "#8a58d6",
    "gold": "#e0a02a",
    "pink": "#e8659a",
    "gray": "#7d8698",
}
OUTFIT_COLORS = {
    "navy": "#33406e",
    "black": "#3a3a46",
    "white": "#f4f1ee",
    "red": "#c23b48",
    "pink": "#f0a3b8",
    "blue": "#6f9fe0",
    "green": "#4f8f74",
    "yellow": "#f1c95c",
    "purple": "#8467b5",
    "brown": "#8a6148",
}

_CHOICES: dict[str, tuple[str, ...]] = {
    "hair_style": HAIR_STYLES,
    "outfit": OUTFITS,
    "accessory": ACCESSORIES,
    "skin": SKINS,
    "eye_shape": EYE_SHAPES,
}
_COLORS = {"hair_color": HAIR_COLORS, "eye_color": EYE_COLORS, "outfit_color": OUTFIT_COLORS}
_RANGES = {"height": (1.2, 1.9), "heads": (5.0, 7.2), "slimness": (0.8, 1.2)}
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class DemoParams:
    """Parameters of one character; colors are a name from the tables above or "#rrggbb".

    Raises AvatarError with the field and its allowed values.

    Attributes:
        name: title of the avatar, 1 to 60 printable characters.
        hair_style: one of HAIR_STYLES.
        hair_color: one of HAIR_COLORS, or "#rrggbb".
        eye_color: one of EYE_COLORS, or "#rrggbb".
        eye_shape: one of EYE_SHAPES.
        skin: one of SKINS.
        outfit: one of OUTFITS.
        outfit_color: one of OUTFIT_COLORS, or "#rrggbb".
        accessory: one of ACCESSORIES.
        height: meters, crown to sole.
        heads: height in head heights.
        slimness: 1 is the base build, more is thinner.
    """

    name: str = "Mio"
    hair_style: str = "long"
    hair_color: str = "pink"
    eye_color: str = "blue"
    eye_shape: str = "round"
    skin: str = "fair"
    outfit: str = "sailor"
    outfit_color: str = "navy"
    accessory: str = "ribbon"
    height: float = 1.55
    heads: float = 6.0
    slimness: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isprintable() or not 1 <= len(self.name) <= 60:
            raise _value_error("name", self.name, "1 to 60 printable characters")
        for key, allowed in _CHOICES.items():
            if getattr(self, key) not in allowed:
                raise _value_error(key, getattr(self, key), ", ".join(allowed))
        for key, table in _COLORS.items():
            value = getattr(self, key)
            if not isinstance(value, str) or (value not in table and not _HEX.fullmatch(value)):
                raise _value_error(key, value, ", ".join(table) + " or #rrggbb")
        for key, (lo, hi) in _RANGES.items():
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int | float) or not lo <= value <= hi:
                raise _value_error(key, value, f"a number from {lo} to {hi}")

    @classmethod
    def parse(cls, settings: Iterable[str]) -> DemoParams:
        """Parse ["hair_color=pink", …]; raises AvatarError for an unknown key, a bad value or a missing "="."""
        values: dict[str, Any] = {}
        for text in settings:
            key, equals, value = text.partition("=")
            key, value = key.strip(), value.strip()
            if not equals or key not in allowed_values():
                near = did_you_mean(key, allowed_values()) if equals else ""
                problem = f"a demo avatar's setting is key=value{near}"
                raise AvatarError(problem, got=text, allowed=", ".join(allowed_values()), where="demo")
            values[key] = _number(key, value) if key in _RANGES else value
        return cls(**values)


def allowed_values() -> dict[str, str]:
    """Return parameter → a description of its allowed values, in the order of the fields."""
    described = {k: ", ".join(v) for k, v in _CHOICES.items()}
    described |= {k: ", ".join(v) + " or #rrggbb" for k, v in _COLORS.items()}
    described |= {k: f"a number from {lo} to {hi}" for k, (lo, hi) in _RANGES.items()}
    described["name"] = "1 to 60 printable characters"
    return {f.name: described[f.name] for f in fields(DemoParams)}


def rgb(params: DemoParams, key: str) -> tuple[float, float, float]:
    """Return the sRGB color in 0..1 of a color parameter ("hair_color", "eye_color", "outfit_color")."""
    value = getattr(params, key)
    text = _COLORS[key].get(value, value)
    return rgb_from_hex(text)


def rgb_from_hex(text: str) -> tuple[float, float, float]:
    """Convert "#rrggbb" to sRGB in 0..1."""
    r, g, b = (int(text[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return r, g, b


_NAMES = (
    "Mio",
    "Aoi",
    "Hana",
    "Rin",
    "Yuki",
    "Sora",
    "Nao",
    "Kei",
    "Luna",
    "Mei",
    "Iris",
    "Toa",
    "Suzu",
    "Ren",
    "Emi",
    "Noa",
)


def variant(i: int) -> DemoParams:
    """Return the parameters of variant i ≥ 0, all of them different characters; 0 is the default one.

    A pure function of i. Styles and colors run through shuffled orders, so that each occurs once before any
    occurs twice.
    """
    if isinstance(i, bool) or not isinstance(i, int) or i < 0:
        raise _value_error("variant", i, "an integer from 0")
    base = DemoParams()
    if i == 0:
        return base
    generator = rng(0, "demo.variant", i)
    return replace(
        base,
        name=_NAMES[i % len(_NAMES)],
        hair_style=_shuffled_choice(HAIR_STYLES, "hair_style", i),
        hair_color=_shuffled_choice(tuple(HAIR_COLORS), "hair_color", i),
        eye_color=_shuffled_choice(tuple(EYE_COLORS), "eye_color", i),
        eye_shape=_shuffled_choice(EYE_SHAPES, "eye_shape", i),
        outfit=_shuffled_choice(OUTFITS, "outfit", i),
        outfit_color=_shuffled_choice(tuple(OUTFIT_COLORS), "outfit_color", i),
        accessory=_shuffled_choice(ACCESSORIES, "accessory", i),
        skin=SKINS[int(generator.choice(len(SKINS), p=[0.36, 0.28, 0.16, 0.12, 0.08]))],
        height=round(float(generator.uniform(1.42, 1.72)), 2),
        heads=round(float(generator.uniform(5.5, 6.7)), 1),
        slimness=round(float(generator.uniform(0.92, 1.1)), 2),
    )


def _shuffled_choice(options: tuple[str, ...], stream: str, i: int) -> str:
    # one shuffled order per round, so that every option occurs once before any occurs twice
    order = rng(0, f"demo.deck.{stream}", i // len(options)).permutation(len(options))
    return options[int(order[i % len(options)])]


def facts(params: DemoParams) -> dict[str, str]:
    """Return what a picture of this character shows, in caption words: "hair", "eyes", "outfit" …"""
    style = {
        "bob": "{} bob hair",
        "long": "long {} hair",
        "twintails": "{} twintails",
        "ponytail": "{} ponytail",
        "short": "short {} hair",
    }[params.hair_style]
    color = _color_name(params, "outfit_color")
    out = {
        "name": params.name,
        "hair": style.format(_color_name(params, "hair_color")).strip(),
        "hair_style": params.hair_style,
        "eyes": f"{_color_name(params, 'eye_color')} eyes".strip(),
        "skin": f"{params.skin} skin",
        "outfit": {
            "sailor": f"{color} sailor uniform",
            "dress": f"{color} dress",
            "hoodie": f"{color} hoodie and shorts",
        }[params.outfit].strip(),
    }
    accessory = {"ribbon": "hair ribbon", "glasses": "glasses", "hairclip": "hairclip"}.get(params.accessory)
    return out | ({"accessory": accessory} if accessory else {})


def _color_name(params: DemoParams, key: str) -> str:
    """Return the color's name; for "#rrggbb" the nearest name."""
    value = getattr(params, key)
    table = _COLORS[key]
    if value in table:
        return str(value)
    r, g, b = rgb(params, key)

    def distance(name: str) -> float:
        x, y, z = rgb_from_hex(table[name])
        return (r - x) ** 2 + (g - y) ** 2 + (b - z) ** 2

    return min(table, key=distance)


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _value_error(key, text, allowed_values()[key]) from None


def _value_error(key: str, got: object, allowed: str) -> AvatarError:
    return AvatarError(f"the demo avatar's {key} is not one it has", got=got, allowed=allowed, where="demo")
