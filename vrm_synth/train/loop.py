"""A whole run: from its configuration and whatever its folder holds to its last step.

    RUN/
      run.yaml                 the whole configuration, written first
      base/                    the tiny base, where the run has it
      ledger.json              licenses
      cache/                   tables and latents, unless the configuration names a folder
      quarantine.jsonl         pictures and files that were left out, and why
      log.jsonl, tensorboard/  every update
      checkpoints/step-000123/
      preview.html, samples/   where the configuration asks for them

The same configuration again goes on from the last checkpoint, to the same bits as if it had never stopped.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from vrm_synth.core.errors import TrainError, VrmSynthError
from vrm_synth.models import DiffusionModel
from vrm_synth.sampling.run_preview import preview_checkpoint, preview_data
from vrm_synth.train import checkpoint, flops, ledger
from vrm_synth.train.config import RunConfig
from vrm_synth.train.data.quarantine import NAME as QUARANTINE
from vrm_synth.train.data.quarantine import summary
from vrm_synth.train.data.step_data import Batch, StepData
from vrm_synth.train.latents.encoder import VaeEncoder
from vrm_synth.train.log import Log
from vrm_synth.train.memory_probe import find_micro_batch
from vrm_synth.train.objective import Objective
from vrm_synth.train.setup import claim, model_of, of_stage, open_base_of, open_part, start_accelerator
from vrm_synth.train.trainer import PreparedBatch, Trainer
from vrm_synth.train.validation import kept_back, seed_of, steps_of

SMOOTHED = 32  # updates that a speed is the mean of
AHEAD = 2  # updates made ready while the device computes one


@dataclass(frozen=True)
class Report:
    """An update that is done. step: how many are. speed: pictures a second, over the last few updates; mfu: None where
    the card's peak is not known; memory: the most that was in use, in bytes, None on a CPU."""

    step: int
    loss: float
    rate: float
    speed: float
    mfu: float | None
    memory: int | None


@dataclass(frozen=True)
class Callbacks:
    """How a run tells of itself. All of them do nothing by default.

    begin(done, total): updates done before, and in all; step(report); say(text): one line;
    prepare(total): latents to go through, then prepared(n) as they are; found(n): samples indexed.
    stop: asked after each update; where it says so, the run writes a checkpoint and ends.
    """

    begin: Callable[[int, int], object] = lambda done, total: None
    step: Callable[[Report], object] = lambda report: None
    say: Callable[[str], object] = lambda text: None
    prepare: Callable[[int], object] = lambda total: None
    prepared: Callable[[int], object] = lambda n: None
    found: Callable[[int], object] = lambda n: None
    stop: Callable[[], bool] = lambda: False


def train(
    config: RunConfig, run: Path, tell: Callbacks | None = None, *, device: str | None = None, offline: bool = True
) -> int:
    """Train to config.steps; returns the step reached, which is less only if `tell.stop` said so.

    device: "cpu" for the CPU even where there is a GPU. Raises TrainError, ModelError, DatasetError.
    """
    tell = tell or Callbacks()
    accelerator = start_accelerator(config, device)
    claim(config, run, accelerator)
    base = open_base_of(config, run, accelerator, offline)
    objective = Objective(
        base.scheduler_config,
        config.prediction,
        min_snr_gamma=config.min_snr_gamma,
        zero_terminal_snr=config.zero_terminal_snr,
        background_weight=config.background_weight,
    )
    encoder = VaeEncoder(base.vae, base.vae_sha256, accelerator.device, getattr(torch, config.vae_precision))
    if config.preview_every is not None:
        preview_data(run).read()  # what cannot be shown is told of now, not at the first checkpoint
    parts = config.parts()
    kept = kept_back(config)
    datas = [
        open_part(config, of_stage(config.data, stage), config.seed, base, encoder, run, tell.found)
        for _, stage in parts
    ]
    if accelerator.is_main_process and (line := summary(datas[-1].quarantined)):
        tell.say(f"{line}: {run / QUARANTINE}")
    held = None if kept is None else open_part(config, kept, seed_of(config), base, encoder, run, tell.found)
    try:
        loop = _Loop(config, run, base, objective, accelerator, datas, held, tell)
        return loop.go()
    finally:
        for data in (*datas, *([] if held is None else [held])):
            data.close()


