"""What a model is: base folders, presets, a run's checkpoints as models, and weights made safe."""

from vrm_synth.models.base import Base, open_base
from vrm_synth.models.presets import PRESETS, Preset
from vrm_synth.models.run import open_run

__all__ = ["PRESETS", "Base", "Preset", "open_base", "open_run"]
