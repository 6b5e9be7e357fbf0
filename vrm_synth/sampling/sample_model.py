"""Sample images from a model, as a list of images or as a folder of files; `vrm-synth sample` and the Python API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import PIL.Image

from vrm_synth.models import DiffusionModel
from vrm_synth.models.checkpoints import Log
from vrm_synth.sampling import sample_folder
from vrm_synth.sampling.devices import find_device, wait_for_all
from vrm_synth.sampling.lora import merge_lora
from vrm_synth.sampling.model_source import default_side, open_model
from vrm_synth.sampling.options import SamplingOptions
from vrm_synth.sampling.requests import Request, from_prompts
from vrm_synth.sampling.sampler import DiffusionSampler, ImageProgress
from vrm_synth.sampling.settings import DeviceConfig, Precision, SamplingSettings, SchedulerName

# Called with the number of images done so far, in fractions of an image, and how many there will be.
Progress = Callable[[float, int], object]


def sample(
    model: str | Path,
    prompts: str | Sequence[str],
    out: str | Path | None = None,
    *,
    negative_prompt: str = "",
    seed: int = 0,
    count: int = 1,
    steps: int = 20,
    guidance_scale: float = 7.5,
    guidance_rescale: float = 0.0,
    scheduler: SchedulerName = "dpm++2m",
    size: int | tuple[int, int] | None = None,
    checkpoint: str | int | None = None,
    base: str | None = None,
    offline: bool = True,
    loras: Sequence[tuple[str | Path, float]] = (),
    device: str | None = None,
    precision: Precision | None = None,
    batch_size: int | None = None,
    compiled: bool | None = None,
    progress: Progress = lambda done, total: None,
    log: Log = lambda text: None,
) -> list[PIL.Image.Image]:
    """Sample `count` images of each prompt; image i of all has the seed `seed + i`.

    model: a training run's folder, a diffusers folder of safetensors, or a preset that needs no download ("tiny").
    out: a folder for the PNG files, their metadata.jsonl and grid.png; images that are already there are kept.
    progress: called with the images done so far and their total number.
    log: called with one line where the newest checkpoint is damaged and an older one is used.
    The other parameters: as in SamplingOptions; size may be the side of a square.

    Returns RGB images, in the order of the prompts. Raises ModelError, SamplingError.
    """
    options = SamplingOptions(
        None if checkpoint is None else str(checkpoint),
        base,
        offline,
        steps,
        guidance_scale,
        guidance_rescale,
        scheduler,
        (size, size) if isinstance(size, int) else size,
        tuple((Path(file), scale) for file, scale in loras),
        device,
        precision,
        batch_size,
        compiled,
    )
    requests = from_prompts([prompts] if isinstance(prompts, str) else prompts, negative_prompt, seed, count)
    options.check(str(model))
    if out is not None:
        folder = Path(out)
        sample_to_folder(str(model), requests, folder, options, progress=progress, log=log)
        return [sample_folder.read_image(folder, i) for i in range(len(requests))]
    sampler = open_sampler(open_with_loras(str(model), options, log), str(model), options)
    return [PIL.Image.fromarray(pixels) for pixels in sampler.generate(requests, accumulated(progress, len(requests)))]


def sample_to_folder(
    model: str,
    requests: Sequence[Request],
    out: Path,
    options: SamplingOptions,
    *,
    rank: int = 0,
    world_size: int = 1,
    local_rank: int = 0,
    progress: Progress = lambda done, total: None,
    log: Log = lambda text: None,
) -> int:
    """Sample an image for each request into `out`, with their table and grid; see sample_folder.py.

    rank, world_size, local_rank: of this process, where several share the work; rank 0 writes table and grid when all
    have finished. Returns how many images of this process's share were there already. Raises ModelError,
    SamplingError.
    """
    sampler = open_sampler(open_with_loras(model, options, log), model, options, local_rank)
    sampler.check(requests)
    sample_folder.claim_folder(out, len(requests))
    own = sample_folder.indices_of_rank(len(requests), sampler.device_config.batch_size, rank, world_size)
    kept = sample_folder.sample_missing(sampler, requests, out, rank, world_size, accumulated(progress, len(own)))
    if world_size > 1:
        wait_for_all()
    if rank == 0:
        sample_folder.write_index(out, len(requests))
    return kept


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
    settings = SamplingSettings(
        width, height, options.steps, options.guidance_scale, options.guidance_rescale, options.scheduler
    )
    return DiffusionSampler(opened, settings, config)


def accumulated(progress: Progress, total: int) -> ImageProgress:
    """A function that adds up the fractions it is called with and reports the sum."""
    done = 0.0

    def add(fraction: float) -> None:
        nonlocal done
        done = min(total, done + fraction)
        progress(done, total)

    progress(0.0, total)
    return add
