"""Training speed in pictures per second, beside a minimal loop in the style of diffusers' text-to-image example.

    python benchmarks/train_speed.py                                       the tiny base, to test the script
    python benchmarks/train_speed.py --shape sd21 --sizes 256 512 --batch 32 --steps 100         on a GPU

Both train the same U-Net on the same image folder in the same run, round by round in turn; a round's rate is that of
its updates after the first `--warm`, which hold compiling, the memory probe and the first reads.

- ours: `vrm_synth.training.loop.train` as the command calls it, log and running mean included; latents from the cache,
  which is filled before the first update (its time is printed apart), bfloat16, channels_last, fused AdamW,
  torch.compile on CUDA.
- loop: what the example does with its defaults and bf16: a DataLoader that decodes and scales, VAE and text encoder
  live in bf16, autocast, eager, AdamW, gradients clipped; no running mean.

MFU counts the U-Net's forward and backward alone (FlopCounterMode) against the card's dense bfloat16 peak.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import machine
import numpy as np
import PIL.Image
import torch
from diffusers import DDPMScheduler
from shaped import SHAPES, device_name, make_base, wait

from vrm_synth.models import DiffusionModel, open_base
from vrm_synth.training import flops
from vrm_synth.training.callbacks import Callbacks, StepReport
from vrm_synth.training.config import RunConfig
from vrm_synth.training.loop import train


def make_pictures(folder: Path, count: int, side: int) -> Path:
    """An image folder of smooth random pictures, each with a .txt caption."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(count):
        small = PIL.Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        small.resize((side, side), PIL.Image.Resampling.BICUBIC).save(folder / f"{i:04d}.png")
        (folder / f"{i:04d}.txt").write_text(f"random picture number {i}")
    return folder


class _EnoughError(Exception):
    """Ends a round in its last update: no checkpoint is written, which for sd21 has 14 GB."""


class Ours:
    """Our training: each round starts a new run, with cached latents from the second round on."""

    def __init__(self, base: Path, data: Path, run: Path, size: int, batch: int):
        self._run = run
        sources = [{"path": str(data), "license": "CC0-1.0"}]
        self._config = {"base": str(base), "seed": 0, "batch": batch, "data": {"sources": sources, "size": size}}
        self.preparing = 0.0

    def round(self, updates: int, warm: int) -> float:
        """Run one round; returns pictures per second."""
        times: list[float] = []
        start = 0.0

        def prepare(_: int) -> None:
            nonlocal start
            start = time.perf_counter()

        def begin(done: int, total: int) -> None:
            self.preparing = self.preparing or (time.perf_counter() - start if start else 0.0)

        def step(report: StepReport) -> None:  # called when the loss is known, so its work is done
            times.append(time.perf_counter())
            if len(times) == updates:
                raise _EnoughError

        # One more than is measured: the last one's end would be a checkpoint.
        config = RunConfig.model_validate({**self._config, "steps": updates + 1, "checkpoint_every": 10**9})
        with contextlib.suppress(_EnoughError):
            train(config, self._run, Callbacks(on_begin=begin, on_prepare=prepare, on_step=step))
        return config.batch * (len(times) - 1 - warm) / (times[-1] - times[warm])


class Folder(torch.utils.data.Dataset[tuple[torch.Tensor, str]]):
    """Pictures and captions, decoded on access."""

    def __init__(self, folder: Path, size: int):
        self._files, self._size = sorted(folder.glob("*.png")), size

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, str]:
        with PIL.Image.open(self._files[i]) as picture:
            scaled = picture.convert("RGB").resize((self._size, self._size), PIL.Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(scaled)).permute(2, 0, 1).float() / 127.5 - 1
        return pixels, self._files[i].with_suffix(".txt").read_text()


