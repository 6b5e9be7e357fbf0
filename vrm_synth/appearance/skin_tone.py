"""Tone of a human skin by its individual typology angle (ITA), and the color of any other."""

from __future__ import annotations

import numpy as np

from vrm_synth.appearance.color_names import name_surface, without_fallback
from vrm_synth.appearance.oklch import oklch_from_srgb
from vrm_synth.core.transforms import Array
from vrm_synth.parts.lab_color import srgb_from_lab
from vrm_synth.parts.sums import sum_by

# ITA in degrees, arctan((L* − 50) / b*), of painted skins, which are lighter than people's: [from, to], "" between.
TONES: dict[str, tuple[float, float]] = {
    "fair": (76.0, 90.0),
    "light": (58.0, 73.0),
    "tan": (36.0, 53.0),
    "brown": (2.0, 26.0),
    "dark": (-90.0, -10.0),
}
HUMAN_HUE = (28.0, 84.0)  # OKLCh degrees
PALE_HUE, PALE = 14.0, (84.0, 6.0)  # of pale skin, that of lightness and chroma, hue begins earlier
HUMAN_CHROMA = (1.2, 13.5)  # percent
NEAR = 12.0  # L*a*b* distance within which a color is the main one, or its shade
MAIN = 0.45  # least share of the skin that its main color has for a tone


def skin_tone(lab: Array, color: np.ndarray, area: Array) -> tuple[str, str]:
    """(tone, color's name), one of them "" or both, of a surface of N cells.

    lab: (K, 3) colors. color: (N,) index of each cell's. area: (N,) square metres.
    """
    own = sum_by(color, area, len(lab))
    if own.sum() <= 0:
        return "", ""
    main = int(own.argmax())
    near = np.linalg.norm(lab - lab[main], axis=1) < NEAR
    share = float(own[near].sum() / own.sum())
    mean = (lab[near] * own[near, None]).sum(0) / own[near].sum()
    if share < MAIN:
        return "", ""
    if is_human(mean):
        return tone_of(mean), ""
    names = name_surface(lab, color, area)
    return "", without_fallback(names[0]) if len(names) == 1 else ""


def is_human(lab: Array) -> bool:
    """True for a color (3,) that human skin can have."""
    lightness, chroma, hue = oklch_from_srgb(srgb_from_lab(lab)).tolist()
    pale = lightness >= PALE[0] and chroma <= PALE[1]
    low = PALE_HUE if pale else HUMAN_HUE[0]
    return low <= hue <= HUMAN_HUE[1] and HUMAN_CHROMA[0] <= chroma <= HUMAN_CHROMA[1] and bool(lab[2] > 0)


def tone_of(lab: Array) -> str:
    """The tone of a human skin's color (3,); "" between two tones."""
    angle = round(float(np.degrees(np.arctan2(lab[0] - 50.0, lab[2]))), 2)
    return next((name for name, (low, high) in TONES.items() if low <= angle <= high), "")
