"""Diffusion models: base folders, presets, checkpoints of training runs, and conversion of pickles to safetensors.

Names are imported lazily: presets, and the search for bases and checkpoints, need no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vrm_synth.core.lazy_imports import lazily

if TYPE_CHECKING:
    from vrm_synth.models.base_presets import PRESETS, Preset
    from vrm_synth.models.diffusion_model import DiffusionModel, open_base
    from vrm_synth.models.run_checkpoint import open_run

__all__ = ["PRESETS", "DiffusionModel", "Preset", "open_base", "open_run"]

__getattr__ = lazily(
    __name__,
    {
        "PRESETS": "base_presets",
        "DiffusionModel": "diffusion_model",
        "Preset": "base_presets",
        "open_base": "diffusion_model",
        "open_run": "run_checkpoint",
    },
)
