"""Trainer: a run's U-Net, optimizer and EMA, and one update of them.

accelerate knows the devices and ranks, wraps the U-Net for them and casts; everything else is written out here.
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
from vrm_synth.training import checkpoint
from vrm_synth.training.config import RunConfig
from vrm_synth.training.data.training_batch import TrainingBatch
from vrm_synth.training.objective import NoiseDraws, Objective, draw_noise, sample_latents

MAX_GRAPHS = 128  # 16 stages of 6 buckets, and the trials that did not fit


@dataclass(frozen=True)
class PreparedBatch:
    """A rank's part of a batch with everything that the device needs, on the CPU.

    batch: VAE moments (mean and log variance of each latent), masks and captions.
    draws: its noise, for the latents and for the VAE's posterior, and its timesteps, one from each equal part of the
        schedule where the configuration says stratified; offset noise is already part of `draws.noise`.
    input_ids: (n, tokens) int64, the tokenized captions.
    """

    batch: TrainingBatch
    draws: NoiseDraws
    input_ids: torch.Tensor


class Trainer:
    """A run's U-Net, optimizer and EMA, and the update of them.

    config: the run's.
    base: its U-Net is trained in place, its text encoder is read.
    objective: loss under the base's noise schedule.
    accelerator: device, ranks and precision.

    Attributes:
    unet: the module that is trained, LoRA layers included.
    ddp_unet: the same, wrapped for several ranks.
    text_encoder: frozen, on the device.
    accumulation: micro-batches an update on this rank.
    """

    def __init__(self, config: RunConfig, base: DiffusionModel, objective: Objective, accelerator: Accelerator):
        self._config, self._base, self._objective, self._accelerator = config, base, objective, accelerator
        self._device = accelerator.device
        self.unet = _trainable_unet(config, base)
        self._parameters = {n: p for n, p in self.unet.named_parameters() if p.requires_grad}
        cuda = self._device.type == "cuda"
        self.text_encoder = base.text_encoder.to(self._device, torch.bfloat16 if cuda else torch.float32)
        self.unet.to(self._device, memory_format=torch.channels_last if cuda else torch.contiguous_format)
        self.unet.train()
        if config.gradient_checkpointing:
            self.unet.enable_gradient_checkpointing()
        if config.compile if config.compile is not None else cuda:
            # One static graph for each bucket. Beyond dynamo's own limit, which stages and memory trials can reach, it
            # would silently fall back to eager mode.
            torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, MAX_GRAPHS)
            self.unet.compile(dynamic=False)
        objective.to(self._device)
        self._optimizer = _make_optimizer(config, list(self._parameters.values()), cuda)
        self._lr_lambda = make_lr_lambda(config, self._optimizer)
        self._ema = None
        if config.ema is not None:
            self._ema = EMAModel(self._parameters.values(), decay=config.ema.decay, foreach=True)
        self.ddp_unet = accelerator.prepare_model(self.unet, device_placement=False)
        rank_batch_size = config.batch // accelerator.num_processes
        micro_batch = config.micro_batch or rank_batch_size
        divisors = (n for n in range(1, rank_batch_size + 1) if rank_batch_size % n == 0)
        self.accumulation = next(n for n in divisors if rank_batch_size // n <= micro_batch)

    # ------------------------------------------------------------ one update

    def prepare(self, batch: TrainingBatch, offset_noise: float, seed: int | None = None) -> PreparedBatch:
        """Draw noise and tokenize captions: the CPU's share of an update, done by a thread while the device computes.

        offset_noise: strength of offset noise.
        seed: for noise and timesteps, where it is not the run's.
        """
        config = self._config
        draws = draw_noise(
            config.seed if seed is None else seed,
            batch.step,
            batch.sample_numbers,
            config.batch,
            (batch.moments.shape[1] // 2, *batch.moments.shape[2:]),
            self._objective.num_train_timesteps,
            config.stratified,
        )
        noise = draws.noise + offset_noise * draws.offset if offset_noise else draws.noise
        tokenizer = self._base.tokenizer
        tokens = tokenizer(
            list(batch.captions),
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        return PreparedBatch(
            batch, NoiseDraws(noise, draws.posterior_noise, draws.offset, draws.timesteps), tokens.input_ids
        )

    def update(self, prepared: PreparedBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Make one update. Returns its loss, the mean over the global batch, and the gradient's norm before clipping,
        both scalars that are still on the device."""
        loss_sum = torch.zeros((), device=self._device)
        for i, micro_batch in enumerate(_micro_batches(prepared, self.accumulation)):
            last = i == self.accumulation - 1
            with contextlib.nullcontext() if last else self._accelerator.no_sync(self.ddp_unet):
                loss_sum += self.backward(micro_batch)
        grad_norm = torch.nn.utils.clip_grad_norm_(self._parameters.values(), self._config.max_grad_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate(prepared.batch.step)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        if self._ema is not None:
            self._ema.step(self._parameters.values())
        loss: torch.Tensor = self._accelerator.reduce(loss_sum, "sum") / self._config.batch
        return loss, grad_norm.detach()

    def backward(self, micro_batch: PreparedBatch) -> torch.Tensor:
        """Add a micro-batch's gradients; returns the sum of its losses."""
        losses = self._losses(micro_batch)
        # DDP takes the mean over ranks; scaled so that the gradient is that of the mean over the global batch.
        scale = self._accelerator.num_processes / self._config.batch
        self._accelerator.backward(losses.sum() * scale)
        return losses.detach().sum()

    def validate(self, batches: Sequence[PreparedBatch]) -> float:
        """Mean validation loss over all ranks, with the EMA's weights where there is an EMA. Changes nothing.

        batches: this rank's parts of the global batches.
        """
        loss_sum = torch.zeros((), device=self._device)
        with self._ema_weights(), self._accelerator.no_sync(self.ddp_unet):
            for batch in batches:
                for micro_batch in _micro_batches(batch, self.accumulation):
                    # With gradients enabled, though unused: without, each bucket would be compiled a second time.
                    loss_sum += self._losses(micro_batch).detach().sum()
        return float(self._accelerator.reduce(loss_sum, "sum")) / (len(batches) * self._config.batch)

    @contextlib.contextmanager
    def _ema_weights(self) -> Iterator[None]:
        """Context in which the U-Net has the EMA's weights."""
        if self._ema is None:
            yield
            return
        self._ema.store(self._parameters.values())
        self._ema.copy_to(self._parameters.values())
        try:
            yield
        finally:
            self._ema.restore(self._parameters.values())

    def learning_rate(self, step: int) -> float:
        """Learning rate of an update, a function of its number alone."""
        return self._config.learning_rate * self._lr_lambda(step)

    def fits_in_memory(self, micro_batch: PreparedBatch, reserved: int = 0) -> bool:
        """Try a micro-batch forwards and backwards, with `reserved` bytes allocated beside it; False where memory runs
        out. Changes nothing, and waits for no other rank: one may run out of memory where another does not."""
        reservation = None
        try:
            reservation = torch.empty(reserved, dtype=torch.uint8, device=self._device)
            with self._accelerator.no_sync(self.ddp_unet):
                self.backward(micro_batch)
        except RuntimeError as e:
            if not _is_out_of_memory(e):
                raise
            return False
        finally:
            del reservation
            self._optimizer.zero_grad(set_to_none=True)
        return True

    def _losses(self, micro_batch: PreparedBatch) -> torch.Tensor:
        """Losses (n,) of a micro-batch."""
        to_device = {"device": self._device, "non_blocking": True}
        draws = micro_batch.draws
        moments = micro_batch.batch.moments.to(**to_device)
        posterior_noise, noise, timesteps = (
            x.to(**to_device) for x in (draws.posterior_noise, draws.noise, draws.timesteps)
        )
        latents = sample_latents(moments, posterior_noise, self._base.vae.config)
        noisy_latents = self._objective.add_noise(latents, noise, timesteps)
        if self._device.type == "cuda":
            noisy_latents = noisy_latents.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            encoder_hidden_states = self.text_encoder(micro_batch.input_ids.to(**to_device))[0]
        with self._accelerator.autocast():
            model_pred = self.ddp_unet(
                noisy_latents, timesteps, encoder_hidden_states=encoder_hidden_states, return_dict=False
            )[0]
        target = self._objective.target(latents, noise, timesteps)
        return self._objective.loss(model_pred, target, timesteps, micro_batch.batch.masks.to(**to_device))

    # ------------------------------------------------------------ state

    def trainable_state_dict(self) -> dict[str, torch.Tensor]:
        """The weights that are trained, by parameter name."""
        return {n: p.detach() for n, p in self._parameters.items()}

    def ema_state_dict(self) -> dict[str, torch.Tensor] | None:
        """Their EMA, by the same names; None without one."""
        return None if self._ema is None else dict(zip(self._parameters, self._ema.shadow_params, strict=True))

    def optimizer_tensors(self) -> dict[str, torch.Tensor]:
        """The optimizer's state, by "parameter/state name"."""
        return checkpoint.optimizer_tensors(self._optimizer, list(self._parameters))

    def restore(self, saved: checkpoint.SavedCheckpoint) -> None:
        """Load a checkpoint's weights, EMA and optimizer state. Raises TrainError where it is of another model."""
        _copy_tensors(saved.weights, self._parameters, "weights")
        checkpoint.restore_optimizer(self._optimizer, list(self._parameters), saved.optimizer)
        if self._ema is not None:
            _copy_tensors(saved.ema or {}, self.ema_state_dict() or {}, "running mean")
            self._ema.optimization_step = saved.state["step"]


def _micro_batches(prepared: PreparedBatch, count: int) -> list[PreparedBatch]:
    """Split a batch into `count` equal micro-batches, in order."""
    size = len(prepared.batch) // count
    draws = prepared.draws
    micro_batches = []
    for i, batch in enumerate(prepared.batch.split(count)):
        rows = slice(i * size, (i + 1) * size)
        row_draws = NoiseDraws(
            draws.noise[rows], draws.posterior_noise[rows], draws.offset[rows], draws.timesteps[rows]
        )
        micro_batches.append(PreparedBatch(batch, row_draws, prepared.input_ids[rows]))
    return micro_batches


def _is_out_of_memory(e: RuntimeError) -> bool:
    # cuBLAS, cuDNN and the driver report it in messages of their own, not as OutOfMemoryError.
    return isinstance(e, torch.OutOfMemoryError) or "out of memory" in str(e) or "ALLOC_FAILED" in str(e)


def _trainable_unet(config: RunConfig, base: DiffusionModel) -> Any:
    """The base's U-Net with the gradients that the run needs: all of them, or those of a new LoRA."""
    if config.lora is None:
        return base.unet.requires_grad_(True)
    try:
        return add_lora_adapter(base.unet, config.lora.model_dump(), config.seed)
    except ValueError as e:
        what = "no such layers for a LoRA"
        raise TrainError(what, got=", ".join(config.lora.targets), allowed="ends of layers' names") from e


def _make_optimizer(config: RunConfig, parameters: list[Any], cuda: bool) -> torch.optim.Optimizer:
    """Make AdamW, or 8-bit AdamW with bitsandbytes, over these parameters. Raises TrainError where that is missing."""
    options: dict[str, Any] = {
        "lr": config.learning_rate,
        "betas": config.betas,
        "weight_decay": config.weight_decay,
        "eps": config.epsilon,
    }
    if config.optimizer == "adamw":
        return torch.optim.AdamW(parameters, **options, fused=cuda or None)
    try:
        import bitsandbytes
    except ImportError as e:
        raise TrainError("adamw8bit needs bitsandbytes", allowed="pip install bitsandbytes, or adamw") from e
    if not cuda:
        raise TrainError("adamw8bit needs CUDA", allowed="adamw")
    adamw8bit: torch.optim.Optimizer = bitsandbytes.optim.AdamW8bit(parameters, **options)
    return adamw8bit


def make_lr_lambda(config: RunConfig, optimizer: torch.optim.Optimizer) -> Callable[[int], float]:
    """Return the learning-rate schedule: step → factor of config.learning_rate, 0 … 1, with warm-up and decay."""
    name = "cosine" if config.schedule == "cosine" else "constant_with_warmup"
    lr_scheduler = get_scheduler(name, optimizer, num_warmup_steps=config.warmup, num_training_steps=config.decay_steps)
    lr_lambda: Callable[[int], float] = lr_scheduler.lr_lambdas[0]
    # step + 1: at step 0 diffusers' warm-up has a factor of 0, and the first update would change nothing.
    # min(…, last): after its last step diffusers' cosine rises again.
    last = config.decay_steps
    return lambda step: lr_lambda(step + 1 if last is None else min(step + 1, last))


def _copy_tensors(source: dict[str, torch.Tensor], target: dict[str, torch.Tensor], kind: str) -> None:
    """Copy tensors by name. Raises TrainError unless names and shapes agree; kind: of tensors, for the error."""
    if target.keys() != source.keys() or any(target[k].shape != source[k].shape for k in target):
        raise TrainError(f"the checkpoint's {kind} are of another model")
    with torch.no_grad():
        for name, value in source.items():
            target[name].copy_(value)
