"""What a picture follows from beside the model, its prompt and its seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from vrm_synth.core.errors import VrmSynthError

SchedulerName = Literal["dpm++2m", "unipc", "ddim"]
SCHEDULERS: tuple[SchedulerName, ...] = get_args(SchedulerName)
Precision = Literal["float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
MOST_STEPS = 1000  # as many as diffusion models of this kind are trained with
MOST_GUIDANCE = 100.0
LONGEST_SIDE = 4096  # pixels


class SamplingError(VrmSynthError):
    """The pictures cannot be made as asked."""


@dataclass(frozen=True)
class SamplingSettings:
    """How pictures are drawn from noise.

    guidance: classifier-free guidance's scale; 1 is none, and then negative prompts do nothing. guidance_rescale: how
    much of the spread that guidance adds is taken back (arXiv:2305.08891, section 3.4), 0 to 1. width, height: pixels.
    """

    width: int
    height: int
    steps: int = 20
    guidance: float = 7.5
    guidance_rescale: float = 0.0
    scheduler: SchedulerName = "dpm++2m"

    def __post_init__(self) -> None:
        _within("steps", self.steps, 1, MOST_STEPS)
        _within("guidance", self.guidance, 1.0, MOST_GUIDANCE)
        _within("guidance_rescale", self.guidance_rescale, 0.0, 1.0)
        _within("width", self.width, 1, LONGEST_SIDE)
        _within("height", self.height, 1, LONGEST_SIDE)
        if self.scheduler not in SCHEDULERS:
            raise SamplingError("unknown scheduler", got=self.scheduler, allowed=", ".join(SCHEDULERS))

    def to_json(self) -> dict[str, Any]:
        """Plain values by field name."""
        return asdict(self)


@dataclass(frozen=True)
class DeviceConfig:
    """Where and how the arithmetic is done; other places, other last digits.

    device: as torch names it; precision: of U-Net and text encoder; batch_size: pictures at once, the one shape that
    every batch is filled up to; compiled: by torch.compile.
    """

    device: str = "cpu"
    precision: Precision = "float32"
    batch_size: int = 1
    compiled: bool = False

    @classmethod
    def usual(cls, device: str) -> DeviceConfig:
        """As fast as pictures keep their looks: half precision and compiled on CUDA, neither on a CPU."""
        cuda = device.startswith("cuda")
        return cls(device, "bfloat16" if cuda else "float32", 8 if cuda else 1, cuda)

    def __post_init__(self) -> None:
        _within("batch_size", self.batch_size, 1, 4096)
        if self.precision not in PRECISIONS:
            raise SamplingError("unknown precision", got=self.precision, allowed=", ".join(PRECISIONS))


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:  # NaN is within nothing
        raise SamplingError(f"{name} out of range", got=value, allowed=f"{least} to {most}")
