"""Options that `sample` and `preview` share: model, sampler and device."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vrm_synth.cli.common import Choice, bar
from vrm_synth.sampling.sampler_settings import (
    DEFAULT_GUIDANCE_RESCALE,
    DEFAULT_GUIDANCE_SCALE,
    DEFAULT_SCHEDULER,
    DEFAULT_STEPS,
    MAX_BATCH_SIZE,
    MAX_GUIDANCE_SCALE,
    MAX_STEPS,
    PRECISIONS,
    SCHEDULERS,
)

if TYPE_CHECKING:
    from vrm_synth.sampling.user_options import SamplingOptions

F = TypeVar("F", bound=Callable[..., object])


class Size(click.ParamType):
    """SIDE or WIDTHxHEIGHT, in pixels."""

    name = "WIDTHxHEIGHT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        match = re.fullmatch(r"(\d{1,5})(?:[x×](\d{1,5}))?", str(value))
        if not match:
            self.fail(f"{value!r} is neither a side nor WIDTHxHEIGHT.", param, ctx)
        return int(match[1]), int(match[2] or match[1])


class Lora(click.ParamType):
    """FILE or FILE:SCALE."""

    name = "FILE[:SCALE]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Path, float]:
        match = re.fullmatch(r"(.+?)(?::(-?\d+(?:\.\d+)?))?", str(value))
        if not match:
            self.fail(f"{value!r} is not FILE or FILE:SCALE.", param, ctx)
        return Path(match[1]), float(match[2] or 1)


def sampling_flags(command: F) -> F:
    """Add the options of SamplingOptions to a command."""
    options = (
        click.option(
            "--checkpoint",
            metavar="STEP",
            help="Of a run: a step number, best or latest.  [default: latest]",
        ),
        click.option("--base", metavar="MODEL", help="Of a run: where its base model is now, if it was moved."),
        click.option("--online", is_flag=True, help="Download a base model that is not on this machine."),
        click.option(
            "--steps",
            default=DEFAULT_STEPS,
            show_default=True,
            type=click.IntRange(1, MAX_STEPS),
            help="Denoising steps.",
        ),
        click.option(
            "--guidance-scale",
            default=DEFAULT_GUIDANCE_SCALE,
            show_default=True,
            type=click.FloatRange(1, MAX_GUIDANCE_SCALE),
            help="How strongly pictures follow their prompts; 1 turns guidance off.",
        ),
        click.option(
            "--guidance-rescale",
            default=DEFAULT_GUIDANCE_RESCALE,
            show_default=True,
            type=click.FloatRange(0, 1),
            help="Reduces the overexposure that strong guidance causes; 0.7 is usual for zero-terminal-SNR models.",
        ),
        click.option(
            "--scheduler",
            default=DEFAULT_SCHEDULER,
            show_default=True,
            type=Choice(SCHEDULERS),
            help="The sampler. Noise schedule and prediction type are the model's own.",
        ),
        click.option("--size", type=Size(), help="Pixels, such as 512 or 512x768.  [default: the model's own]"),
        click.option(
            "--lora",
            "loras",
            multiple=True,
            type=Lora(),
            help="Merge a LoRA (.safetensors) into the model, scaled; may be repeated.",
        ),
        click.option("--device", metavar="NAME", help="cpu, cuda or cuda:N.  [default: cuda where there is one]"),
        click.option(
            "--precision",
            type=Choice(PRECISIONS),
            help="Of the U-Net and the text encoder.  [default: bfloat16 on CUDA, float32 on a CPU]",
        ),
        click.option(
            "--batch-size",
            type=click.IntRange(1, MAX_BATCH_SIZE),
            help="Pictures per batch; a smaller last batch is padded.  [default: 8 on CUDA, 1 on a CPU]",
        ),
        click.option(
            "--compile/--no-compile",
            "compiled",
            default=None,
            help="torch.compile: takes a minute at first, then samples much faster.  [default: on CUDA]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def sampling_options(flags: dict[str, Any]) -> SamplingOptions:
    """The values of `sampling_flags` as SamplingOptions."""
    from vrm_synth.sampling.user_options import SamplingOptions

    online = flags.pop("online")
    return SamplingOptions(offline=not online, **flags)


@contextlib.contextmanager
def image_bar() -> Iterator[Callable[[float, int], None]]:
    """A progress bar of images; gives the function that is called with the images done and their total number."""
    with contextlib.ExitStack() as stack:
        shown: list[Any] = []

        def progress(done: float, total: int) -> None:
            if not shown:
                shown.append(stack.enter_context(bar(total, "images")))
            shown[0].n = round(done, 2)  # sums of fractions are not exact
            shown[0].update(0)

        yield progress


def ranks() -> dict[str, int]:
    """rank, world_size and local_rank of this process, from the environment of torchrun and accelerate launch."""
    return {
        "rank": int(os.environ.get("RANK", "0")),
        "world_size": int(os.environ.get("WORLD_SIZE", "1")),
        "local_rank": int(os.environ.get("LOCAL_RANK", "0")),
    }
