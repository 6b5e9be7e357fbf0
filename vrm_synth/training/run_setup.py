"""Setup of a run: devices, its folder, the base, the data of each stage."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs

from vrm_synth.core.errors import TrainError
from vrm_synth.io.atomic_files import make_folder, write_file
from vrm_synth.models import DiffusionModel, open_base
from vrm_synth.models.base_location import base_reference
from vrm_synth.training.config import RunConfig, StageConfig, to_yaml
from vrm_synth.training.data.data_config import DataConfig
from vrm_synth.training.data.quarantine import NAME as QUARANTINE
from vrm_synth.training.data.training_dataset import TrainingDataset, open_training_dataset
from vrm_synth.training.latents.vae_encoder import VaeEncoder
from vrm_synth.training.objective import Objective
from vrm_synth.training.run_checks import CONFIG, check_run_folder

# Timeout of a rank that waits while another fetches the base, indexes, encodes, writes a checkpoint or draws a preview:
# NCCL's own ten minutes are too short. Where a rank has died, torchrun ends the others.
RANK_TIMEOUT = datetime.timedelta(days=7)


def start_accelerator(config: RunConfig, device: str | None) -> Accelerator:
    """Find devices and ranks, and choose the precision.

    device: "cpu" for the CPU even where there is a GPU.

    Raises TrainError where the ranks cannot share the batch evenly.
    """
    cpu = device == "cpu"
    cuda = torch.cuda.is_available() and not cpu
    precision = config.precision if config.precision != "auto" else "bfloat16" if cuda else "float32"
    wait = InitProcessGroupKwargs(timeout=RANK_TIMEOUT)
    accelerator = Accelerator(
        cpu=cpu, mixed_precision="bf16" if precision == "bfloat16" else "no", kwargs_handlers=[wait]
    )
    if config.batch % accelerator.num_processes:
        got, allowed = f"{config.batch} for {accelerator.num_processes} ranks", "a multiple of the ranks"
        raise TrainError("the ranks cannot share the batch", got=got, allowed=allowed)
    return accelerator


def claim_run_folder(config: RunConfig, run: Path, accelerator: Accelerator) -> None:
    """Make the folder and write run.yaml, or check that the folder is this run's. Raises TrainError."""
    if accelerator.is_main_process:
        check_run_folder(config, run)
        make_folder(run)
        write_file(run / CONFIG, to_yaml(config).encode())
    accelerator.wait_for_everyone()


def open_training_base(config: RunConfig, run: Path, accelerator: Accelerator, offline: bool) -> DiffusionModel:
    """Open the base; for a run from scratch, with new U-Net weights. Raises ModelError."""
    unet_seed = config.seed if config.init == "scratch" else None
    with accelerator.main_process_first():
        base = open_base(
            config.base, preset=config.preset, offline=offline, scratch_seed=unet_seed, tiny_folder=run / "base"
        )
    if unet_seed is not None and config.prediction is not None:
        base = replace(base, scheduler_config={**base.scheduler_config, "prediction_type": config.prediction})
    return base


def model_record(config: RunConfig, run: Path, base: DiffusionModel, objective: Objective) -> dict[str, Any]:
    """The `model` of state.json: what vrm_synth/models/run_checkpoint.py needs to open a checkpoint."""
    return {
        **base_reference(base.name, base.folder, run),
        "name": base.name,
        "preset": config.preset,
        "scratch": config.seed if config.init == "scratch" else None,  # seed of the new U-Net weights
        "lora": None if config.lora is None else config.lora.model_dump(mode="json"),
        "hashes": dict(base.file_sha256),
        "scheduler": objective.config,
    }


def stage_data_config(data: DataConfig, stage: StageConfig) -> DataConfig:
    """The data configuration with a stage's size and buckets."""
    return data.model_copy(update={"size": stage.size, "buckets": stage.buckets})


def open_stage_dataset(
    config: RunConfig,
    data: DataConfig,
    seed: int,
    base: DiffusionModel,
    encoder: VaeEncoder,
    run: Path,
    on_scanned: Callable[[int], object],
) -> TrainingDataset:
    """Open the data of one stage, or the validation data.

    data: its configuration.
    seed: of its order, captions and noise.
    on_scanned: called with counts of samples indexed.

    Raises DatasetError.
    """
    # A copy: padding is part of a tokenizer's state, and threads count tokens while the trainer pads.
    tokenizer = copy.deepcopy(base.tokenizer)
    return open_training_dataset(
        data,
        encoder,
        seed=seed,
        batch_size=config.batch,
        cache=run / "cache",
        quarantine=run / QUARANTINE,
        count_tokens=lambda captions: [len(x) for x in tokenizer(list(captions)).input_ids],
        max_tokens=tokenizer.model_max_length,
        on_scanned=on_scanned,
    )