class _Loop:
    def __init__(
        self,
        config: RunConfig,
        run: Path,
        base: DiffusionModel,
        objective: Objective,
        accelerator: Accelerator,
        datas: list[StepData],
        held: StepData | None,
        tell: Callbacks,
    ):
        self._config, self._run, self._base, self._tell = config, run, base, tell
        self._accelerator, self._datas, self._held = accelerator, datas, held
        self._all_sizes = sorted({s for d in (*datas, *([] if held is None else [held])) for s in d.sizes})
        self._held_batches: list[PreparedBatch] = []
        self._rank, self._world = accelerator.process_index, accelerator.num_processes
        self._model = model_of(config, run, base, objective)
        self._manifests = [d.manifest for d in datas]
        saved, damaged = checkpoint.newest(run, tell.say if accelerator.is_main_process else lambda text: None)
        self._trainer = Trainer(config, base, objective, accelerator)
        self.step = 0
        length = 0
        if saved is not None:
            self._check(saved)
            self._trainer.restore(saved)
            self.step, length = saved.state["step"], saved.state["log_bytes"]
        self._agree()
        main = accelerator.is_main_process
        for place in damaged if main else ():
            checkpoint.set_aside(place)
        self._trainer.accumulation = self._fit(saved)
        if main:
            ledger.write(run, ledger.ledger(config, base, datas[0].credits))
        self._log = Log(run, length, self.step) if main else None
        self._losses: list[float] = []
        self._pending: tuple[int, torch.Tensor, torch.Tensor, str, Batch] | None = None
        self._clock: deque[float] = deque(maxlen=SMOOTHED + 1)  # when updates were done
        self._flop = self._flop_of_sizes()

    def go(self) -> int:
        """Train; see `train`."""
        config, tell = self._config, self._tell
        if self.step >= config.steps:
            return self.step
        if config.decay_steps is not None and config.decay_steps < config.steps:
            tell.say(f"The learning rate is 0 after step {config.decay_steps} (decay_steps) of {config.steps}.")
        self._prepare()
        if self._held is not None:
            # Once and now, while no thread makes others ready.
            batches = self._held.batches(steps_of(config), self._rank, self._world)
            self._held_batches = [self._trainer.ready(b, 0.0, seed_of(config)) for b in batches]
        tell.begin(self.step, config.steps)
        self._clock.append(time.perf_counter())
        try:
            for ready in self._all():
                self._update(ready)
                stop = tell.stop()
                if self.step % config.checkpoint_every == 0 or self.step == config.steps or stop:
                    self._save()
                    self._preview()
                if stop:
                    break
        finally:
            if self._log is not None:
                self._log.close()
        return self.step

    def _update(self, ready: PreparedBatch) -> None:
        samples = self._samples(ready.batch)
        loss, norm = self._trainer.update(ready)
        self._report()  # of the update before: to ask for this one's loss now would have the device wait for us
        self.step = ready.batch.step + 1
        self._pending = (self.step, loss, norm, samples, ready.batch)

    def _report(self) -> None:
        if self._pending is None:
            return
        step, loss_, norm, samples, batch = self._pending
        self._pending = None
        loss = float(loss_)
        if not math.isfinite(loss):
            what = f"the loss of step {step} is {loss}: training has diverged"
            raise TrainError(what, allowed="a smaller learning_rate, or float32", where=self._run)
        self._losses.append(loss)
        self._clock.append(time.perf_counter())
        speed = self._config.batch * (len(self._clock) - 1) / max(self._clock[-1] - self._clock[0], 1e-9)
        flop, most = self._flop.get(batch.size), flops.peak(self._accelerator.device)
        mfu = speed * flop / self._world / most if flop and most else None
        cuda = self._accelerator.device.type == "cuda"
        memory = torch.cuda.max_memory_allocated(self._accelerator.device) if cuda else None
        report = Report(step, loss, self._trainer.rate(step - 1), speed, mfu, memory)
        if self._log is not None:
            line = {
                "step": step,
                "loss": loss,
                "learning_rate": report.rate,
                "grad_norm": float(norm),
                "size": list(batch.size),
                "samples": samples,
            }
            shown = {"images_per_second": speed, "mfu": mfu, "memory_gib": memory and memory / 2**30}
            self._log.add(line, {k: float(v) for k, v in shown.items() if v is not None})
        self._tell.step(report)

    def _samples(self, batch: Batch) -> str:
        """A hash of the global batch's samples in their order: equal for any number of ranks."""
        own = [f"{n} {k} {c}" for n, k, c in zip(batch.numbers, batch.keys, batch.captions, strict=True)]
        whole = gather_object(own) if self._world > 1 else own
        return hashlib.sha256("\n".join(whole).encode()).hexdigest()[:16]

    def _all(self) -> Iterator[PreparedBatch]:
        """What is left of the run, made ready in a thread while the device computes."""
        start = self.step
        for (steps, stage), data in zip(self._config.parts(), self._datas, strict=True):
            left = range(max(steps.start, start), steps.stop)
            if left:
                batches = data.batches(left, self._rank, self._world, AHEAD)
                yield from _ahead(batches, partial(self._trainer.ready, offset_noise=stage.offset_noise))

    def _prepare(self) -> None:
        if not self._config.prepare:
            return
        all_steps = [range(max(steps.start, self.step), steps.stop) for steps, _ in self._config.parts()]
        several = [*zip(all_steps, self._datas, strict=True)]
        if self._held is not None:
            several.append((steps_of(self._config), self._held))
        for left, data in several:
            if left and (total := data.work(left, self._rank, self._world)):
                self._tell.prepare(total)
                data.prepare(left, self._rank, self._world, self._tell.prepared)
            self._accelerator.wait_for_everyone()
            data.refresh()

    def _save(self) -> None:
        self._report()
        validation = self._validate()
        if self._log is not None:
            mean = math.fsum(self._losses) / len(self._losses) if self._losses else float("inf")
            state = {
                "seed": self._config.seed,
                "log_bytes": self._log.length(),
                "mean_loss": mean,
                "validation": validation,
                "data_manifests": self._manifests,
                "world": self._world,
                "accumulation": self._trainer.accumulation,
                "model": self._model,
                "ledger": ledger.ledger(self._config, self._base, self._datas[0].credits),
            }
            trainer = self._trainer
            checkpoint.save(self._run, self.step, trainer.weights(), trainer.ema(), trainer.optimizer(), state)
            checkpoint.prune(self._run, self._config.keep)
        self._losses = []
        self._accelerator.wait_for_everyone()

    def _validate(self) -> dict[str, Any] | None:
        """What the checkpoint says of the pictures that are not trained on."""
        if self._held is None:
            return None
        loss = self._trainer.validate(self._held_batches)
        if self._log is not None:
            self._log.add({"step": self.step, "validation_loss": loss}, {})
            self._tell.say(f"Validation loss at step {self.step}: {loss:.4f}")
        return {"loss": loss, "manifest": self._held.manifest}

    def _preview(self) -> None:
        """The newest checkpoint's, from its files: nothing of the training is touched. Others wait at the next
        update's end."""
        every = self._config.preview_every
        if self._log is None or every is None or (self.step % every and self.step != self._config.steps):
            return
        try:
            preview_checkpoint(self._run, self.step, str(self._accelerator.device))
        except (VrmSynthError, torch.OutOfMemoryError) as e:
            # Days of training do not end for a look at them.
            self._tell.say(f"No preview of step {self.step}: {' '.join(str(e).split())[:300]}")
        if self._accelerator.device.type == "cuda":
            torch.cuda.empty_cache()

    def _agree(self) -> None:
        """Whether all ranks go on from the same step: a file may be damaged on one machine alone. Raises TrainError."""
        steps = sorted(set(gather_object([self.step]))) if self._world > 1 else [self.step]
        if len(steps) > 1:
            what = "the ranks read different checkpoints"
            raise TrainError(what, got=f"steps {steps}", allowed="one folder for all", where=self._run)

    def _check(self, saved: checkpoint.Saved) -> None:
        state, where = saved.state, self._run
        # More steps may have brought more stages.
        if any(a != b for a, b in zip(state["data_manifests"], self._manifests, strict=False)):
            what = "the data is not what the run began with"
            raise TrainError(what, allowed="the same sources, or a new run", where=where)
        held = None if self._held is None else self._held.manifest
        if held != (state.get("validation") or {}).get("manifest"):
            what = "the pictures to validate by are not what the run began with"
            raise TrainError(what, allowed="the same split, or a new run", where=where)
        changed = sorted(k for k, v in state["model"]["hashes"].items() if self._base.file_sha256.get(k) != v)
        if changed:
            raise TrainError("the base is not what the run began with", got=changed[0], allowed="it", where=where)

    def _fit(self, saved: checkpoint.Saved | None) -> int:
        """Into how many parts an update is cut on this machine; a trial for each bucket on CUDA."""
        accumulation = self._trainer.accumulation
        if saved is not None and saved.state["world"] == self._world:
            accumulation = max(accumulation, saved.state["accumulation"])  # as before: sums of parts round otherwise
        if not _runs_out(self._accelerator.device):
            return accumulation
        own = self._config.batch // self._world
        return find_micro_batch(own, accumulation, self._all_sizes, self._trial, self._tell.say)

    def _trial(self, size: tuple[int, int], count: int) -> bool:
        factor, channels = self._base.vae_scale, int(self._base.vae.config.latent_channels)
        shape = (count, 2 * channels, size[1] // factor, size[0] // factor)
        masks = torch.ones(count, 1, *shape[2:])
        batch = Batch(0, size, tuple(range(count)), ("",) * count, ("",) * count, torch.zeros(shape), masks)
        # What the optimiser has not allocated yet, before its first step.
        moments = 0 if self.step else 8 * sum(p.numel() for p in self._trainer.weights().values())
        fits = self._trainer.fits(self._trainer.ready(batch, 0.0), moments)
        torch.cuda.empty_cache()
        return bool(
            self._accelerator.reduce(torch.tensor(float(fits), device=self._accelerator.device), "sum") == self._world
        )

    def _flop_of_sizes(self) -> dict[tuple[int, int], float]:
        if flops.peak(self._accelerator.device) is None:
            return {}
        sizes = {s for d in self._datas for s in d.sizes}
        return {s: flops.unet_flop(self._base.unet.config, s, self._base.vae_scale)[1] for s in sizes}


def _runs_out(device: torch.device) -> bool:
    """Whether it says so when its memory is full: a CPU's process is ended, or the machine crawls."""
    return device.type == "cuda"


def _ahead(batches: Iterator[Batch], ready: Callable[[Batch], PreparedBatch]) -> Iterator[PreparedBatch]:
    made: deque[Future[PreparedBatch]] = deque()
    with ThreadPoolExecutor(1, "make-ready") as thread:
        for batch in batches:
            made.append(thread.submit(ready, batch))
            if len(made) > AHEAD:
                yield made.popleft().result()
        while made:
            yield made.popleft().result()
