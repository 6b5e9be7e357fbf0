"""Settings of a training run that sampling needs, and checks of model names. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from vrm_synth.models.base_location import check_source
from vrm_synth.models.checkpoints import find_checkpoint
from vrm_synth.sampling.settings import SamplingError

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
