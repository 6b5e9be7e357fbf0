"""Training loop: from a configuration, and whatever the run's folder already holds, to the last step.

    RUN/
      run.yaml                 the whole configuration, written first
      base/                    the tiny base, for runs that use it
      ledger.json              licenses
      cache/                   row tables and latents, unless the configuration names a folder
      quarantine.jsonl         pictures and files that were left out, and why
      log.jsonl, tensorboard/  every update
      checkpoints/step-000123/
      preview.html, samples/   where the configuration asks for previews

The same configuration again resumes from the last checkpoint and ends in the same bits as an uninterrupted run.
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
from vrm_synth.training import checkpoint, flops, license_ledger
from vrm_synth.training.callbacks import Callbacks, StepReport
from vrm_synth.training.config import RunConfig
from vrm_synth.training.data.quarantine import NAME as QUARANTINE
from vrm_synth.training.data.quarantine import summary
from vrm_synth.training.data.training_batch import TrainingBatch
from vrm_synth.training.data.training_dataset import TrainingDataset
from vrm_synth.training.latents.vae_encoder import VaeEncoder
from vrm_synth.training.memory_probe import find_accumulation
from vrm_synth.training.objective import Objective
from vrm_synth.training.run_setup import (
    claim_run_folder,
    model_record,
    open_stage_dataset,
    open_training_base,
    stage_data_config,
    start_accelerator,
)
from vrm_synth.training.trainer import PreparedBatch, Trainer
from vrm_synth.training.training_log import TrainingLog
from vrm_synth.training.validation import validation_data_config, validation_seed, validation_steps

SPEED_WINDOW = 32  # updates that the reported speed is the mean of
PREPARE_AHEAD = 2  # batches prepared while the device computes one


def train(
    config: RunConfig, run: Path, callbacks: Callbacks | None = None, *, device: str | None = None, offline: bool = True
) -> int:
    """Train up to config.steps; returns the step reached, which is less only if `callbacks.should_stop` said so.

    run: the run's folder.
    device: "cpu" for the CPU even where there is a GPU.
    offline: fetch nothing from the hub.

    Raises TrainError, ModelError, DatasetError.
    """
    callbacks = callbacks or Callbacks()
    accelerator = start_accelerator(config, device)
    claim_run_folder(config, run, accelerator)
    base = open_training_base(config, run, accelerator, offline)
    objective = Objective(
        base.scheduler_config,
        config.prediction,
        min_snr_gamma=config.min_snr_gamma,
        zero_terminal_snr=config.zero_terminal_snr,
        background_weight=config.background_weight,
    )
    encoder = VaeEncoder(base.vae, base.vae_sha256, accelerator.device, getattr(torch, config.vae_precision))
    if config.preview_every is not None:
        preview_data(run).read()  # what cannot be previewed is an error now, not at the first checkpoint
    val_config = validation_data_config(config)
    open_dataset = partial(
        open_stage_dataset, config, base=base, encoder=encoder, run=run, on_scanned=callbacks.on_scanned
    )
    stage_datasets = [
        open_dataset(stage_data_config(config.data, stage), config.seed) for _, stage in config.stage_ranges()
    ]
    if accelerator.is_main_process and (line := summary(stage_datasets[-1].quarantined)):
        callbacks.on_message(f"{line}: {run / QUARANTINE}")
    val_data = None if val_config is None else open_dataset(val_config, validation_seed(config))
    try:
        return _Loop(config, run, base, objective, accelerator, stage_datasets, val_data, callbacks).train()
    finally:
        for dataset in (*stage_datasets, *([] if val_data is None else [val_data])):
            dataset.close()


class _Loop:
    """Training of one process. `train` is the loop; the methods above it resume a run, those below are its steps."""

    def __init__(
        self,
        config: RunConfig,
        run: Path,
        base: DiffusionModel,
        objective: Objective,
        accelerator: Accelerator,
        stage_datasets: list[TrainingDataset],
        val_data: TrainingDataset | None,
        callbacks: Callbacks,
    ):
        self._config, self._run, self._base, self._callbacks = config, run, base, callbacks
        self._accelerator, self._stage_datasets, self._val_data = accelerator, stage_datasets, val_data
        self._rank, self._world_size = accelerator.process_index, accelerator.num_processes
        self._model_record = model_record(config, run, base, objective)
        self._manifests = [d.manifest for d in stage_datasets]
        self._trainer = Trainer(config, base, objective, accelerator)
        self._global_step = 0  # updates done
        log_bytes = self._resume()
        main = accelerator.is_main_process
        if main:
            license_ledger.write_ledger(run, self._ledger())
        self._log = TrainingLog(run, log_bytes, self._global_step) if main else None
        self._val_batches: list[PreparedBatch] = []
        self._losses: list[float] = []  # since the last checkpoint
        self._pending: _PendingUpdate | None = None
        self._update_times: deque[float] = deque(maxlen=SPEED_WINDOW + 1)  # when updates were finished, s
        self._flop_per_image = self._count_flop()

    # ------------------------------------------------------------ resuming

    def _resume(self) -> int:
        """Load the newest undamaged checkpoint, if there is one. Returns the length of its log in bytes."""
        main = self._accelerator.is_main_process
        on_message = self._callbacks.on_message if main else lambda text: None
        saved, damaged = checkpoint.load_newest(self._run, on_message)
        log_bytes = 0
        if saved is not None:
            val_manifest = None if self._val_data is None else self._val_data.manifest
            checkpoint.check_same_inputs(saved.state, self._manifests, val_manifest, self._base.file_sha256, self._run)
            self._trainer.restore(saved)
            self._global_step, log_bytes = saved.state["step"], saved.state["log_bytes"]
        self._check_ranks_agree()
        for folder in damaged if main else ():
            checkpoint.set_aside(folder)
        self._trainer.accumulation = self._fit_accumulation(None if saved is None else saved.state)
        return log_bytes

    def _check_ranks_agree(self) -> None:
        """Raises TrainError where ranks resume from different steps: a file may be damaged on one machine alone."""
        step = self._global_step
        steps = sorted(set(gather_object([step]))) if self._world_size > 1 else [step]
        if len(steps) > 1:
            what = "the ranks read different checkpoints"
            raise TrainError(what, got=f"steps {steps}", allowed="one folder for all", where=self._run)

    def _fit_accumulation(self, state: dict[str, Any] | None) -> int:
        """Micro-batches an update on this machine, by a trial of each bucket on CUDA."""
        accumulation = self._trainer.accumulation
        if state is not None and state["world_size"] == self._world_size:
            accumulation = max(
                accumulation, state["accumulation"]
            )  # as before: sums over other micro-batches round otherwise
        if not _raises_out_of_memory(self._accelerator.device):
            return accumulation
        datasets = [*self._stage_datasets, *([] if self._val_data is None else [self._val_data])]
        sizes = sorted({size for dataset in datasets for size in dataset.sizes})
        rank_batch_size = self._config.batch // self._world_size
        return find_accumulation(rank_batch_size, accumulation, sizes, self._fits_in_memory, self._callbacks.on_message)

    def _fits_in_memory(self, size: tuple[int, int], count: int) -> bool:
        """Try a micro-batch of `count` blank pictures of (width, height); False where any rank runs out of memory."""
        factor, channels = self._base.vae_scale, int(self._base.vae.config.latent_channels)
        shape = (count, 2 * channels, size[1] // factor, size[0] // factor)
        masks = torch.ones(count, 1, *shape[2:])
        blank = ("",) * count
        batch = TrainingBatch(0, size, tuple(range(count)), blank, blank, torch.zeros(shape), masks)
        # AdamW's two moments, which the optimizer allocates in its first step.
        parameters = self._trainer.trainable_state_dict().values()
        reserved = 0 if self._global_step else 8 * sum(p.numel() for p in parameters)
        has_room = self._trainer.fits_in_memory(self._trainer.prepare(batch, 0.0), reserved)
        torch.cuda.empty_cache()
        ranks_with_room = self._accelerator.reduce(
            torch.tensor(float(has_room), device=self._accelerator.device), "sum"
        )
        return bool(ranks_with_room == self._world_size)

    # ------------------------------------------------------------ the loop

    def train(self) -> int:
        """Run the training loop up to config.steps; returns the step reached."""
        config, callbacks = self._config, self._callbacks
        if self._global_step >= config.steps:
            return self._global_step
        if config.decay_steps is not None and config.decay_steps < config.steps:
            text = f"The learning rate is 0 after step {config.decay_steps} (decay_steps) of {config.steps}."
            callbacks.on_message(text)
        self._prepare_latents()
        if self._val_data is not None:
            # Once, and before a thread prepares training batches.
            batches = self._val_data.batches(validation_steps(config), self._rank, self._world_size)
            self._val_batches = [self._trainer.prepare(b, 0.0, validation_seed(config)) for b in batches]
        callbacks.on_begin(self._global_step, config.steps)
        self._update_times.append(time.perf_counter())
        try:
            for prepared in self._prepared_batches():
                self._update(prepared)
                stop = callbacks.should_stop()
                if self._global_step % config.checkpoint_every == 0 or self._global_step == config.steps or stop:
                    self._save_checkpoint()
                    self._write_preview()
                if stop:
                    break
        finally:
            if self._log is not None:
                self._log.close()
        return self._global_step

    def _prepare_latents(self) -> None:
        """Encode everything that the run will draw and the cache lacks; ranks share the work."""
        if not self._config.prepare:
            return
        step_ranges = [range(max(r.start, self._global_step), r.stop) for r, _ in self._config.stage_ranges()]
        datasets = [*zip(step_ranges, self._stage_datasets, strict=True)]
        if self._val_data is not None:
            datasets.append((validation_steps(self._config), self._val_data))
        for steps, dataset in datasets:
            if steps and (total := dataset.count_to_prepare(steps, self._rank, self._world_size)):
                self._callbacks.on_prepare(total)
                dataset.prepare(steps, self._rank, self._world_size, self._callbacks.on_prepared)
            self._accelerator.wait_for_everyone()
            dataset.refresh()

    def _prepared_batches(self) -> Iterator[PreparedBatch]:
        """The batches of the remaining steps, prepared in a thread while the device computes."""
        start = self._global_step
        for (stage_steps, stage), dataset in zip(self._config.stage_ranges(), self._stage_datasets, strict=True):
            steps = range(max(stage_steps.start, start), stage_steps.stop)
            if steps:
                batches = dataset.batches(steps, self._rank, self._world_size, PREPARE_AHEAD)
                yield from _prepare_ahead(batches, partial(self._trainer.prepare, offset_noise=stage.offset_noise))

    def _update(self, prepared: PreparedBatch) -> None:
        samples = self._samples_hash(prepared.batch)
        loss, grad_norm = self._trainer.update(prepared)
        self._report_pending()  # the update before: asking for this one's loss now would make the device wait
        self._global_step = prepared.batch.step + 1
        self._pending = _PendingUpdate(self._global_step, loss, grad_norm, samples, prepared.batch.size)

    def _samples_hash(self, batch: TrainingBatch) -> str:
        """Hash of the global batch's samples in their order: the same for any number of ranks."""
        lines = [f"{n} {k} {c}" for n, k, c in zip(batch.sample_numbers, batch.keys, batch.captions, strict=True)]
        global_lines = gather_object(lines) if self._world_size > 1 else lines
        return hashlib.sha256("\n".join(global_lines).encode()).hexdigest()[:16]

    # ------------------------------------------------------------ log, checkpoints, previews

    def _report_pending(self) -> None:
        """Log the last update, whose loss the device has computed by now. Raises TrainError where it is not finite."""
        if self._pending is None:
            return
        update, self._pending = self._pending, None
        loss = float(update.loss)
        if not math.isfinite(loss):
            what = f"the loss of step {update.step} is {loss}: training has diverged"
            raise TrainError(what, allowed="a smaller learning_rate, or float32", where=self._run)
        self._losses.append(loss)
        self._update_times.append(time.perf_counter())
        report = self._step_report(update, loss)
        if self._log is not None:
            line = {
                "step": report.step,
                "loss": loss,
                "learning_rate": report.learning_rate,
                "grad_norm": float(update.grad_norm),
                "size": list(update.size),
                "samples": update.samples,
            }
            memory = None if report.peak_memory is None else report.peak_memory / 2**30
            speeds = {"images_per_second": report.images_per_second, "mfu": report.mfu, "memory_gib": memory}
            self._log.add(line, {k: float(v) for k, v in speeds.items() if v is not None})
        self._callbacks.on_step(report)

    def _step_report(self, update: _PendingUpdate, loss: float) -> StepReport:
        device, times = self._accelerator.device, self._update_times
        images_per_second = self._config.batch * (len(times) - 1) / max(times[-1] - times[0], 1e-9)
        flop, peak = self._flop_per_image.get(update.size), flops.peak_flops(device)
        mfu = images_per_second * flop / self._world_size / peak if flop and peak else None
        peak_memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
        learning_rate = self._trainer.learning_rate(update.step - 1)
        return StepReport(update.step, loss, learning_rate, images_per_second, mfu, peak_memory)

    def _save_checkpoint(self) -> None:
        """Validate, write a checkpoint of this step (rank 0) and delete old ones; the other ranks wait."""
        self._report_pending()
        validation = self._validate()
        if self._log is not None:
            trainer = self._trainer
            state = {
                "seed": self._config.seed,
                "log_bytes": self._log.flushed_length(),
                "mean_loss": math.fsum(self._losses) / len(self._losses) if self._losses else float("inf"),
                "validation": validation,
                "data_manifests": self._manifests,
                "world_size": self._world_size,
                "accumulation": trainer.accumulation,
                "model": self._model_record,
                "ledger": self._ledger(),
            }
            checkpoint.save(
                self._run,
                self._global_step,
                trainer.trainable_state_dict(),
                trainer.ema_state_dict(),
                trainer.optimizer_tensors(),
                state,
            )
            checkpoint.prune(self._run, self._config.keep)
        self._losses = []
        self._accelerator.wait_for_everyone()

    def _validate(self) -> dict[str, Any] | None:
        """Validation loss, for state.json; None where the run has no validation split."""
        if self._val_data is None:
            return None
        loss = self._trainer.validate(self._val_batches)
        if self._log is not None:
            self._log.add({"step": self._global_step, "validation_loss": loss}, {})
            self._callbacks.on_message(f"Validation loss at step {self._global_step}: {loss:.4f}")
        return {"loss": loss, "manifest": self._val_data.manifest}

    def _write_preview(self) -> None:
        """Preview of the newest checkpoint, read from its files: training state is not touched. Other ranks wait at
        the end of the next update."""
        every = self._config.preview_every
        if self._log is None or every is None:
            return
        if self._global_step % every and self._global_step != self._config.steps:
            return
        try:
            preview_checkpoint(self._run, self._global_step, str(self._accelerator.device))
        except (VrmSynthError, torch.OutOfMemoryError) as e:
            # A failed preview must not end days of training.
            reason = " ".join(str(e).split())[:300]
            self._callbacks.on_message(f"No preview of step {self._global_step}: {reason}")
        if self._accelerator.device.type == "cuda":
            torch.cuda.empty_cache()

    def _ledger(self) -> dict[str, Any]:
        return license_ledger.build_ledger(self._config, self._base, self._stage_datasets[0].credits)

    def _count_flop(self) -> dict[tuple[int, int], float]:
        """(width, height) → FLOP of one picture, forward and backward; empty where the card's peak is not known."""
        if flops.peak_flops(self._accelerator.device) is None:
            return {}
        sizes = {size for dataset in self._stage_datasets for size in dataset.sizes}
        return {size: flops.unet_flop(self._base.unet.config, size, self._base.vae_scale)[1] for size in sizes}


@dataclass(frozen=True)
class _PendingUpdate:
    """An update that the device may still be computing.

    step: updates done, this one included.
    loss, grad_norm: scalars on the device.
    samples: hash of the global batch's samples.
    size: (width, height) of its bucket.
    """

    step: int
    loss: torch.Tensor
    grad_norm: torch.Tensor
    samples: str
    size: tuple[int, int]


def _raises_out_of_memory(device: torch.device) -> bool:
    """True where running out of memory raises. On a CPU the process is killed, or the machine swaps."""
    return device.type == "cuda"


def _prepare_ahead(
    batches: Iterator[TrainingBatch], prepare: Callable[[TrainingBatch], PreparedBatch]
) -> Iterator[PreparedBatch]:
    """Yield prepared batches; a thread prepares up to PREPARE_AHEAD further ones in the meantime."""
    futures: deque[Future[PreparedBatch]] = deque()
    with ThreadPoolExecutor(1, "prepare-batches") as executor:
        for batch in batches:
            futures.append(executor.submit(prepare, batch))
            if len(futures) > PREPARE_AHEAD:
                yield futures.popleft().result()
        while futures:
            yield futures.popleft().result()
