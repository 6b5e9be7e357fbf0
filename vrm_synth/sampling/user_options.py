"""Options for sampling from a model, as a user sets them: None leaves a choice to the model or the machine.

Needs no torch. open_sampler.py makes SamplerSettings and DeviceConfig of them, where everything is decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vrm_synth.sampling.model_source import check_lora, check_model
from vrm_synth.sampling.sampler_settings import (
    DEFAULT_GUIDANCE_RESCALE,
    DEFAULT_GUIDANCE_SCALE,
    DEFAULT_SCHEDULER,
    DEFAULT_STEPS,
    Precision,
    SchedulerName,
)


@dataclass(frozen=True)
class SamplingOptions:
    """Which weights of a model to use, how to sample, and on which device.

    checkpoint: of a run: a step number, "best" or "latest"; None is the latest.
    base: of a run: where its base model is now, if it was moved.
    offline: if False, a base that is not on this machine is downloaded.
    steps: denoising steps.
    guidance_scale: classifier-free guidance scale; 1 turns guidance off.
    guidance_rescale: 0 to 1, see SamplerSettings.
    scheduler: name of the sampler.
    size: (width, height) in pixels; None is the size that the model was trained at.
    loras: (file, scale) of each LoRA to merge into the model.
    device: "cpu", "cuda" or "cuda:N"; None is CUDA where there is one.
    precision: of the U-Net and the text encoder; None is bfloat16 on CUDA and float32 on a CPU.
    batch_size: images per batch; None is 8 on CUDA and 1 on a CPU.
    compiled: use torch.compile; None is only on CUDA.
    """

    checkpoint: str | None = None
    base: str | None = None
    offline: bool = True
    steps: int = DEFAULT_STEPS
    guidance_scale: float = DEFAULT_GUIDANCE_SCALE
    guidance_rescale: float = DEFAULT_GUIDANCE_RESCALE
    scheduler: SchedulerName = DEFAULT_SCHEDULER
    size: tuple[int, int] | None = None
    loras: tuple[tuple[Path, float], ...] = ()
    device: str | None = None
    precision: Precision | None = None
    batch_size: int | None = None
    compiled: bool | None = None

    def check(self, model: str) -> None:
        """Check that the model, checkpoint and LoRA files exist, before torch is imported. Raises ModelError,
        SamplingError."""
        check_model(model, self.checkpoint, self.base)
        for file, _ in self.loras:
            check_lora(file)
