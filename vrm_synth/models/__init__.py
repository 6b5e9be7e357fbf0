"""What a model is: base folders, presets, a run's checkpoints as models, and weights made safe. Each name is imported
when it is asked for: presets, and where bases and checkpoints lie, are known without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vrm_synth.core.lazy_imports import lazily

if TYPE_CHECKING:
    from vrm_synth.models.base import Base, open_base
    from vrm_synth.models.base_presets import PRESETS, Preset
    from vrm_synth.models.run_checkpoint import open_run

__all__ = ["PRESETS", "Base", "Preset", "open_base", "open_run"]

__getattr__ = lazily(
    __name__,
    {"PRESETS": "base_presets", "Base": "base", "Preset": "presets", "open_base": "base", "open_run": "run_checkpoint"},
)
