"""Settings of the sampler and of its device, all decided: what an image depends on beside model, prompt and seed.

user_options.py has the options that they are made from.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from vrm_synth.core.errors import VrmSynthError

SchedulerName = Literal["dpm++2m", "unipc", "ddim"]
SCHEDULERS: tuple[SchedulerName, ...] = get_args(SchedulerName)
Precision = Literal["float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
MAX_STEPS = 1000  # timesteps that diffusion models of this kind are trained with
MAX_GUIDANCE_SCALE = 100
MAX_SAMPLED_SIDE = 4096  # pixels
MAX_BATCH_SIZE = 4096  # images

# Defaults of every way to sample: SamplerSettings, SamplingOptions, vrm_synth.sample and the command line.
DEFAULT_STEPS = 20
DEFAULT_GUIDANCE_SCALE = 7.5
DEFAULT_GUIDANCE_RESCALE = 0.0
DEFAULT_SCHEDULER: SchedulerName = "dpm++2m"


class SamplingError(VrmSynthError):
    """The images cannot be sampled as requested."""


@dataclass(frozen=True)
class SamplerSettings:
    """Settings of the sampler.

    width, height: pixels.
    steps: denoising steps.
    guidance_scale: classifier-free guidance scale; 1 turns guidance off, and negative prompts then have no effect.
    guidance_rescale: φ of arXiv:2305.08891, section 3.4: how much of the standard deviation that guidance adds is
        removed, 0 to 1.
    scheduler: name of the sampler.
    """

    width: int
    height: int
    steps: int = DEFAULT_STEPS
    guidance_scale: float = DEFAULT_GUIDANCE_SCALE
    guidance_rescale: float = DEFAULT_GUIDANCE_RESCALE
    scheduler: SchedulerName = DEFAULT_SCHEDULER

    def __post_init__(self) -> None:
        _check_range("steps", self.steps, 1, MAX_STEPS)
        _check_range("guidance_scale", self.guidance_scale, 1.0, MAX_GUIDANCE_SCALE)
        _check_range("guidance_rescale", self.guidance_rescale, 0.0, 1.0)
        _check_range("width", self.width, 1, MAX_SAMPLED_SIDE)
        _check_range("height", self.height, 1, MAX_SAMPLED_SIDE)
        if self.scheduler not in SCHEDULERS:
            raise SamplingError("unknown scheduler", got=self.scheduler, allowed=", ".join(SCHEDULERS))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as JSON values, by field name."""
        return asdict(self)


@dataclass(frozen=True)
class DeviceConfig:
    """Device, precision and batching to run a model with; the last digits of an image depend on it.

    device: torch's name, such as "cuda:0".
    precision: dtype of the U-Net and the text encoder.
    batch_size: images per batch; every batch is padded to it.
    compiled: use torch.compile.
    """

    device: str = "cpu"
    precision: Precision = "float32"
    batch_size: int = 1
    compiled: bool = False

    @classmethod
    def default_for(cls, device: str) -> DeviceConfig:
        """Default of a device: bfloat16, batches of 8 and torch.compile on CUDA; float32, one by one on a CPU."""
        cuda = device.startswith("cuda")
        return cls(device, "bfloat16" if cuda else "float32", 8 if cuda else 1, cuda)

    def __post_init__(self) -> None:
        _check_range("batch_size", self.batch_size, 1, MAX_BATCH_SIZE)
        if self.precision not in PRECISIONS:
            raise SamplingError("unknown precision", got=self.precision, allowed=", ".join(PRECISIONS))


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # False for NaN
        raise SamplingError(f"{name} out of range", got=value, allowed=f"{low} to {high}")
