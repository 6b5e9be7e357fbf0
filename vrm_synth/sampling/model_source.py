"""Which model a name means: a training run's checkpoint, a diffusers folder, or one that needs no download."""

from __future__ import annotations

import shlex
from pathlib import Path

from vrm_synth.models import Base, open_base, open_run
from vrm_synth.models.base_location import is_repository
from vrm_synth.models.checkpoints import Say, find_checkpoint, read_state
from vrm_synth.models.run_checkpoint import open_run_base
from vrm_synth.sampling.run_facts import check_model, is_run, read_run


def open_model(
    source: str,
    checkpoint: str | None = None,
    *,
    base: str | None = None,
    offline: bool = True,
    say: Say = lambda text: None,
) -> Base:
    """source: a run's folder, or what `open_base` takes; checkpoint: of a run, as `find_checkpoint` takes it; base:
    where a run's base lies now, if not where it did; say: called with one line where another checkpoint than the
    newest is taken.

    Raises ModelError, and SamplingError where a checkpoint or a base is asked of what has none.
    """
    check_model(source, checkpoint, base)
    if is_run(source):
        return open_run(Path(source), checkpoint, base=base, offline=offline, say=say)
    return open_base(source, offline=offline)


def open_beginning(
    run: Path, checkpoint: str | None = None, *, base: str | None = None, offline: bool = True
) -> tuple[Base, str | None]:
    """What the run began with, and how `vrm-synth sample` names it, quoted; None where it began with new weights. The
    rest as in `open_model`. Raises ModelError."""
    model = read_state(find_checkpoint(run, checkpoint))["model"]
    opened = open_run_base(run, model, base=base, offline=offline)
    if model["scratch"] is not None:
        return opened, None
    name = base or str(model["base"])
    return opened, shlex.quote(name if is_repository(name) else str(opened.folder))


def default_side(source: str, model: Base) -> int:
    """Pixels of the square that the model draws best: what the run was trained at, or the model made for."""
    return read_run(Path(source)).side if is_run(source) else model.side
