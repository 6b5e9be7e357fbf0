"""The state of a run and one update of it: U-Net, optimiser, running mean.

accelerate knows the devices and ranks, wraps the U-Net for them and casts; all else is ours and short.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch._dynamo
from accelerate import Accelerator
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel

from vrm_synth.core.errors import TrainError
from vrm_synth.models import DiffusionModel
from vrm_synth.models.run_checkpoint import add_lora_adapter
from vrm_synth.train import checkpoint
from vrm_synth.train.config import RunConfig
from vrm_synth.train.data.step_data import Batch
from vrm_synth.train.objective import NoiseDraws, Objective, draw_noise, sample_latents

MOST_GRAPHS = 128  # 16 stages of 6 buckets, and those that did not fit


@dataclass(frozen=True)
class PreparedBatch:
    """A rank's part of a batch with its chance and its captions as tokens: all that a device needs, on the CPU."""

    batch: Batch
    chance: NoiseDraws
    tokens: torch.Tensor


class Trainer:
    """Everything that an update changes, and the update.

    base: its U-Net is trained in place, its text encoder read from; objective: as the base's schedule has it.
    """

    def __init__(self, config: RunConfig, base: DiffusionModel, objective: Objective, accelerator: Accelerator):
        self._config, self._base, self.objective, self._accelerator = config, base, objective, accelerator
        self._device = accelerator.device
        self.unet = _trainable(config, base)
        self._parameters = {n: p for n, p in self.unet.named_parameters() if p.requires_grad}
        cuda = self._device.type == "cuda"
        self._text = base.text_encoder.to(self._device, torch.bfloat16 if cuda else torch.float32)
        self.unet.to(self._device, memory_format=torch.channels_last if cuda else torch.contiguous_format)
        self.unet.train()
        if config.gradient_checkpointing:
            self.unet.enable_gradient_checkpointing()
        if config.compile if config.compile is not None else cuda:
            # One graph for each bucket: none is made anew for a shape that has one. Beyond dynamo's own limit, which
            # stages and trials for memory can reach, it would go on uncompiled, and say nothing.
            torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, MOST_GRAPHS)
            self.unet.compile(dynamic=False)
        objective.to(self._device)
        self._optimizer = _optimizer(config, list(self._parameters.values()), cuda)
        self._rate: Callable[[int], float] = _schedule(config, self._optimizer)
        self._ema = None
        if config.ema is not None:
            self._ema = EMAModel(self._parameters.values(), decay=config.ema.decay, foreach=True)
        self._wrapped = accelerator.prepare_model(self.unet, device_placement=False)
        own = config.batch // accelerator.num_processes
        most = config.micro_batch or own
        self.accumulation = next(n for n in range(1, own + 1) if own % n == 0 and own // n <= most)

    # ------------------------------------------------------------ one update

    def ready(self, batch: Batch, offset_noise: float, seed: int | None = None) -> PreparedBatch:
        """What an update needs that a thread can make while the device is busy. seed: of its chance, if not the
        run's."""
        c = self._config
        channels, height, width = batch.moments.shape[1] // 2, *batch.moments.shape[2:]
        chance = draw_noise(
            c.seed if seed is None else seed,
            batch.step,
            batch.numbers,
            c.batch,
            (channels, height, width),
            self.objective.steps,
            c.stratified,
        )
        noise = chance.noise + offset_noise * chance.offset if offset_noise else chance.noise
        read = self._base.tokenizer(
            list(batch.captions),
            padding="max_length",
            max_length=self._base.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        return PreparedBatch(batch, NoiseDraws(noise, chance.posterior, chance.offset, chance.times), read.input_ids)

    def update(self, ready: PreparedBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """One update. Returns the loss, the mean over the global batch, and the gradient's norm, both still on the
        device."""
        parts = self.accumulation
        total = torch.zeros((), device=self._device)
        for i, part in enumerate(_parts(ready, parts)):
            with self._accelerator.no_sync(self._wrapped) if i < parts - 1 else contextlib.nullcontext():
                total += self.backward(part)
        norm = torch.nn.utils.clip_grad_norm_(self._parameters.values(), self._config.max_grad_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = self.rate(ready.batch.step)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        if self._ema is not None:
            self._ema.step(self._parameters.values())
        loss: torch.Tensor = self._accelerator.reduce(total, "sum") / self._config.batch
        return loss, norm.detach()

    def backward(self, part: PreparedBatch) -> torch.Tensor:
        """Gradients of one micro-batch; returns the sum of its losses."""
        losses = self._losses(part)
        # DDP takes the mean over ranks, so that the gradient is of the mean over the global batch.
        scale = self._accelerator.num_processes / self._config.batch
        self._accelerator.backward(losses.sum() * scale)
        return losses.detach().sum()

    def validate(self, batches: Sequence[PreparedBatch]) -> float:
        """Mean loss of whole batches, of which this rank has its parts, by the weights that are drawn with: the
        running mean, where there is one. Nothing is changed."""
        total = torch.zeros((), device=self._device)
        with self._averaged(), self._accelerator.no_sync(self._wrapped):
            for batch in batches:
                for part in _parts(batch, self.accumulation):
                    # With gradients that nobody asks for: without, each bucket would be compiled a second time.
                    total += self._losses(part).detach().sum()
        return float(self._accelerator.reduce(total, "sum")) / (len(batches) * self._config.batch)

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        if self._ema is None:
            yield
            return
        self._ema.store(self._parameters.values())
        self._ema.copy_to(self._parameters.values())
        try:
            yield
        finally:
            self._ema.restore(self._parameters.values())

    def rate(self, step: int) -> float:
        """The learning rate of an update, a function of its number alone."""
        return self._config.learning_rate * self._rate(step)

    def fits(self, part: PreparedBatch, reserved: int = 0) -> bool:
        """Whether a micro-batch and so many bytes beside it fit into memory, tried forwards and backwards. Nothing is
        changed, and nothing awaited of other ranks: one may run out of memory where another does not."""
        room = None
        try:
            room = torch.empty(reserved, dtype=torch.uint8, device=self._device)
            with self._accelerator.no_sync(self._wrapped):
                self.backward(part)
        except RuntimeError as e:
            if not _ran_out(e):
                raise
            return False
        finally:
            del room
            self._optimizer.zero_grad(set_to_none=True)
        return True

    def _losses(self, part: PreparedBatch) -> torch.Tensor:
        to = {"device": self._device, "non_blocking": True}
        moments, posterior, noise, times = (
            x.to(**to) for x in (part.batch.moments, part.chance.posterior, part.chance.noise, part.chance.times)
        )
        latents = sample_latents(moments, posterior, self._base.vae.config)
        given = self.objective.noised(latents, noise, times)
        if self._device.type == "cuda":
            given = given.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            text = self._text(part.tokens.to(**to))[0]
        with self._accelerator.autocast():
            said = self._wrapped(given, times, encoder_hidden_states=text, return_dict=False)[0]
        target = self.objective.target(latents, noise, times)
        return self.objective.loss(said, target, times, part.batch.masks.to(**to))

    # ------------------------------------------------------------ state

    def weights(self) -> dict[str, torch.Tensor]:
        """What is trained, by name."""
        return {n: p.detach() for n, p in self._parameters.items()}

    def ema(self) -> dict[str, torch.Tensor] | None:
        """Its running mean, by name."""
        return None if self._ema is None else dict(zip(self._parameters, self._ema.shadow_params, strict=True))

    def optimizer(self) -> dict[str, torch.Tensor]:
        """The optimiser's state, by "name/what"."""
        return checkpoint.optimizer_tensors(self._optimizer, list(self._parameters))

    def restore(self, saved: checkpoint.Saved) -> None:
        """Go on from a checkpoint. Raises TrainError where it is of another model."""
        _copy(self._parameters, saved.weights, "weights")
        checkpoint.restore_optimizer(self._optimizer, list(self._parameters), saved.optimizer)
        if self._ema is not None:
            _copy(self.ema() or {}, saved.ema or {}, "running mean")
            self._ema.optimization_step = saved.state["step"]


def _parts(ready: PreparedBatch, count: int) -> list[PreparedBatch]:
    size = len(ready.batch) // count
    cuts = [slice(i * size, (i + 1) * size) for i in range(count)]
    chance = ready.chance
    return [
        PreparedBatch(
            part,
            NoiseDraws(chance.noise[cut], chance.posterior[cut], chance.offset[cut], chance.times[cut]),
            ready.tokens[cut],
        )
        for part, cut in zip(ready.batch.split(count), cuts, strict=True)
    ]


def _ran_out(e: RuntimeError) -> bool:
    # cuBLAS, cuDNN and the driver have words of their own for it, and no OutOfMemoryError.
    return isinstance(e, torch.OutOfMemoryError) or "out of memory" in str(e) or "ALLOC_FAILED" in str(e)


def _trainable(config: RunConfig, base: DiffusionModel) -> Any:
    if config.lora is None:
        return base.unet.requires_grad_(True)
    try:
        return add_lora_adapter(base.unet, config.lora.model_dump(), config.seed)
    except ValueError as e:
        what = "no such layers for a LoRA"
        raise TrainError(what, got=", ".join(config.lora.targets), allowed="ends of layers' names") from e


def _optimizer(config: RunConfig, parameters: list[Any], cuda: bool) -> torch.optim.Optimizer:
    same: dict[str, Any] = {
        "lr": config.learning_rate,
        "betas": config.betas,
        "weight_decay": config.weight_decay,
        "eps": config.epsilon,
    }
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, **same, fused=cuda or None)
    try:
        import bitsandbytes
    except ImportError as e:
        raise TrainError("adamw8bit needs bitsandbytes", allowed="pip install bitsandbytes, or adamw") from e
    if not cuda:
        raise TrainError("adamw8bit needs CUDA", allowed="adamw")
    eight: torch.optim.Optimizer = bitsandbytes.optim.AdamW8bit(parameters, **same)
    return eight


def _schedule(config: RunConfig, optimizer: torch.optim.Optimizer) -> Callable[[int], float]:
    name = "cosine" if config.schedule == "cosine" else "constant_with_warmup"
    made = get_scheduler(name, optimizer, num_warmup_steps=config.warmup, num_training_steps=config.decay_steps)
    chosen: Callable[[int], float] = made.lr_lambdas[0]
    # diffusers counts the first update as number 0, with a rate of 0: an update that is none. Beyond its last step its
    # cosine rises again.
    last = config.decay_steps
    return lambda step: chosen(step + 1 if last is None else min(step + 1, last))


def _copy(to: dict[str, torch.Tensor], of: dict[str, torch.Tensor], what: str) -> None:
    if to.keys() != of.keys() or any(to[k].shape != of[k].shape for k in to):
        raise TrainError(f"the checkpoint's {what} are of another model")
    with torch.no_grad():
        for name, value in of.items():
            to[name].copy_(value)
