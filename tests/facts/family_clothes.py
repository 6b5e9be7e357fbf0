"""Ground truth for clothes and things of the built-in family: kinds, colors, and the materials that show them."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator

import numpy as np

from tests.facts.family_picture import Picture
from tests.facts.verdict import PLAIN, SMALL, Verdict
from vrm_synth.builtin_avatar.params import OUTFIT_COLORS
from vrm_synth.builtin_avatar.surface.palette import palette
from vrm_synth.facts.facts import Facts, Item
from vrm_synth.parts.labeling import measured
from vrm_synth.vrm.drawn_triangles import drawn_triangles


def color_fits(name: str, rgb: tuple[float, float, float]) -> bool:
    """A name fits an sRGB color, by wide ranges of hue, saturation and value."""
    h, s, v = colorsys.rgb_to_hsv(*rgb)
    h *= 360
    limits = {"dark": (0.0, 0.55), "light": (0.72, 1.0), "pale": (0.72, 1.0)}
    for word, (low, high) in limits.items():  # of the color's value, whatever its hue
        if name == word or name.startswith(f"{word}_"):
            if not low <= v <= high or (word == "pale" and s > 0.3):
                return False
            if name in (word, "light_colored"):
                return s < 0.35 or word == "dark"
            name = name.removeprefix(f"{word}_")
    if name in ("black",):
        return v < 0.38
    if name in ("white",):
        return v > 0.8 and s < 0.18
    if (name in ("mauve", "blue_gray") and s > 0.5) or (name in ("cream", "lavender", "mint") and v < 0.75):
        return False
    if name in ("gray", "silver"):
        return s < 0.28
    hues = {
        "red": ((340, 360), (0, 15)), "pink": ((300, 360), (0, 15)), "orange": ((10, 42),),
        "brown": ((0, 45), (345, 360)), "yellow": ((38, 70),), "blonde": ((30, 62),), "gold": ((30, 62),),
        "beige": ((15, 60),), "green": ((75, 170),), "teal": ((160, 200),), "aqua": ((165, 205),),
        "blue": ((185, 260),), "navy": ((210, 262),), "purple": ((240, 320),), "salmon": ((0, 25),),
        "magenta": ((290, 345),), "cream": ((35, 70),), "khaki": ((30, 65),), "olive": ((45, 90),),
        "mint": ((140, 180),), "blue_green": ((150, 190),), "blue_gray": ((190, 260),), "lavender": ((230, 310),),
        "mauve": ((280, 350),),
    }.get(name, ())  # fmt: skip
    return any(a <= h <= b for a, b in hues)


# kind → (outfits that have it, materials that it is made of)
GARMENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "sailor_uniform": (("sailor",), ("Top", "Collar", "Trim", "Skirt")),
    "sailor_shirt": (("sailor",), ("Top", "Collar", "Trim")),
    "shirt": (("sailor",), ("Top", "Collar", "Trim")),
    "skirt": (("sailor",), ("Skirt",)),
    "pleated_skirt": (("sailor",), ("Skirt",)),
    "dress": (("dress",), ("Top", "Skirt", "Trim", "Collar")),
    "hoodie": (("hoodie",), ("Top", "Rib", "Pocket")),
    "shorts": (("hoodie",), ("Dark",)),
    "socks": (("sailor", "dress"), ("Sock",)),
    "kneehighs": (("sailor",), ("Sock",)),
    "thighhighs": (("hoodie",), ("Sock",)),
    "legwear": (("sailor", "dress", "hoodie"), ("Sock",)),
    "shoes": (("sailor", "dress", "hoodie"), ("Shoe", "Sole")),
    "loafers": (("sailor", "dress"), ("Shoe", "Sole")),
    "sneakers": (("hoodie",), ("Shoe", "Sole")),
    "shirt_collar": (("dress",), ("Collar",)),
    "star_print": (("hoodie",), ("Print",)),
    "neckerchief": (("sailor",), ("Accent",)),
    "bow": (("sailor", "dress"), ("Accent",)),
    "ribbon": (("sailor", "dress"), ("Accent",)),
}
# What each outfit plainly has: any of these kinds will do, where so many pixels of the materials show.
EXPECTED: dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = {
    "sailor": (
        (("sailor_uniform", "sailor_shirt", "shirt"), ("Top", "Collar")),
        (("skirt", "pleated_skirt", "sailor_uniform"), ("Skirt",)),
        (("socks", "kneehighs", "legwear"), ("Sock",)),
        (("shoes", "loafers"), ("Shoe",)),
    ),
    "dress": ((("dress",), ("Top", "Skirt")), (("socks", "legwear"), ("Sock",)), (("shoes", "loafers"), ("Shoe",))),
    "hoodie": (
        (("hoodie",), ("Top",)),
        (("shorts",), ("Dark",)),
        (("thighhighs", "legwear"), ("Sock",)),
        (("shoes", "sneakers"), ("Shoe",)),
    ),
}
ACCESSORIES: dict[str, tuple[str, ...]] = {
    "glasses": ("glasses",), "ribbon": ("hair_ribbon", "hair_ribbons"), "hairclip": ("hairclip",), "none": (),
}  # fmt: skip


def _garment_colors(p: Picture, kind: str) -> list[tuple[float, float, float]]:
    c = palette(p.params)
    if kind in ("shoes", "loafers", "sneakers"):
        brown = (0.36, 0.22, 0.17)
        return [brown] if p.params.outfit != "hoodie" else [tuple(np.array(c.cloth) * 0.25 + 0.75)]  # type: ignore[list-item]
    if kind in ("socks", "kneehighs", "thighhighs", "legwear"):
        share = {"sailor": 0.35, "hoodie": 0.15}.get(p.params.outfit)
        return [c.white] if share is None else [tuple(np.array(c.dark) * (1 - share) + np.array(c.cloth) * share)]  # type: ignore[list-item]
    if kind == "shorts":
        return [c.dark]
    if kind in ("neckerchief", "bow", "ribbon", "hair_ribbon", "hair_ribbons", "hairclip", "hair_tie", "hair_ties"):
        return [c.accent, c.accent_shade]
    return [c.cloth, c.white]


def judge_items(facts: Facts, p: Picture) -> Iterator[Verdict]:
    claim = [*facts.garments, *facts.accessories]
    for item in claim:
        yield from _item(item, p)
    outfit = p.params.outfit
    for kinds, materials in EXPECTED[outfit]:
        pixels = sum(p.by_material.get(m, 0.0) for m in materials)
        known = next((i for i in claim if i.kind in kinds), None)
        group = _group(kinds[0])
        yield Verdict(f"{group} in sight", known.kind if known else "", True, pixels >= PLAIN)
        if known and pixels >= PLAIN:
            yield Verdict(f"color of {group} in sight", " and ".join(known.colors), True, True)
    for kind in ACCESSORIES[p.params.accessory]:
        material = {"glasses": ("Frame", "Lens")}.get(kind, ("Accent",))
        pixels = _hair_accent(p) if material == ("Accent",) else p.by_material.get("Frame", 0.0)
        claimed = any(i.kind in ACCESSORIES[p.params.accessory] for i in facts.accessories)
        ties = kind == "hairclip" and p.params.hair_style in ("ponytail", "twintails")  # of the same material
        yield Verdict("accessory in sight", kind if claimed else "", True, pixels >= SMALL and not ties)
        break


def _hair_accent(p: Picture) -> float:
    """Pixels of bands and bows that the head moves."""
    d = drawn_triangles(p.avatar)
    lead = measured(p.avatar)[0].lead
    head = {p.avatar.humanoid["head"]} | {n for n, node in enumerate(p.avatar.nodes) if node.name.startswith("hair")}
    accent = np.array([p.avatar.materials[m].name == "Accent" for m in d.material_of]) & np.isin(lead, sorted(head))
    return float(accent[p.triangle[p.triangle >= 0]].sum()) / p.scale


def _group(kind: str) -> str:
    if kind in ("socks", "kneehighs", "thighhighs", "legwear"):
        return "legwear"
    return "shoes" if kind in ("shoes", "loafers", "sneakers") else "garment"


def _item(item: Item, p: Picture) -> Iterator[Verdict]:
    of_head = {k: a for a, kinds in ACCESSORIES.items() for k in kinds}
    if item.kind in of_head:
        pixels = p.by_material.get("Frame", 0.0) if item.kind == "glasses" else _hair_accent(p)
        right = p.params.accessory == of_head[item.kind] and pixels >= 10
        yield Verdict("accessory", item.kind, right, False)
    elif item.kind in ("hair_tie", "hair_ties"):
        right = p.params.hair_style in ("ponytail", "twintails") and _hair_accent(p) >= 10
        yield Verdict("accessory", item.kind, right, False)
    else:
        outfits, materials = GARMENTS.get(item.kind, ((), ()))
        pixels = sum(p.by_material.get(m, 0.0) for m in materials)
        right = p.params.outfit in outfits and pixels >= 20
        yield Verdict(_group(item.kind), item.kind, right, False)
    for color in item.colors:
        fits = any(color_fits(color, rgb) for rgb in _garment_colors(p, item.kind))
        if color in OUTFIT_COLORS and item.kind not in ("shorts", "shoes", "loafers", "sneakers"):
            fits |= color == p.params.outfit_color
        yield Verdict("color of an item", f"{color} {item.kind}", fits, False)
