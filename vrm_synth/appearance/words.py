"""Words of the vocabulary: colors, items and kinds of figures in English, Japanese and tags, as the YAML has them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from vrm_synth.core.near_names import did_you_mean
from vrm_synth.parts.part_names import PART_NAMES
from vrm_synth.yaml_models import strict_yaml
from vrm_synth.yaml_models.strict_yaml import RefusedError

_FOLDER = Path(__file__).resolve().parent
Of = Literal["hair", "eyes", "things"]
OF: tuple[Of, ...] = ("hair", "eyes", "things")


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _part(name: str) -> str:
    if name not in PART_NAMES:
        raise RefusedError(f"no such part{did_you_mean(name, PART_NAMES)}", ", ".join(PART_NAMES))
    return name


def _split(value: Any) -> Any:
    return tuple(w.strip() for w in value.split(",")) if isinstance(value, str) else value


def _split_at_spaces(value: Any) -> Any:
    return tuple(value.split()) if isinstance(value, str) else value


Range = Annotated[tuple[float, float], BeforeValidator(_listed)]
Words = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColorBox(_Model):
    """A box of colors in OKLCh: lightness 0..100, chroma in percent, hue in degrees. of: what it is for."""

    lightness: Range
    chroma: Range
    hue: Range = (0.0, 360.0)
    of: Annotated[tuple[Of, ...], BeforeValidator(_listed)] = OF

    def has(self, lightness: float, chroma: float, hue: float) -> bool:
        """True for a color inside."""
        low, high = self.hue
        turned = low <= hue <= high if low <= high else hue >= low or hue <= high
        light, colored = self.lightness, self.chroma
        return turned and light[0] <= lightness <= light[1] and colored[0] <= chroma <= colored[1]


class PhraseWords(_Model):
    """Words for something of a color. en: what stands before "hair" (eyes, skin); ja, tag: whole."""

    en: str = ""
    ja: str = ""
    tag: str = ""


class ColorWords(_Model):
    """Words for a color.

    shade_of: the color of which it is a lighter or darker one, "" for none. fallback: said where no other name fits.
    en: "black". ja: what stands before a noun, with its particle ("黒い"). ja_noun: the bare noun ("黒"). tag: "black",
    "" where tags have none. hair, eyes, skin: words for these in that color; all three fields are filled.
    """

    boxes: Annotated[tuple[ColorBox, ...], BeforeValidator(_listed)]
    shade_of: str = ""
    fallback: bool = False
    en: str
    ja: str
    ja_noun: str
    tag: str
    hair: PhraseWords = Field(default=PhraseWords(), validate_default=True)
    eyes: PhraseWords = Field(default=PhraseWords(), validate_default=True)
    skin: PhraseWords = Field(default=PhraseWords(), validate_default=True)

    @field_validator("hair", "eyes", "skin")
    @classmethod
    def _filled(cls, own: PhraseWords, info: ValidationInfo) -> PhraseWords:
        noun, known = info.field_name or "", info.data
        tag = f"{known['tag']} {noun}" if known.get("tag") else ""
        ja = f"{known.get('ja', '')}{ {'hair': '髪', 'eyes': '瞳', 'skin': '肌'}[noun] }"
        return PhraseWords(en=own.en or known.get("en", ""), ja=own.ja or ja, tag=own.tag or tag)


class NounWords(_Model):
    """Words for a kind of figure or thing.

    en: a noun without article. plural: takes none and is one thing or a pair. article: "a", "an" or "" (none). ja: a
    noun. tags: in the vocabulary of anime models.
    """

    en: str
    ja: str
    tags: Words = ()
    plural: bool = False
    article: str = Field(default="by letter", validate_default=True)

    @field_validator("article")
    @classmethod
    def _by_letter(cls, article: str, info: ValidationInfo) -> str:
        if article != "by letter":
            return article
        if info.data.get("plural"):
            return ""
        return "an" if info.data.get("en", " ")[:1].lower() in "aeiou" else "a"

    @property
    def noun(self) -> str:
        """The English noun with its article: "a skirt", "glasses"."""
        return f"{self.article} {self.en}".strip()


class KindWords(NounWords):
    """Words for a kind of figure.

    surface: what its color is said of: its skin, its body, or the noun itself. pronoun: "" where none is safe.
    """

    surface: Literal["skin", "body", "noun"] = "skin"
    pronoun: Literal["", "she", "he", "it"] = ""


class ItemWords(NounWords):
    """Words for a garment or thing.

    parts: labels of surface that may be it. names, ja_names: words of names in files that mean it. color_tag: the tag
    with "{color}" for a color's tag, "" for none. en_color: the noun with "{color}" where that
    does not come first. generic: what a part is called where nothing tells more.
    """

    parts: Annotated[tuple[Annotated[str, AfterValidator(_part)], ...], BeforeValidator(_listed)]
    names: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    ja_names: Annotated[tuple[str, ...], BeforeValidator(_split_at_spaces)] = ()
    color_tag: str = Field(default="by tag", validate_default=True)
    en_color: str = ""
    generic: bool = False

    @field_validator("color_tag")
    @classmethod
    def _by_tag(cls, color_tag: str, info: ValidationInfo) -> str:
        if color_tag != "by tag":
            return color_tag
        return f"{{color}} {info.data['tags'][0]}" if info.data.get("tags") else ""


class _Colors(_Model):
    colors: dict[str, ColorWords]


class _Items(_Model):
    items: dict[str, ItemWords]


class _Kinds(_Model):
    kinds: dict[str, KindWords]


@cache
def all_colors() -> Mapping[str, ColorWords]:
    """Color's name → words, in the file's order."""
    return strict_yaml.load(_FOLDER / "colors.yaml", _Colors).colors


@cache
def all_items() -> Mapping[str, ItemWords]:
    """Item's kind → words, in the file's order."""
    return strict_yaml.load(_FOLDER / "items.yaml", _Items).items


@cache
def all_kinds() -> Mapping[str, KindWords]:
    """Kind of figure → words, in the file's order."""
    return strict_yaml.load(_FOLDER / "kinds.yaml", _Kinds).kinds
