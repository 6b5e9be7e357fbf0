"""Pictures that are kept back from training: which, and by what chance their loss is taken.

The same pictures, noise and timesteps at every checkpoint, so that losses can be compared; captions are as they are
written. At the size of the last stage, which is what the model is for.
"""

from __future__ import annotations

from pathlib import Path

from vrm_synth.core.errors import TrainError
from vrm_synth.core.rng import rng
from vrm_synth.io.data_files import NoSplitError
from vrm_synth.train.config import RunConfig
from vrm_synth.train.data.config import DataConfig, source_name
from vrm_synth.train.data.scan.source_scan import find_layout


def kept_back(config: RunConfig) -> DataConfig | None:
    """The sources' splits that are kept back, as data to read; None where the run names none.

    Raises TrainError where no source has that split, and where one that has it is trained on as a whole.
    """
    if config.validation is None:
        return None
    split, found = config.validation.split, []
    for source in config.data.sources:
        path, name = Path(source.path), source_name(source)
        if not path.is_dir():
            continue
        try:
            kept = find_layout(path, split).files()
        except NoSplitError:
            continue
        if kept & find_layout(path, source.split).files():
            what = f"the source {name} is trained on with its split {split}"
            raise TrainError(what, allowed="another split to validate by", where=path)
        found.append(source.model_copy(update={"name": f"{name}/{split}", "split": split, "mirror": 0.0}))
    if not found:
        allowed = "a folder, shards or lists of that name in one"
        raise TrainError("no source has the split to validate by", got=split, allowed=allowed)
    size, buckets = config.data.size, config.data.buckets
    if config.stages:
        size, buckets = config.stages[-1].size, config.stages[-1].buckets
    changed = {"sources": tuple(found), "size": size, "buckets": buckets, "drop_captions": 0.0, "shuffle_tags": False}
    return config.data.model_copy(update=changed)


def seed_of(config: RunConfig) -> int:
    """What order, noise and timesteps follow from: not what those of the training do."""
    return int(rng(config.seed, "validation").integers(2**63))


def steps_of(config: RunConfig) -> range:
    """Its batches: as many whole ones as the pictures asked for take."""
    return range(0 if config.validation is None else -(-config.validation.pictures // config.batch))
