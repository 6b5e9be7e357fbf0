"""Sample images from a model: `vrm_synth.sample`. Torch is imported by the call, once the arguments are checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import PIL.Image

from vrm_synth.sampling.image_requests import from_prompts
from vrm_synth.sampling.progress import accumulated
from vrm_synth.sampling.sampler_settings import (
    DEFAULT_GUIDANCE_RESCALE,
    DEFAULT_GUIDANCE_SCALE,
    DEFAULT_SCHEDULER,
    DEFAULT_STEPS,
    Precision,
    SchedulerName,
)
from vrm_synth.sampling.user_options import SamplingOptions


def sample(
    model: str | Path,
    prompts: str | Sequence[str],
    out: str | Path | None = None,
    *,
    negative_prompt: str = "",
    seed: int = 0,
    count: int = 1,
    steps: int = DEFAULT_STEPS,
    guidance_scale: float = DEFAULT_GUIDANCE_SCALE,
    guidance_rescale: float = DEFAULT_GUIDANCE_RESCALE,
    scheduler: SchedulerName = DEFAULT_SCHEDULER,
    size: int | tuple[int, int] | None = None,
    checkpoint: str | int | None = None,
    base: str | None = None,
    offline: bool = True,
    loras: Sequence[tuple[str | Path, float]] = (),
    device: str | None = None,
    precision: Precision | None = None,
    batch_size: int | None = None,
    compiled: bool | None = None,
    progress: Callable[[float, int], object] = lambda done, total: None,
    log: Callable[[str], object] = lambda text: None,
) -> list[PIL.Image.Image]:
    """Sample `count` images of each prompt; image i of all has the seed `seed + i`.

    model: a training run's folder, a diffusers folder of safetensors, or a preset that needs no download ("tiny").
    out: a folder for the PNG files, their metadata.jsonl and grid.png; images that are already there are kept.
    steps: denoising steps. guidance_scale: classifier-free guidance scale; 1 turns guidance off.
    guidance_rescale: how much of the standard deviation that guidance adds is removed, 0 to 1 (arXiv:2305.08891).
    size: side of a square or (width, height); None is the model's own.
    checkpoint: of a run, a step, "best" or "latest". base: of a run, where its base is now, if it was moved.
    offline: if False, a base that is not on this machine is downloaded. loras: (file, scale) of each LoRA to merge.
    device: "cpu", "cuda" or "cuda:N"; None is CUDA where there is one.
    precision: of the U-Net and the text encoder; None is bfloat16 on CUDA and float32 on a CPU.
    batch_size: images per batch; None is 8 on CUDA and 1 on a CPU. compiled: use torch.compile; None is only on CUDA.
    progress: called with the images done so far and their total number.
    log: called with one line where the newest checkpoint is damaged and an older one is used.
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
    options.check(str(model))  # typos are reported before the slow import of torch
    if out is not None:
        from vrm_synth.sampling.output_folder import read_image, sample_to_folder

        folder = Path(out)
        sample_to_folder(str(model), requests, folder, options, progress=progress, log=log)
        return [read_image(folder, i) for i in range(len(requests))]
    from vrm_synth.sampling.open_sampler import open_sampler, open_with_loras

    sampler = open_sampler(open_with_loras(str(model), options, log), str(model), options)
    return [PIL.Image.fromarray(pixels) for pixels in sampler.generate(requests, accumulated(progress, len(requests)))]
