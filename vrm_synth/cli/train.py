"""`vrm-synth train`."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vrm_synth.cli.common import Choice, bar, note, plural

if TYPE_CHECKING:
    from tqdm import tqdm

    from vrm_synth.training.callbacks import Callbacks, StepReport

PRECISIONS = Choice(["auto", "float32", "bfloat16"])


def _list_presets(ctx: click.Context, _: click.Parameter, flag: bool) -> None:
    if not flag:
        return
    from vrm_synth.models.base_presets import PRESETS

    for p in PRESETS.values():
        click.echo(f"{p.name:<22}{p.about}")
        click.echo(f"{'':<22}license of the base model: {p.license.name if p.license else 'see the base model'}")
    ctx.exit()


@click.command()
@click.argument("config_file", metavar="[RUN.YAML]", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", "run", required=True, type=click.Path(path_type=Path), metavar="RUN", help="Folder of the run."
)
@click.option("--base", metavar="MODEL", help="A diffusers folder, owner/repository@revision, or tiny.")
@click.option("--preset", metavar="NAME", help="A known base model with training settings; see --presets.")
@click.option(
    "--data", "sources", multiple=True, metavar="PATH", help="A dataset of captioned pictures; may be repeated."
)
@click.option(
    "--license", metavar="NAME", help="License of --data's pictures that have none in their metadata, such as CC0-1.0."
)
@click.option(
    "--steps", type=click.IntRange(1), help="Number of updates; a higher number than before continues the run."
)
@click.option("--batch", type=click.IntRange(1), help="Pictures per update, over all devices.")
@click.option("--micro-batch", type=click.IntRange(1), help="Pictures per forward pass on one device.")
@click.option("--size", type=int, help="Side of the pictures in pixels, a multiple of 64.")
@click.option("--buckets", type=click.IntRange(1, 6), help="Number of aspect ratio buckets.")
@click.option("--lr", "learning_rate", type=float, help="Learning rate.")
@click.option("--warmup", type=click.IntRange(0), help="Updates over which the learning rate rises from 0.")
@click.option("--seed", type=click.IntRange(0), help="Seed of the order, the noise and new weights.")
@click.option("--init", type=Choice(["base", "scratch"]), help="scratch: train the U-Net from new weights.")
@click.option("--lora", "lora_rank", type=click.IntRange(1), metavar="RANK", help="Train a LoRA of this rank.")
@click.option("--dora", "dora_rank", type=click.IntRange(1), metavar="RANK", help="Train a DoRA of this rank.")
@click.option("--min-snr-gamma", type=float, help="Min-SNR weighting; 5 is usual.")
@click.option("--offset-noise", type=float, help="Strength of the noise offset that is common to a whole channel.")
@click.option(
    "--zero-terminal-snr",
    is_flag=True,
    default=None,
    help="Rescale the noise schedule to end in pure noise; needs v-prediction.",
)
@click.option("--precision", type=PRECISIONS, help="auto: bfloat16 on CUDA, float32 elsewhere.")
@click.option("--checkpoint-every", type=click.IntRange(1), metavar="N", help="Updates between checkpoints.")
@click.option(
    "--validation",
    metavar="SPLIT",
    help="Split to validate on at each checkpoint; the best checkpoint has the lowest loss.",
)
@click.option(
    "--preview-every", type=click.IntRange(1), metavar="N", help="Updates between previews: RUN/preview.html."
)
@click.option("--keep", type=click.IntRange(1), metavar="N", help="Number of last checkpoints to keep.")
@click.option(
    "--device", type=Choice(["auto", "cpu"]), default="auto", show_default=True, help="auto: CUDA where there is one."
)
@click.option("--online", is_flag=True, help="Download a base model that is not on this machine.")
@click.option(
    "--presets", is_flag=True, is_eager=True, expose_value=False, callback=_list_presets, help="List presets."
)
def train(
    config_file: Path | None,
    run: Path,
    sources: tuple[str, ...],
    license: str | None,
    lora_rank: int | None,
    dora_rank: int | None,
    device: str,
    online: bool,
    **flags: Any,
) -> None:
    """Train a latent diffusion model on captioned pictures.

    Configure the run by RUN.YAML, by flags, or by both; flags override the file. The smallest RUN.YAML, with paths
    relative to it:

    \b
        base: tiny
        steps: 1000
        data:
          sources: [out/pictures]

    Running the same command again resumes from the last checkpoint, bit-exactly; a higher --steps continues the run.
    Ctrl-C writes a checkpoint and exits with status 130. For several GPUs: torchrun or accelerate launch, with
    -m vrm_synth train and the same arguments.

    \b
    Examples:
      vrm-synth train --base tiny --data out -o run --steps 200
      vrm-synth train --base models/sd21-base --preset sd21-base --data out -o run --steps 10000 --lora 16
      vrm-synth train --base models/sd21-base --preset mitsua-vroid-scratch --data out -o run
    """
    from vrm_synth.training.run_checks import check_run

    config = _config(config_file, _flag_config(sources, license, lora_rank, dora_rank, flags))
    check_run(config, run)  # typos are reported before the slow import of torch
    with _handle_signals() as stop:
        from vrm_synth.training import loop as running

        with _progress_bars(stop) as callbacks:
            step = running.train(
                config, run, callbacks, device=None if device == "auto" else device, offline=not online
            )
    if step < config.steps:
        click.echo(f"Stopped at step {step} of {config.steps}; the same command resumes: {run}")
        raise SystemExit(128 + (stop.signal or signal.SIGINT))
    if stop.started:
        click.echo(f"Done at step {step} of {config.steps}: {run}")
    else:
        beyond = "" if step == config.steps else f", beyond the {config.steps} asked for"
        click.echo(f"Nothing to do, the run is at step {step} already{beyond}: {run}")


def _flag_config(
    sources: tuple[str, ...],
    license: str | None,
    lora_rank: int | None,
    dora_rank: int | None,
    flags: dict[str, Any],
) -> dict[str, Any]:
    """The flags as a configuration, without those that were not set."""
    config = {k: v for k, v in flags.items() if v is not None}
    data: dict[str, Any] = {k: config.pop(k) for k in ("size", "buckets") if k in config}
    if "validation" in config:
        config["validation"] = {"split": config["validation"]}
    if license is not None and not sources:
        raise click.UsageError("--license belongs to --data; in RUN.YAML each source has its own license.")
    if sources:
        entry = {} if license is None else {"license": license}
        data["sources"] = [{"path": str(Path(s).expanduser().absolute()), **entry} for s in sources]
    if data:
        config["data"] = data
    if lora_rank is not None and dora_rank is not None:
        raise click.UsageError("--lora and --dora exclude each other.")
    rank = lora_rank or dora_rank
    if rank is not None:
        config["lora"] = {"rank": rank, "alpha": float(rank), "dora": dora_rank is not None}
    return config


def _config(file: Path | None, flags: dict[str, Any]) -> Any:
    """The run's configuration: the file with the flags merged into it."""
    import yaml

    from vrm_synth.training.config import RunConfig, merged
    from vrm_synth.yaml_models.strict_yaml import load, parse

    if file is not None:
        read = load(file, RunConfig, base=file.absolute().parent)
        if not flags:
            return read
        flags = merged(read.model_dump(mode="json", exclude_unset=True), flags)
    # Through YAML, so that flags are validated by the same rules, with the same messages.
    return parse(yaml.safe_dump(flags), RunConfig, "flags", base=Path.cwd())


