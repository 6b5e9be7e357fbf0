"""Hair, eyes, skin, garments and accessories of one picture: what is known of the avatar, where enough of it shows.

What an avatar looks like was found once (appearance/); here pixels alone decide what of it this picture shows. All
numbers of pixels are for a picture of 512 × 512.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vrm_synth.appearance.appearance import Appearance, KnownItem
from vrm_synth.appearance.surface_groups import Feature
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.facts import HairFacts, Item, SkinFacts
from vrm_synth.parts.part_names import ACCESSORY_PARTS, GARMENT_PARTS, HAIR_PARTS, SKIN_PARTS

FACE = ("hair", "brow", "eye_white", "mouth")  # whose looks are told as accessories' are: a beard, big eyes
TORSO = ("torso", "hips", "leftUpperArm", "rightUpperArm")

MIN_HAIR = 250  # pixels of hair for its color
MIN_HAIR_END = 25  # pixels of hair below the shoulders, which show that it is long: locks before the chest are thin
MIN_TORSO = 1500  # pixels of the torso, before or behind which long hair would show
MIN_TAIL = 300  # pixels of a tail of hair
MIN_IRIS = 40  # pixels of both irises
MIN_IRIS_OF_FACE = 0.02  # the same, as a share of the face's: through lids that are nearly closed no color is seen
MIN_DOTS_OF_FACE = 0.006  # of eyes that are black dots
MIN_SKIN = 400  # pixels of face and body
MIN_ITEM: dict[str, int] = {  # pixels of an item, by its part
    "outer_garment": 800,
    "one_piece": 800,
    "upper_garment": 800,
    "lower_garment": 600,
    "legwear": 300,
    "shoes": 200,
    "gloves": 150,
    "hat": 150,
    "glasses": 62,  # less is a rim from the side, as good as hidden
    "ornament": 25,
    "animal_ears": 100,
    "tail": 120,
    "wings": 250,
    "held_thing": 500,
    "other": 150,
    "hair": 400,  # of the face
    "brow": 40,
    "eye_white": 80,
    "mouth": 60,
}
COLOR_SHARE = 0.12  # least share of an item's (of hair's) visible pixels that a second color has
MIN_COLOR = 40  # pixels of a color, except where an item needs fewer to be named at all


def hair_facts(drawn: DrawnBody, appearance: Appearance) -> HairFacts:
    """Colors, length and style of the hair, each where it shows."""
    a = appearance
    if a.hair_length == "bald":
        head = _pixels(drawn, lambda f: f.part == "face_skin")
        return HairFacts(length="bald" if head >= MIN_HAIR else "")
    hair = _pixels(drawn, lambda f: f.part in HAIR_PARTS)
    if hair < MIN_HAIR:
        return HairFacts()
    shown = {c: _pixels(drawn, lambda f, c=c: f.part in HAIR_PARTS and f.color == c) for c in a.hair_colors}  # type: ignore[misc]
    return HairFacts(
        colors=_colors(a.hair_colors, shown, hair, MIN_COLOR),
        length=a.hair_length if _length_shows(drawn, a.hair_length) else "",  # type: ignore[arg-type]
        style=a.hair_style if _style_shows(drawn, a.hair_style) else "",  # type: ignore[arg-type]
    )


def eye_colors(drawn: DrawnBody, appearance: Appearance) -> tuple[str, ...]:
    """Colors of the eyes, where enough of an iris shows."""
    iris, face = (_pixels(drawn, lambda f, p=p: f.part == p) for p in ("iris", "face_skin"))  # type: ignore[misc]
    share = MIN_DOTS_OF_FACE if appearance.eye_colors == ("black",) else MIN_IRIS_OF_FACE
    least = max(MIN_IRIS * max(1, len(appearance.eye_colors)), round(share * face, 3))
    return appearance.eye_colors if iris >= least else ()


def skin_facts(drawn: DrawnBody, appearance: Appearance) -> SkinFacts:
    """Tone or color of the skin, where enough of it shows."""
    color = appearance.skin_color
    if _pixels(drawn, lambda f: f.part in SKIN_PARTS and (not color or f.color == color)) < MIN_SKIN:
        return SkinFacts()
    return SkinFacts(appearance.skin_tone, appearance.skin_color)  # type: ignore[arg-type]


def garments(drawn: DrawnBody, appearance: Appearance) -> tuple[Item, ...]:
    """The garments in sight, outermost first, legwear, shoes and gloves last."""
    return _items(drawn, appearance, GARMENT_PARTS)


def accessories(drawn: DrawnBody, appearance: Appearance) -> tuple[Item, ...]:
    """Hats, glasses, ornaments, animal ears, tails, wings, held things and beards in sight."""
    return _items(drawn, appearance, (*ACCESSORY_PARTS, *FACE))


def _items(drawn: DrawnBody, appearance: Appearance, parts: tuple[str, ...]) -> tuple[Item, ...]:
    of_parts = [(k, i) for k, i in enumerate(appearance.items) if i.part in parts]
    of_parts.sort(key=lambda entry: parts.index(entry[1].part))
    return tuple(item for k, known in of_parts if (item := _item(drawn, k, known)) is not None)


def _item(drawn: DrawnBody, index: int, known: KnownItem) -> Item | None:
    least = MIN_ITEM[known.part]
    pixels = _scaled(drawn, drawn.pixels.by_item.get(index, 0.0))
    if not known.kind or pixels < least:
        return None
    shown = {c: _scaled(drawn, drawn.pixels.by_item_and_color.get((index, c), 0.0)) for c in known.colors}
    return Item(known.kind, _colors(known.colors, shown, pixels, min(least // 2, MIN_COLOR)))


def _colors(colors: tuple[str, ...], shown: Mapping[str, float], total: float, least: float) -> tuple[str, ...]:
    """The known colors of a thing of which the picture shows enough, in their known order.

    A thing of one color has it wherever it shows: its shades and seams are no other color. shown: color → pixels;
    total: pixels of the thing.
    """
    if len(colors) < 2:
        return tuple(c for c in colors if shown[c] >= least)
    return tuple(c for c in colors if shown[c] >= max(least, COLOR_SHARE * total))


def _length_shows(drawn: DrawnBody, length: str) -> bool:
    """True where the picture shows how long the hair is: its end below the shoulders, or a body without any there."""
    if length == "long":
        return _pixels(drawn, lambda f: f.part in HAIR_PARTS and f.place.endswith("low")) >= MIN_HAIR_END
    return _pixels(drawn, lambda f: f.region in TORSO and f.part not in HAIR_PARTS) >= MIN_TORSO


def _style_shows(drawn: DrawnBody, style: str) -> bool:
    """True where the picture shows what makes the style: one tail, both tails, or that there is no more hair."""
    if style == "twintails":
        sides = ("tail_left", "tail_right")
        return all(_pixels(drawn, lambda f, s=s: f.place.startswith(s)) >= MIN_TAIL for s in sides)  # type: ignore[misc]
    if style == "ponytail":
        return _pixels(drawn, lambda f: f.place.startswith("tail")) >= MIN_TAIL
    return _length_shows(drawn, "short")


def _pixels(drawn: DrawnBody, test: Callable[[Feature], bool]) -> float:
    """Pixels of the features for which `test` holds, as of a picture of 512 × 512."""
    return _scaled(drawn, drawn.pixels.where(test))


def _scaled(drawn: DrawnBody, pixels: float) -> float:
    return round(pixels / drawn.scale, 3)
