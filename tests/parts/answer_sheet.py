"""The hand-made answers for the shared avatars: answer_sheet.yaml read, and applied to rest pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from vrm_synth.parts.lab_color import lab_from_srgb
from vrm_synth.parts.overrides import PartOverrides
from vrm_synth.parts.part_names import HAIR, PART_IDS, PART_NAMES

SHEET = Path(__file__).with_name("answer_sheet.yaml")
OVERRIDES = Path(__file__).with_name("part_overrides.yaml")
TOLERANCE = 12.0  # of CIE L*a*b* distance
ANYWHERE = (-np.inf, np.inf)


def load_answers() -> dict[str, list[dict[str, Any]]]:
    """File name → its rules."""
    return yaml.safe_load(SHEET.read_text(encoding="utf-8"))


def accepted(rule: dict[str, Any]) -> NDArray[np.bool_]:
    """(len(PART_NAMES),) which labels a rule accepts; hair is right for any hair."""
    names = rule["part"] if isinstance(rule["part"], list) else [rule["part"]]
    ids = {PART_IDS[n] for n in names} | (HAIR if "hair" in names else set())
    return np.isin(np.arange(len(PART_NAMES)), list(ids))


def rule_of_pixel(
    rules: list[dict[str, Any]], position: NDArray[np.float64], rgb: NDArray[np.uint8], node: list[str]
) -> NDArray[np.intp]:
    """(N,) index of the first rule that fits each pixel, −1 where none does.

    position: (N, 3) in heights of the figure, y from its lowest point. rgb: (N, 3) unlit. node: (N,) names.
    """
    lab, out = lab_from_srgb(rgb / 255), np.full(len(rgb), -1)
    names = np.array(node)
    for i, rule in enumerate(rules):
        fits = out < 0
        values = {"x": position[:, 0], "y": position[:, 1], "z": position[:, 2], "side": np.abs(position[:, 0])}
        for key, value in values.items():
            low, high = rule.get(key, ANYWHERE)
            fits &= (value >= low) & (value <= high)
        if "color" in rule:
            hexes = [[int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)] for c in rule["color"]]
            apart = np.linalg.norm(lab[:, None] - lab_from_srgb(np.array(hexes))[None], axis=-1).min(1)
            fits &= apart <= rule.get("tolerance", TOLERANCE)
        if "nodes" in rule:
            fits &= np.isin(names, rule["nodes"])
        out[fits] = i
    return out


def load_overrides() -> dict[str, PartOverrides]:
    """File name → the overrides that a user who has looked at the avatar once would write: part_overrides.yaml."""
    data = yaml.safe_load(OVERRIDES.read_text(encoding="utf-8"))
    return {name: PartOverrides.model_validate(o) for name, o in data.items()}
