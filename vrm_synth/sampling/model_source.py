"""Model that a user names, a training run's folder, a diffusers folder or a built-in preset: check it, then open it.

The checks need no torch, so that a mistyped name is reported before torch is imported; opening imports it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from vrm_synth import models
from vrm_synth.models.base_location import check_source, is_repository
from vrm_synth.models.checkpoint_files import Log, find_checkpoint, read_state
from vrm_synth.sampling.sampler_settings import SamplingError

if TYPE_CHECKING:
    from vrm_synth.models import DiffusionModel

MAX_CONFIG_BYTES = 1 << 20  # bytes


@dataclass(frozen=True)
class RunSettings:
    """The part of a run.yaml that sampling needs.

    side: pixels of the square, in the last stage.
    datasets: (folder, split) of each source.
    validation_split: split that is not trained on; None where the run has none.
    background: "#rrggbb" behind transparent images.
    """

    side: int
    datasets: tuple[tuple[Path, str], ...]
    validation_split: str | None
    background: str


def is_run_folder(source: str) -> bool:
    """Tell whether a model name is a training run's folder."""
    return (Path(source) / "run.yaml").is_file()


def check_model(source: str, checkpoint: str | None = None, base: str | None = None) -> None:
    """Check that a model exists, without opening it.

    checkpoint: of a run, as `find_checkpoint` takes it.
    base: where a run's base model is now.

    Raises ModelError, and SamplingError for a checkpoint or a base of a model that is not a run.
    """
    if is_run_folder(source):
        find_checkpoint(Path(source), checkpoint)
        if base is not None:
            check_source(base)
        return
    for what, value in (("only a run has checkpoints", checkpoint), ("only a run's base can be named", base)):
        if value is not None:
            raise SamplingError(what, got=value, where=source)
    check_source(source)


def check_lora(file: Path) -> None:
    """Raises SamplingError unless it is a .safetensors file."""
    if file.suffix != ".safetensors" or not file.is_file():
        raise SamplingError("not a LoRA that can be opened", allowed="a .safetensors file", where=file)


def read_run_settings(run: Path) -> RunSettings:
    """Read RUN/run.yaml. Raises SamplingError."""
    file = run / "run.yaml"
    try:
        if file.stat().st_size > MAX_CONFIG_BYTES:
            raise ValueError(f"{file.stat().st_size} bytes")
        config = yaml.safe_load(file.read_bytes())
        data, stages = config["data"], config.get("stages") or []
        datasets = tuple((Path(s["path"]), str(s["split"])) for s in data["sources"])
        side = int(stages[-1]["size"] if stages else data["size"])
        validation_split = str(config["validation"]["split"]) if config.get("validation") else None
        return RunSettings(side, datasets, validation_split, str(data["background"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as e:
        raise SamplingError("not a run's configuration", got=str(e), where=file) from e


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
        return models.open_run(Path(source), checkpoint, base=base, offline=offline, log=log)
    return models.open_base(source, offline=offline)


def open_base_of_run(
    run: Path, checkpoint: str | None = None, *, base: str | None = None, offline: bool = True
) -> tuple[DiffusionModel, str | None]:
    """Open the base model that a run started from.

    Returns the model and its name as a quoted argument of `vrm-synth sample`; None where the run started from new
    weights, which no file holds. Parameters as in `open_model`. Raises ModelError.
    """
    from vrm_synth.models.run_checkpoint import open_run_base

    entry = read_state(find_checkpoint(run, checkpoint))["model"]
    opened = open_run_base(run, entry, base=base, offline=offline)
    if entry["scratch"] is not None:
        return opened, None
    name = base or str(entry["base"])
    return opened, shlex.quote(name if is_repository(name) else str(opened.folder))


def default_side(source: str, model: DiffusionModel) -> int:
    """Default side of an image in pixels: what the run was trained at, or what the model was made for."""
    return read_run_settings(Path(source)).side if is_run_folder(source) else model.side
