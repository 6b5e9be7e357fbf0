"""Open a model by name: a training run's checkpoint, a diffusers folder, or a built-in preset."""

from __future__ import annotations

import shlex
from pathlib import Path

from vrm_synth.models import DiffusionModel, open_base, open_run
from vrm_synth.models.base_location import is_repository
from vrm_synth.models.checkpoints import Log, find_checkpoint, read_state
from vrm_synth.models.run_checkpoint import open_run_base
from vrm_synth.sampling.run_settings import check_model, is_run_folder, read_run_settings


def open_model(
    source: str,
    checkpoint: str | None = None,
    *,
    base: str | None = None,
    offline: bool = True,
    log: Log = lambda text: None,
) -> DiffusionModel:
    """Open a run's checkpoint or a base model.

    source: a run's folder, or what `open_base` takes.
    checkpoint: of a run, as `find_checkpoint` takes it.
    base: where a run's base model is now, if it was moved.
    log: called with one line where the newest checkpoint is damaged and an older one is used.

    Raises ModelError, and SamplingError for a checkpoint or a base of a model that is not a run.
    """
    check_model(source, checkpoint, base)
    if is_run_folder(source):
        return open_run(Path(source), checkpoint, base=base, offline=offline, log=log)
    return open_base(source, offline=offline)


def open_base_of_run(
    run: Path, checkpoint: str | None = None, *, base: str | None = None, offline: bool = True
) -> tuple[DiffusionModel, str | None]:
    """Open the base model that a run started from.

    Returns the model and its name as a quoted argument of `vrm-synth sample`; None where the run started from new
    weights, which no file holds. Parameters as in `open_model`. Raises ModelError.
    """
    entry = read_state(find_checkpoint(run, checkpoint))["model"]
    opened = open_run_base(run, entry, base=base, offline=offline)
    if entry["scratch"] is not None:
        return opened, None
    name = base or str(entry["base"])
    return opened, shlex.quote(name if is_repository(name) else str(opened.folder))


def default_side(source: str, model: DiffusionModel) -> int:
    """Default side of an image in pixels: what the run was trained at, or what the model was made for."""
    return read_run_settings(Path(source)).side if is_run_folder(source) else model.side
