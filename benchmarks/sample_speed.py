"""Sampled pictures per second, beside diffusers' StableDiffusionPipeline with the same weights and scheduler.

    python benchmarks/sample_speed.py                                                       here: the tiny base
    python benchmarks/sample_speed.py --shape sd21 --size 512 --batch 8 --batches 8         on a GPU

Ours is the DiffusionSampler of `vrm-synth sample` (on CUDA: bfloat16 U-Net, latents in float32, channels_last,
compiled); the pipeline runs as its documentation calls it, in bfloat16 on CUDA, eager. DPM++ 2M with guidance; from
prompts to 8-bit pictures in memory; rounds in turn, medians; the first batch of each, which compiles, is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import machine
import torch
from diffusers import StableDiffusionPipeline
from shaped import SHAPES, device_name, make_base, wait

from vrm_synth.models import open_base
from vrm_synth.sampling.image_requests import from_prompts
from vrm_synth.sampling.sampler import DiffusionSampler
from vrm_synth.sampling.sampler_settings import DEFAULT_GUIDANCE_SCALE, DEFAULT_STEPS, DeviceConfig, SamplerSettings
from vrm_synth.sampling.schedulers import make_scheduler


def our_sampler(base: Path, settings: SamplerSettings, config: DeviceConfig) -> Callable[[int], None]:
    """A function that samples that many batches with DiffusionSampler."""
    sampler = DiffusionSampler(open_base(base), settings, config)

    def generate(batches: int) -> None:
        for _ in sampler.generate(from_prompts(["a girl with pink hair"], "blurry", count=batches * config.batch_size)):
            pass

    return generate


def diffusers_pipeline(base: Path, settings: SamplerSettings, config: DeviceConfig) -> Callable[[int], None]:
    """A function that samples that many batches with diffusers' pipeline."""
    half = getattr(torch, config.precision)
    pipeline = StableDiffusionPipeline.from_pretrained(base, torch_dtype=half, safety_checker=None).to(config.device)
    pipeline.scheduler = make_scheduler(settings.scheduler, pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)

    def generate(batches: int) -> None:
        for _ in range(batches):
            pipeline(
                ["a girl with pink hair"] * config.batch_size,
                negative_prompt=["blurry"] * config.batch_size,
                width=settings.width,
                height=settings.height,
                num_inference_steps=settings.steps,
                guidance_scale=settings.guidance_scale,
                output_type="np",
            )

    return generate


def rate(generate: Callable[[int], None], batches: int, config: DeviceConfig) -> float:
    """Pictures per second of one round."""
    start = time.perf_counter()
    generate(batches)
    wait(config.device)
    return batches * config.batch_size / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="tiny")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=DEFAULT_STEPS)
    parser.add_argument("--guidance-scale", type=float, default=DEFAULT_GUIDANCE_SCALE)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--batches", type=int, default=2, help="a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dry", action="store_true", help="add nothing to the results")
    o = parser.parse_args()
    cuda = torch.cuda.is_available()
    config = DeviceConfig("cuda" if cuda else "cpu", "bfloat16" if cuda else "float32", o.batch, cuda)
    settings = SamplerSettings(o.size, o.size, o.steps, o.guidance_scale)
    rates: dict[str, list[float]] = {"ours": [], "pipeline": []}
    facts = machine.facts() | {"device": device_name(config.device), "torch": torch.__version__}
    print(f"{facts['device']}, torch {facts['torch']}, load before {facts['load']}, commit {facts['commit']}")
    with tempfile.TemporaryDirectory() as name:
        base = make_base(o.shape, Path(name) / "base")
        sides = {"ours": our_sampler(base, settings, config), "pipeline": diffusers_pipeline(base, settings, config)}
        for generate in sides.values():
            rate(generate, 1, config)
        for _ in range(o.rounds):
            for side, generate in sides.items():
                rates[side].append(rate(generate, o.batches, config))
    fast, slow = (statistics.median(rates[k]) for k in ("ours", "pipeline"))
    print(f"{o.size}², {o.steps} steps, batch {o.batch}: ours {fast:.2f}/s, pipeline {slow:.2f}/s, {fast / slow:.2f}×")
    if not o.dry:
        row = {"shape": o.shape, "size": o.size, "steps": o.steps, "batch": o.batch}
        figures = {"ours": round(fast, 2), "pipeline": round(slow, 2), "ratio": round(fast / slow, 2)}
        machine.append("sample_speed", [facts | row | figures])


if __name__ == "__main__":
    main()
