"""Which model a name means: a training run's checkpoint, a diffusers folder, or one that needs no download."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from vrm_synth.core.errors import ModelError
from vrm_synth.models import Base, open_base, open_run
from vrm_synth.models.files import read_json
from vrm_synth.models.run import STATE, find_checkpoint, open_run_base
from vrm_synth.sampling.settings import SamplingError

LONGEST_CONFIG = 1 << 20  # bytes


@dataclass(frozen=True)
class RunFacts:
    """What drawing needs of a run.yaml. side: pixels of its squares, at the end; datasets: (folder, split) each;
    kept_back: the split that is not trained on, where there is one; background: "#rrggbb" that transparent pictures
    are laid on."""

    side: int
    datasets: tuple[tuple[Path, str], ...]
    kept_back: str | None
    background: str


def is_run(source: str) -> bool:
    """Whether it is a training run's folder."""
    return (Path(source) / "run.yaml").is_file()


def open_model(source: str, checkpoint: str | None = None) -> Base:
    """source: a run's folder, or what `open_base` takes; checkpoint: of a run, as `find_checkpoint` takes it.

    Raises ModelError, and SamplingError where a checkpoint is asked of what has none.
    """
    if is_run(source):
        return open_run(Path(source), checkpoint)
    if checkpoint is not None:
        raise SamplingError("only a run has checkpoints", got=checkpoint, where=source)
    return open_base(source)


def open_beginning(run: Path, checkpoint: str | None = None) -> tuple[Base, str | None]:
    """What the run began with, and how `vrm-synth sample` names it, quoted; None where it began with new weights.

    Raises ModelError.
    """
    place = find_checkpoint(run, checkpoint)
    try:
        model: dict[str, Any] = read_json(place / STATE)["model"]
        name, scratch = str(model["base"]), model["scratch"]
    except (KeyError, TypeError) as e:
        raise ModelError("not a checkpoint's state", got=repr(e), where=place / STATE) from e
    command = None if scratch is not None else shlex.quote(str(run / name) if name == "base" else name)
    return open_run_base(run, model), command


def read_run(run: Path) -> RunFacts:
    """Of RUN/run.yaml. Raises SamplingError."""
    file = run / "run.yaml"
    try:
        if file.stat().st_size > LONGEST_CONFIG:
            raise ValueError(f"{file.stat().st_size} bytes")
        config = yaml.safe_load(file.read_bytes())
        data, stages = config["data"], config.get("stages") or []
        datasets = tuple((Path(s["path"]), str(s["split"])) for s in data["sources"])
        side = int(stages[-1]["size"] if stages else data["size"])
        kept_back = str(config["validation"]["split"]) if config.get("validation") else None
        return RunFacts(side, datasets, kept_back, str(data["background"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as e:
        raise SamplingError("not a run's configuration", got=str(e), where=file) from e


def default_side(source: str, model: Base) -> int:
    """Pixels of the square that the model draws best: what the run was trained at, or the model made for."""
    return read_run(Path(source)).side if is_run(source) else model.side