class Loop:
    """The minimal loop."""

    def __init__(self, base: DiffusionModel, data: Path, size: int, batch: int, device: str):
        self._device, self._batch, self._tokenizer = device, batch, base.tokenizer
        self._half = torch.bfloat16 if device.startswith("cuda") else torch.float32
        self._unet: Any = base.unet.to(device).requires_grad_(True).train()
        self._vae: Any = base.vae.to(device, self._half)
        self._text_encoder: Any = base.text_encoder.to(device, self._half)
        self._noise_scheduler: Any = DDPMScheduler.from_config(base.scheduler_config)
        self._optimizer = torch.optim.AdamW(self._unet.parameters(), lr=1e-5)
        self._data = Folder(data, size)

    def round(self, updates: int, warm: int) -> float:
        """Run one round; returns pictures per second."""
        start = 0.0
        for n, (pixels, captions) in enumerate(itertools.islice(self._batches(), updates)):
            self._update(pixels, captions)
            if n == warm:
                wait(self._device)
                start = time.perf_counter()
        wait(self._device)
        return self._batch * (updates - 1 - warm) / (time.perf_counter() - start)

    def _batches(self) -> Iterator[tuple[torch.Tensor, list[str]]]:
        workers = 8 if self._device.startswith("cuda") else 0
        order = torch.utils.data.RandomSampler(self._data, replacement=True, num_samples=10**7)
        loader = torch.utils.data.DataLoader(self._data, self._batch, sampler=order, num_workers=workers)
        return iter(loader)

    def _update(self, pixels: torch.Tensor, captions: list[str]) -> None:
        window = self._tokenizer.model_max_length
        tokens = self._tokenizer(
            list(captions), padding="max_length", max_length=window, truncation=True, return_tensors="pt"
        )
        with torch.no_grad():
            sample = self._vae.encode(pixels.to(self._device, self._half)).latent_dist.sample()
            latents = sample * self._vae.config.scaling_factor
            encoder_hidden_states = self._text_encoder(tokens.input_ids.to(self._device))[0]
        noise = torch.randn_like(latents)
        timesteps = torch.randint(0, 1000, (len(latents),), device=self._device)
        noisy_latents = self._noise_scheduler.add_noise(latents, noise, timesteps)
        with torch.autocast(self._device.split(":")[0], torch.bfloat16, enabled=self._half != torch.float32):
            noise_pred = self._unet(noisy_latents, timesteps, encoder_hidden_states, return_dict=False)[0]
        loss = torch.nn.functional.mse_loss(noise_pred.float(), noise.float())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._unet.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()


def measure(o: argparse.Namespace, base: Path, size: int, work: Path, device: str) -> dict[str, Any]:
    """Measure one row: both sides at one size."""
    data = make_pictures(work / f"pictures-{size}", o.pictures, size)
    ours = Ours(base, data, work / f"run-{size}", size, o.batch)
    rates: dict[str, list[float]] = {"ours": [], "loop": []}
    for _ in range(o.rounds):
        rates["ours"].append(ours.round(o.steps, o.warm))
        torch.cuda.empty_cache()
        loop = Loop(open_base(base), data, size, o.batch, device)  # its U-Net would lie beside ours in memory
        rates["loop"].append(loop.round(o.steps, o.warm))
        del loop
        torch.cuda.empty_cache()
    fast, slow = (statistics.median(rates[k]) for k in ("ours", "loop"))
    opened = open_base(base)
    flop, most = (
        flops.unet_flop(opened.unet.config, (size, size), opened.vae_scale)[1],
        flops.peak_flops(torch.device(device)),
    )
    return {
        "shape": o.shape,
        "size": size,
        "batch": o.batch,
        "ours": round(fast, 2),
        "loop": round(slow, 2),
        "ratio": round(fast / slow, 2),
        "tflop": round(flop / 1e12, 4),
        "mfu": round(fast * flop / most, 4) if most else "",
        "latents_per_second": round(o.pictures / ours.preparing, 1) if ours.preparing else "",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="tiny")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=40, help="updates a round")
    parser.add_argument("--warm", type=int, default=8, help="of them not counted")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--dry", action="store_true", help="add nothing to the results")
    o = parser.parse_args()
    if not 0 <= o.warm <= o.steps - 3:
        parser.error("--warm must leave two updates to measure")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    facts = machine.facts() | {"device": device_name(device), "torch": torch.__version__}
    print(f"{facts['device']}, torch {facts['torch']}, load before {facts['load']}, commit {facts['commit']}")
    print(f"{'size':>6}{'batch':>7}{'ours/s':>10}{'loop/s':>10}{'ratio':>8}{'MFU':>8}")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        base = make_base(o.shape, Path(name) / "base")
        for size in o.sizes:
            r = measure(o, base, size, Path(name), device)
            rows.append(facts | r)
            mfu = f"{r['mfu']:.1%}" if r["mfu"] != "" else "-"
            print(f"{size:6d}{o.batch:7d}{r['ours']:10.1f}{r['loop']:10.1f}{r['ratio']:8.2f}{mfu:>8}", flush=True)
    if not o.dry:
        machine.append("train_speed", rows)


if __name__ == "__main__":
    main()