@dataclass
class _StopRequest:
    """State of the signal handler.

    started: updates have begun.
    signal: number of the signal that asked to stop; None so far.
    """

    started: bool = False
    signal: int | None = None


@contextlib.contextmanager
def _handle_signals() -> Iterator[_StopRequest]:
    """Let the first Ctrl-C or SIGTERM stop the run after the current update, and the second end the process at once.

    Before updates have begun there is nothing to save, and the first one ends the process.
    """
    stop = _StopRequest()

    def handle(number: int, frame: object) -> None:
        if stop.signal is not None or not stop.started:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
        stop.signal = number
        note("Stopping after this update and its checkpoint; once more stops at once.")

    # With several ranks some would stop while others wait for them: there a signal ends the process, and the run
    # resumes from its last checkpoint.
    single_process = int(os.environ.get("WORLD_SIZE", "1")) == 1
    previous = {n: signal.signal(n, handle) for n in (signal.SIGINT, signal.SIGTERM) if single_process}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _progress_bars(stop: _StopRequest) -> Iterator[Callbacks]:
    """Callbacks that show the run's progress as bars."""
    from vrm_synth.training.callbacks import Callbacks

    bars: list[tqdm[Any]] = []

    def new(total: int, unit: str) -> None:
        while bars:
            bars.pop().close()
        bars.append(bar(total, unit))

    def begin(done: int, total: int) -> None:
        stop.started = True
        new(total, "updates")
        bars[-1].initial = bars[-1].n = done  # the rate is that of this process
        if done:
            note(f"Resuming from step {done}.")

    def prepare(total: int) -> None:
        note(f"{plural(total, 'latent')} to prepare.")
        new(total, "latents")

    def step(report: StepReport) -> None:
        values = {"loss": f"{report.loss:.4f}", "images/s": f"{report.images_per_second:.1f}"}
        if report.mfu is not None:
            values["MFU"] = f"{report.mfu:.1%}"
        if report.peak_memory is not None:
            values["GiB"] = f"{report.peak_memory / 2**30:.1f}"
        bars[-1].set_postfix(values, refresh=False)
        bars[-1].update()

    try:
        yield Callbacks(
            on_begin=begin,
            on_step=step,
            on_message=note,
            on_prepare=prepare,
            on_prepared=lambda n: bars[-1].update(n),
            should_stop=lambda: stop.signal is not None,
        )
    finally:
        while bars:
            bars.pop().close()
