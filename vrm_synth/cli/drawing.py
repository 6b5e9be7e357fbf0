"""What `sample` and `preview` share: how pictures are drawn, and on what."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from vrm_synth.cli.common import Choice, bar, note

if TYPE_CHECKING:
    from vrm_synth.models import Base
    from vrm_synth.sampling.sampler import DiffusionSampler
    from vrm_synth.sampling.settings import Precision, SamplingSettings, SchedulerName

F = TypeVar("F", bound=Callable[..., object])


class Size(click.ParamType):
    """SIDE or WIDTHxHEIGHT, pixels."""

    name = "WIDTHxHEIGHT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        found = re.fullmatch(r"(\d{1,5})(?:[x×](\d{1,5}))?", str(value))
        if not found:
            self.fail(f"{value!r} is neither a side nor WIDTHxHEIGHT.", param, ctx)
        return int(found[1]), int(found[2] or found[1])


class Lora(click.ParamType):
    """FILE or FILE:SCALE."""

    name = "FILE[:SCALE]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Path, float]:
        found = re.fullmatch(r"(.+?)(?::(-?\d+(?:\.\d+)?))?", str(value))
        if not found:
            self.fail(f"{value!r} is not FILE or FILE:SCALE.", param, ctx)
        return Path(found[1]), float(found[2] or 1)


def drawing_options(command: F) -> F:
    """How pictures are drawn, and on what: what sample and preview share."""
    options = (
        click.option(
            "--checkpoint", metavar="STEP", help="Of a run: a step's number, best or latest.  [default: latest]"
        ),
        click.option("--base", metavar="MODEL", help="Of a run: where its base lies now, if not where it did."),
        click.option("--online", is_flag=True, help="Fetch a base that is not at hand."),
        click.option("--steps", default=20, show_default=True, type=click.IntRange(1, 1000), help="Denoising steps."),
        click.option(
            "--guidance",
            default=7.5,
            show_default=True,
            type=click.FloatRange(1, 100),
            help="How strongly pictures follow their prompts; 1 is no guidance.",
        ),
        click.option(
            "--guidance-rescale",
            default=0.0,
            show_default=True,
            type=click.FloatRange(0, 1),
            help="Takes back the glare that strong guidance adds; 0.7 for models of zero-terminal-SNR.",
        ),
        click.option(
            "--scheduler",
            default="dpm++2m",
            show_default=True,
            type=Choice(["dpm++2m", "unipc", "ddim"]),
            help="The sampler; betas and prediction type are the model's own.",
        ),
        click.option("--size", type=Size(), help="Pixels, such as 512 or 512x768.  [default: the model's own]"),
        click.option(
            "--lora",
            "loras",
            multiple=True,
            type=Lora(),
            help="Add a LoRA's weights (.safetensors), scaled; may be repeated.",
        ),
        click.option("--device", metavar="NAME", help="cpu, cuda or cuda:N.  [default: cuda where there is one]"),
        click.option(
            "--precision",
            type=Choice(["float32", "bfloat16", "float16"]),
            help="Of U-Net and text encoder.  [default: bfloat16 on CUDA, float32 on a CPU]",
        ),
        click.option(
            "--batch-size",
            type=click.IntRange(1, 4096),
            help="Pictures at once, always filled up to this.  [default: 8 on CUDA, 1 on a CPU]",
        ),
        click.option(
            "--compile/--no-compile",
            "compiled",
            default=None,
            help="torch.compile: a minute at first, then much faster.  [default: on CUDA]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True)
class Drawing:
    """The options of `drawing_options`, as given."""

    checkpoint: str | None
    base: str | None
    online: bool
    steps: int
    guidance: float
    guidance_rescale: float
    scheduler: SchedulerName
    size: tuple[int, int] | None
    loras: tuple[tuple[Path, float], ...]
    device: str | None
    precision: Precision | None
    batch_size: int | None
    compiled: bool | None

    def check(self, source: str) -> None:
        """What is mistyped is answered before torch takes its seconds. Raises ModelError, SamplingError."""
        from vrm_synth.sampling.run_facts import check_lora, check_model

        check_model(source, self.checkpoint, self.base)
        for file, _ in self.loras:
            check_lora(file)

    def open(self, source: str) -> Base:
        """The model with its LoRAs. Raises ModelError, SamplingError."""
        from vrm_synth.sampling.lora import add_lora
        from vrm_synth.sampling.model_source import open_model

        model = open_model(source, self.checkpoint, base=self.base, offline=not self.online, say=note)
        for file, scale in self.loras:
            model = add_lora(model, file, scale)
        return model

    def settings(self, model: Base, source: str) -> SamplingSettings:
        """With the size that the source is for where none was asked for. Raises SamplingError."""
        from vrm_synth.sampling.model_source import default_side
        from vrm_synth.sampling.settings import SamplingSettings

        width, height = self.size or (default_side(source, model),) * 2
        return SamplingSettings(width, height, self.steps, self.guidance, self.guidance_rescale, self.scheduler)

    def sampler(self, model: Base, source: str) -> DiffusionSampler:
        """Ready to draw on the device asked for, or the best there is. Raises SamplingError."""
        from vrm_synth.sampling.devices import find_device
        from vrm_synth.sampling.sampler import DiffusionSampler
        from vrm_synth.sampling.settings import DeviceConfig

        usual = DeviceConfig.usual(find_device(self.device, int(os.environ.get("LOCAL_RANK", "0"))))
        place = DeviceConfig(
            usual.device,
            self.precision or usual.precision,
            self.batch_size or usual.batch_size,
            usual.compiled if self.compiled is None else self.compiled,
        )
        return DiffusionSampler(model, self.settings(model, source), place)


@contextlib.contextmanager
def picture_bar(total: int) -> Iterator[Callable[[float], object]]:
    """A bar of pictures; gives what is to be told each share of a picture that is done."""
    done = 0.0
    with bar(total, "images") as shown:

        def tick(share: float) -> None:
            nonlocal done
            done += share
            shown.n = min(total, round(done, 2))  # sums of shares are never quite whole
            shown.update(0)

        yield tick


def ranks() -> tuple[int, int]:
    """(this process's number, of how many), as torchrun and accelerate launch tell it."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
