"""Which model a name means: a training run's checkpoint, a diffusers folder, or one that needs no download."""

from __future__ import annotations

from pathlib import Path

from vrm_synth.models import Base, open_base, open_run
from vrm_synth.sampling.settings import SamplingError


def is_run(source: str) -> bool:
    """Whether it is a training run's folder."""
    return (Path(source) / "checkpoints").is_dir()


def open_model(source: str, checkpoint: str | None = None) -> Base:
    """source: a run's folder, or what `open_base` takes; checkpoint: of a run, as `find_checkpoint` takes it.

    Raises ModelError, and SamplingError where a checkpoint is asked of what has none.
    """
    if is_run(source):
        return open_run(Path(source), checkpoint)
    if checkpoint is not None:
        raise SamplingError("only a run has checkpoints", got=checkpoint, where=source)
    return open_base(source)
