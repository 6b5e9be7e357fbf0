"""What a name of a model is, and what drawing needs of a run's configuration. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from vrm_synth.models.base_location import check_source
from vrm_synth.models.checkpoints import find_checkpoint
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


def check_model(source: str, checkpoint: str | None = None, base: str | None = None) -> None:
    """Whether there is such a model, as far as can be told without opening it. base: where a run's base lies now.

    Raises ModelError, and SamplingError where a checkpoint or a base is asked of what has none."""
    if is_run(source):
        find_checkpoint(Path(source), checkpoint)
        if base is not None:
            check_source(base)
        return
    for what, asked in (("only a run has checkpoints", checkpoint), ("only a run's base can be named", base)):
        if asked is not None:
            raise SamplingError(what, got=asked, where=source)
    check_source(source)


def check_lora(file: Path) -> None:
    """Raises SamplingError where it is no file of safetensors."""
    if file.suffix != ".safetensors" or not file.is_file():
        raise SamplingError("not a LoRA that can be opened", allowed="a .safetensors file", where=file)


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
