"""Open a sampler: the model that a user names, with its LoRAs, on the requested device or the best one here."""

from __future__ import annotations

import re

import torch

from vrm_synth.models import DiffusionModel
from vrm_synth.models.checkpoint_files import Log
from vrm_synth.sampling.lora.merge import merge_lora
from vrm_synth.sampling.model_source import default_side, open_model
from vrm_synth.sampling.sampler import DiffusionSampler
from vrm_synth.sampling.sampler_settings import DeviceConfig, SamplerSettings, SamplingError
from vrm_synth.sampling.user_options import SamplingOptions


def open_with_loras(model: str, options: SamplingOptions, log: Log = lambda text: None) -> DiffusionModel:
    """Open a model and merge the LoRAs into it. Raises ModelError, SamplingError."""
    opened = open_model(model, options.checkpoint, base=options.base, offline=options.offline, log=log)
    for file, scale in options.loras:
        opened = merge_lora(opened, file, scale)
    return opened


def open_sampler(opened: DiffusionModel, model: str, options: SamplingOptions, local_rank: int = 0) -> DiffusionSampler:
    """A sampler for an opened model, on the device of the options or the best one here.

    model: what it was opened from, which decides the default size. local_rank: index of the default CUDA device.
    Raises SamplingError.
    """
    default = DeviceConfig.default_for(find_device(options.device, local_rank))
    config = DeviceConfig(
        default.device,
        options.precision or default.precision,
        options.batch_size or default.batch_size,
        default.compiled if options.compiled is None else options.compiled,
    )
    width, height = options.size or (default_side(model, opened),) * 2
    settings = SamplerSettings(
        width, height, options.steps, options.guidance_scale, options.guidance_rescale, options.scheduler
    )
    return DiffusionSampler(opened, settings, config)


def find_device(requested: str | None, local_rank: int = 0) -> str:
    """Check the requested device, or choose CUDA where there is one. Raises SamplingError if this machine lacks it."""
    has_cuda = torch.cuda.is_available()
    device = requested or (f"cuda:{local_rank}" if has_cuda else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d{1,3})?", device):
        raise SamplingError("unknown device", got=device, allowed="cpu, cuda or cuda:N")
    if device != "cpu" and (not has_cuda or int(device.partition(":")[2] or 0) >= torch.cuda.device_count()):
        allowed = ", ".join(["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))])
        raise SamplingError("no such device here", got=device, allowed=allowed)
    return device
