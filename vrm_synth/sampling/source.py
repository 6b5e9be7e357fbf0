"""Which model a name means: a training run, or a diffusers folder."""

from __future__ import annotations

from pathlib import Path

from vrm_synth.sampling.model import Model, open_folder
from vrm_synth.sampling.settings import SamplingError


def open_model(source: str, checkpoint: str | None = None) -> Model:
    """Raises SamplingError where there is no such model, and where a checkpoint is asked of what has none."""
    folder = Path(source)
    if checkpoint is not None:
        raise SamplingError("only a run has checkpoints", got=checkpoint, where=source)
    if not (folder / "model_index.json").is_file():
        raise SamplingError("no model", allowed="a run's folder or a diffusers folder", where=source)
    return open_folder(folder)
