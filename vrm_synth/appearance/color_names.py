"""Names of colors: by the boxes of colors.yaml, for one color or for a surface of several."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrm_synth.appearance.oklch import oklch_from_srgb
from vrm_synth.appearance.words import Of, all_colors
from vrm_synth.core.transforms import Array
from vrm_synth.parts.lab_color import srgb_from_lab
from vrm_synth.parts.sums import sum_by

FIRST_SHARE = 0.52  # least share of a surface that the color has by which it is called
SECOND_SHARE = 0.2  # least share of a second one
TOGETHER = 0.65  # least share that two have together where the first has less than ALONE
ALONE = 0.6
FAMILY_HUE = 20.0  # degrees within which a color is another's light or shade
FAMILY_LIGHTNESS = 22.0
FAMILY_CHROMA = 8.0
FALLBACK_SHARE = 0.8  # least share of a surface that is dark (light-colored), whatever its other names
GRAY = 2.5  # chroma, percent, below which hue says nothing


def name_of(srgb: ArrayLike, of: Of = "things") -> str:
    """The name of one sRGB color (3,) in 0..1, "" where it has none."""
    lightness, chroma, hue = np.round(oklch_from_srgb(srgb), 2).tolist()
    return _named(lightness, chroma, hue, of)


@lru_cache(4096)
def _named(lightness: float, chroma: float, hue: float, of: Of) -> str:
    """Without a dead band before a fallback, which stays true beside it."""
    fits = [
        n for n, words in all_colors().items() if any(of in b.of and b.has(lightness, chroma, hue) for b in words.boxes)
    ]
    return next((n for n in fits if not all_colors()[n].fallback), fits[0] if fits else "")


def without_fallback(name: str) -> str:
    """The name of a color, "" of a fallback: "dark glasses" would be sunglasses, "dark skin" a person's."""
    return "" if name and all_colors()[name].fallback else name


def main_color(name: str) -> str:
    """The color that a name is a lighter or darker one of, or itself."""
    return (all_colors()[name].shade_of or name) if name else ""


def name_surface(lab: Array, cluster: NDArray[np.intp], area: Array, of: Of = "things") -> tuple[str, ...]:
    """Up to two names of a surface of N cells, the larger first; () where no name fits.

    lab: (K, 3) colors. cluster: (N,) color of each cell. area: (N,) square metres.
    """
    own = sum_by(cluster, area, len(lab))
    total = float(own.sum())
    if total <= 0:
        return ()
    shares: dict[str, float] = {}
    for name, part in zip(family_names(lab, own, of), own.tolist(), strict=True):
        shares[name] = shares.get(name, 0.0) + part / total
    words = all_colors()
    named = {n: round(share, 3) for n, share in shares.items() if n and not words[n].fallback}
    return choose(named) or fallback_of(lab, cluster, area, of)


def fallback_of(lab: Array, cluster: NDArray[np.intp], area: Array, of: Of = "things") -> tuple[str, ...]:
    """The fallback that holds of nearly all of a surface, whatever its colors' own names; () where none does."""
    lch = oklch_from_srgb(srgb_from_lab(lab)).tolist()
    own = sum_by(cluster, area, len(lab))
    share = own / max(float(own.sum()), 1e-30)
    for name, words in all_colors().items():
        boxes = [box for box in words.boxes if words.fallback and of in box.of]
        here = sum(s for color, s in zip(lch, share.tolist(), strict=True) if any(b.has(*color) for b in boxes))
        if round(here, 3) >= FALLBACK_SHARE:
            return (name,)
    return ()


def choose(shares: dict[str, float]) -> tuple[str, ...]:
    """The names that stand for a surface. shares: name → share of the surface."""
    by_share = sorted(shares, key=lambda n: (-shares[n], n))
    order: list[str] = []  # the largest of each color and its shades
    sums: dict[str, float] = {}
    for name in by_share:
        leader = next((n for n in order if main_color(n) == main_color(name)), name)
        order += [name] if leader == name else []
        sums[leader] = sums.get(leader, 0.0) + shares[name]
    order.sort(key=lambda n: (-sums[n], n))
    if not order:
        return ()
    first = order[0]
    second = order[1] if len(order) > 1 and sums[order[1]] >= SECOND_SHARE else ""
    if second and sums[first] + sums[second] >= TOGETHER:
        return first, second
    return (first,) if sums[first] >= (FIRST_SHARE if not second else ALONE) else ()


def as_called(names: Sequence[str], lab: Array, called: Sequence[str], of: Of) -> list[str]:
    """The names of K colors (K, 3) of a thing, where a shade of what the thing is called has that name."""
    shades = {main_color(name): name for name in reversed(called)}
    fallbacks = [n for n in called if all_colors()[n].fallback]
    boxes = [box for n in fallbacks for box in all_colors()[n].boxes if of in box.of]
    if not boxes:
        return [shades.get(main_color(name), name) for name in names]
    lch = oklch_from_srgb(srgb_from_lab(lab)).tolist()
    return [fallbacks[0] if any(b.has(*color) for b in boxes) else "" for color in lch]


def family_names(lab: Array, area: Array, of: Of) -> list[str]:
    """The name of each of K colors, where light and shade of one color share the name of their mean.

    lab: (K, 3). area: (K,). Families are found from the largest color on.
    """
    srgb = srgb_from_lab(lab)
    lch = oklch_from_srgb(srgb)
    names = [""] * len(lab)
    left = [k for k in np.argsort(-area, kind="stable").tolist() if area[k] > 0]
    while left:
        main = left[0]
        family = [k for k in left if _is_shade(lch[k].tolist(), lch[main].tolist())]
        name = _family_name(srgb, area, family, of)
        for k in family:
            names[k] = name
        left = [k for k in left if k not in family]
    return names


def _family_name(srgb: Array, area: Array, family: Sequence[int], of: Of) -> str:
    weight = area[family] / area[family].sum()
    own = [name_of(srgb[k], of) for k in family]
    named: dict[str, float] = {}
    for name, share in zip(own, weight.tolist(), strict=True):
        named[name] = named.get(name, 0.0) + share
    best = max((n for n in named if n), key=lambda n: (round(named[n], 3), n), default="")
    if best and named[best] >= ALONE:
        return best
    mean = name_of((srgb[family] * weight[:, None]).sum(0), of)
    return mean if mean in named else ""


def _is_shade(color: Sequence[float], main: Sequence[float]) -> bool:
    if abs(color[0] - main[0]) > FAMILY_LIGHTNESS or abs(color[1] - main[1]) > FAMILY_CHROMA:
        return False
    if min(color[1], main[1]) < GRAY:
        return abs(color[1] - main[1]) < GRAY
    return abs((color[2] - main[2] + 180.0) % 360.0 - 180.0) <= FAMILY_HUE
