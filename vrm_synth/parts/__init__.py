"""Part labels of an avatar's triangles and texels: hair, skin, eyes, garments. Names are imported lazily."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vrm_synth.core.lazy_imports import lazily

if TYPE_CHECKING:
    from vrm_synth.parts.labeling import label_parts
    from vrm_synth.parts.overrides import PartOverrides
    from vrm_synth.parts.part_labels import PartLabels
    from vrm_synth.parts.part_names import PART_IDS, PART_NAMES, part_colors

__all__ = ["PART_IDS", "PART_NAMES", "PartLabels", "PartOverrides", "label_parts", "part_colors"]

__getattr__ = lazily(
    __name__,
    {
        **dict.fromkeys(("PART_IDS", "PART_NAMES", "part_colors"), "part_names"),
        "PartLabels": "part_labels",
        "PartOverrides": "overrides",
        "label_parts": "labeling",
    },
)
