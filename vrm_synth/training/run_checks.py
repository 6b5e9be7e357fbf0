"""Checks of a run that need no torch: base, pictures and folder exist and are of the right kind.

A mistyped path is reported in a moment, not after torch is imported.
"""

from __future__ import annotations

from pathlib import Path

from vrm_synth.core.errors import DatasetError, TrainError
from vrm_synth.models.base_location import check_source
from vrm_synth.training.config import RunConfig, first_difference
from vrm_synth.training.training_log import NAME as LOG
from vrm_synth.training.validation import validation_data_config
from vrm_synth.yaml_models.strict_yaml import load

CONFIG = "run.yaml"


def check_run(config: RunConfig, run: Path) -> None:
    """Check a configuration and its run's folder. Raises ModelError, DatasetError and TrainError, as training would."""
    check_source(config.base)
    for source in config.data.sources:
        if not Path(source.path).exists():
            raise DatasetError("no such folder or shard", where=source.path)
    validation_data_config(config)
    check_run_folder(config, run)


def check_run_folder(config: RunConfig, run: Path) -> None:
    """Check that the folder is new, or this run's. Raises TrainError."""
    path = run / CONFIG
    if path.exists():
        # A run that failed before its first step may be corrected.
        begun = (run / LOG).exists()
        setting = first_difference(load(path, RunConfig), config) if begun else None
        if setting is not None:
            what = f"the folder holds another run: {setting} differs"
            raise TrainError(what, allowed="the same settings, more steps, or another folder", where=run)
    elif run.is_dir() and any(run.iterdir()):
        raise TrainError("the folder is not empty and holds no run", allowed="a new folder", where=run)
    elif run.exists() and not run.is_dir():
        raise TrainError("not a folder", allowed="a new folder", where=run)
