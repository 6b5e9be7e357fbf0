"""Train a model on captioned pictures: `vrm_synth.train`. Torch is imported by the call, after the settings' checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vrm_synth.training.callbacks import Callbacks
from vrm_synth.training.config import RunConfig
from vrm_synth.training.run_checks import check_run
from vrm_synth.yaml_models.strict_yaml import check, load


def train(
    config: str | Path | Mapping[str, Any],
    out: str | Path,
    *,
    callbacks: Callbacks | None = None,
    device: str | None = None,
    offline: bool = True,
) -> int:
    """Train a latent diffusion model. The same call again resumes from the last checkpoint; raise `steps` to train on.

    config: the path of a run's YAML file, or its keys as a mapping, paths starting from the working folder:
    {"base": "tiny", "steps": 1000, "data": {"sources": ["out/pictures"]}}; docs/training.md has them all.
    out: the run's folder. callbacks: called as the run goes. device: "cpu" for the CPU even where
    there is a GPU. offline: True refuses a base that is not on this machine, False downloads it.
    Returns the step that is reached. Raises RecipeError, TrainError, ModelError, DatasetError.
    """
    run, settings = Path(out), _read_config(config)
    check_run(settings, run)  # typos are reported before the slow import of torch
    from vrm_synth.training import loop

    return loop.train(settings, run, callbacks, device=device, offline=offline)


def _read_config(config: str | Path | Mapping[str, Any]) -> RunConfig:
    if isinstance(config, Mapping):
        return check(config, RunConfig, "train", base=Path.cwd())
    file = Path(config)
    return load(file, RunConfig, base=file.absolute().parent)
