"""What of a run can be checked before torch is imported: that its base, its pictures and its folder can be what they
are said to be. A mistyped path is answered in a moment."""

from __future__ import annotations

from pathlib import Path

from vrm_synth.core.errors import DatasetError, TrainError
from vrm_synth.models.base_location import check_source
from vrm_synth.train.config import RunConfig, difference
from vrm_synth.train.log import NAME as LOG
from vrm_synth.train.validation import kept_back
from vrm_synth.yaml_models.strict_yaml import load

CONFIG = "run.yaml"


def check(config: RunConfig, run: Path) -> None:
    """Raises ModelError, DatasetError and TrainError, as training itself would."""
    check_source(config.base)
    for source in config.data.sources:
        if not Path(source.path).exists():
            raise DatasetError("no such folder or shard", where=source.path)
    kept_back(config)
    check_folder(config, run)


def check_folder(config: RunConfig, run: Path) -> None:
    """Whether the folder is new or this run's. Raises TrainError."""
    path = run / CONFIG
    if path.exists():
        # A run that never came to its first step is no run yet: what it stumbled over may be put right.
        begun = (run / LOG).exists()
        other = difference(load(path, RunConfig), config) if begun else None
        if other is not None:
            what = f"the folder holds another run: {other} differs"
            raise TrainError(what, allowed="the same settings, more steps, or another folder", where=run)
    elif run.is_dir() and any(run.iterdir()):
        raise TrainError("the folder is not empty and holds no run", allowed="a new folder", where=run)
    elif run.exists() and not run.is_dir():
        raise TrainError("not a folder", allowed="a new folder", where=run)
