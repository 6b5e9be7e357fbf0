"""Validation data: which pictures are kept back from training, and by which seed their loss is computed.

Every checkpoint has the same pictures, noise and timesteps, so that losses can be compared; captions are as written.
The size is that of the last stage, which is what the model is for.
"""

from __future__ import annotations

from pathlib import Path

from vrm_synth.core.errors import TrainError
from vrm_synth.core.rng import rng
from vrm_synth.io.data_files import NoSplitError
from vrm_synth.training.config import RunConfig
from vrm_synth.training.data.data_config import DataConfig, source_name
from vrm_synth.training.data.scan.source_scan import find_layout


def validation_data_config(config: RunConfig) -> DataConfig | None:
    """Configuration of the validation data, the sources' splits that are kept back; None where the run names none.

    Raises TrainError where no source has that split, and where one that has it is trained on as a whole.
    """
    if config.validation is None:
        return None
    split, sources = config.validation.split, []
    for source in config.data.sources:
        path, name = Path(source.path), source_name(source)
        if not path.is_dir():
            continue
        try:
            val_files = find_layout(path, split).files()
        except NoSplitError:
            continue
        if val_files & find_layout(path, source.split).files():
            what = f"the source {name} is trained on with its split {split}"
            raise TrainError(what, allowed="another split to validate by", where=path)
        sources.append(source.model_copy(update={"name": f"{name}/{split}", "split": split, "mirror": 0.0}))
    if not sources:
        allowed = "a folder, shards or lists of that name in one"
        raise TrainError("no source has the split to validate by", got=split, allowed=allowed)
    size, buckets = config.data.size, config.data.buckets
    if config.stages:
        size, buckets = config.stages[-1].size, config.stages[-1].buckets
    changed = {"sources": tuple(sources), "size": size, "buckets": buckets, "drop_captions": 0.0, "shuffle_tags": False}
    return config.data.model_copy(update=changed)


def validation_seed(config: RunConfig) -> int:
    """Seed of the validation data's order, noise and timesteps; independent of the training's."""
    return int(rng(config.seed, "validation").integers(2**63))


def validation_steps(config: RunConfig) -> range:
    """Batch numbers of the validation data: as many whole batches as its pictures fill, rounded up."""
    return range(0 if config.validation is None else -(-config.validation.pictures // config.batch))
