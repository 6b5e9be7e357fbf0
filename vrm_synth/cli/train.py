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

    from vrm_synth.train.callbacks import Callbacks, StepReport

PRECISIONS = Choice(["auto", "float32", "bfloat16"])


def _presets(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked:
        return
    from vrm_synth.models.base_presets import PRESETS

    for p in PRESETS.values():
        click.echo(f"{p.name:<22}{p.about}")
        click.echo(f"{'':<22}license of the base: {p.license.name if p.license else 'as the base says'}")
    ctx.exit()


@click.command()
@click.argument("config_file", metavar="[RUN.YAML]", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--out", "run", required=True, type=click.Path(path_type=Path), metavar="RUN", help="Run's folder.")
@click.option("--base", metavar="MODEL", help="A diffusers folder, owner/repository@revision, or tiny.")
@click.option("--preset", metavar="NAME", help="What the base is, and defaults for the run: see --presets.")
@click.option("--data", "sources", multiple=True, metavar="PATH", help="Captioned pictures; may be repeated.")
@click.option("--license", metavar="NAME", help="Of --data's pictures whose own rows do not say, such as CC0-1.0.")
@click.option("--steps", type=click.IntRange(1), help="How many updates; more of them than before go on.")
@click.option("--batch", type=click.IntRange(1), help="Pictures an update, of all devices together.")
@click.option("--micro-batch", type=click.IntRange(1), help="Pictures at once on one device.")
@click.option("--size", type=int, help="Pixels of a picture's side, a multiple of 64.")
@click.option("--buckets", type=click.IntRange(1, 6), help="How many shapes pictures may have.")
@click.option("--lr", "learning_rate", type=float, help="Learning rate.")
@click.option("--warmup", type=click.IntRange(0), help="Updates in which the learning rate grows to that.")
@click.option("--seed", type=click.IntRange(0), help="Another seed: other order, noise and new weights.")
@click.option("--init", type=Choice(["base", "scratch"]), help="scratch: the U-Net begins with new weights.")
@click.option("--lora", "lora_rank", type=click.IntRange(1), metavar="RANK", help="Train a LoRA of this rank.")
@click.option("--dora", "dora_rank", type=click.IntRange(1), metavar="RANK", help="Train a DoRA of this rank.")
@click.option("--min-snr-gamma", type=float, help="Min-SNR weighting; 5 is usual.")
@click.option("--offset-noise", type=float, help="Strength of noise that a whole channel has in common.")
@click.option("--zero-terminal-snr", is_flag=True, default=None, help="Schedule that ends in pure noise; needs v.")
@click.option("--precision", type=PRECISIONS, help="auto: bfloat16 on CUDA, float32 elsewhere.")
@click.option("--checkpoint-every", type=click.IntRange(1), metavar="N", help="Updates between checkpoints.")
@click.option("--validation", metavar="SPLIT", help="Split whose loss each checkpoint has; the best has the least.")
@click.option(
    "--preview-every", type=click.IntRange(1), metavar="N", help="Updates between previews: RUN/preview.html."
)
@click.option("--keep", type=click.IntRange(1), metavar="N", help="How many of the last checkpoints stay.")
@click.option("--device", type=Choice(["auto", "cpu"]), default="auto", show_default=True, help="Where.")
@click.option("--online", is_flag=True, help="Fetch a base that is not at hand. Without it nothing is fetched.")
@click.option("--presets", is_flag=True, is_eager=True, expose_value=False, callback=_presets, help="List presets.")
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

    By RUN.YAML, by flags, or by both, flags winning. The smallest RUN.YAML, paths being relative to it:

    \b
        base: tiny
        steps: 1000
        data:
          sources: [out/pictures]

    The same command again goes on from the last checkpoint, to the same bits as if it had never stopped, and with
    more --steps further. Ctrl-C writes a checkpoint and ends with status 130. Several GPUs: torchrun or accelerate
    launch, with -m vrm_synth train and the same words.

    \b
    Examples:
      vrm-synth train --base tiny --data out -o run --steps 200
      vrm-synth train --base models/sd21-base --preset sd21-base --data out -o run --steps 10000 --lora 16
      vrm-synth train --base models/sd21-base --preset mitsua-vroid-scratch --data out -o run
    """
    from vrm_synth.train.preflight import check_run

    config = _config(config_file, _given(sources, license, lora_rank, dora_rank, flags))
    check_run(config, run)  # what is mistyped is answered before torch takes its seconds
    with _stopping() as stop:
        from vrm_synth.train import loop as running

        with _shown(stop) as tell:
            step = running.train(config, run, tell, device=None if device == "auto" else device, offline=not online)
    if step < config.steps:
        click.echo(f"Stopped at step {step} of {config.steps}; the same command goes on: {run}")
        raise SystemExit(128 + (stop.signal or signal.SIGINT))
    if stop.begun:
        click.echo(f"Done at step {step} of {config.steps}: {run}")
    else:
        beyond = "" if step == config.steps else f", beyond the {config.steps} asked for"
        click.echo(f"Nothing to do, the run is at step {step} already{beyond}: {run}")


def _given(
    sources: tuple[str, ...],
    license: str | None,
    lora_rank: int | None,
    dora_rank: int | None,
    flags: dict[str, Any],
) -> dict[str, Any]:
    """The flags that were given, as a configuration."""
    given = {k: v for k, v in flags.items() if v is not None}
    data: dict[str, Any] = {k: given.pop(k) for k in ("size", "buckets") if k in given}
    if "validation" in given:
        given["validation"] = {"split": given["validation"]}
    if license is not None and not sources:
        raise click.UsageError("--license belongs to --data; in RUN.YAML each source has its own.")
    if sources:
        own = {} if license is None else {"license": license}
        data["sources"] = [{"path": str(Path(s).expanduser().absolute()), **own} for s in sources]
    if data:
        given["data"] = data
    if lora_rank is not None and dora_rank is not None:
        raise click.UsageError("--lora and --dora: one of them.")
    rank = lora_rank or dora_rank
    if rank is not None:
        given["lora"] = {"rank": rank, "alpha": float(rank), "dora": dora_rank is not None}
    return given


def _config(file: Path | None, given: dict[str, Any]) -> Any:
    import yaml

    from vrm_synth.train.config import RunConfig, merged
    from vrm_synth.yaml_models.strict_yaml import load, parse

    if file is not None:
        read = load(file, RunConfig, base=file.absolute().parent)
        if not given:
            return read
        given = merged(read.model_dump(mode="json", exclude_unset=True), given)
    # Flags are checked by the same rules, and told of in the same words.
    return parse(yaml.safe_dump(given), RunConfig, "flags", base=Path.cwd())


@dataclass
class _Stop:
    """Whether updates have begun, and the signal that asked to stop."""

    begun: bool = False
    signal: int | None = None


@contextlib.contextmanager
def _stopping() -> Iterator[_Stop]:
    """The first Ctrl-C, or SIGTERM, is taken as a wish to stop after the update; the second one ends the process, as
    the first does before updates have begun, when there is nothing to write."""
    stop = _Stop()

    def ask(number: int, frame: object) -> None:
        if stop.signal is not None or not stop.begun:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)
        stop.signal = number
        note("Stopping after this update and its checkpoint; once more stops at once.")

    # Of several ranks some would stop and some wait for them: there a signal ends the process, and the run goes on
    # from its last checkpoint.
    alone = int(os.environ.get("WORLD_SIZE", "1")) == 1
    before = {n: signal.signal(n, ask) for n in (signal.SIGINT, signal.SIGTERM) if alone}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _shown(stop: _Stop) -> Iterator[Callbacks]:
    """Bars."""
    from vrm_synth.train.callbacks import Callbacks

    bars: list[tqdm[Any]] = []

    def new(total: int, unit: str) -> None:
        while bars:
            bars.pop().close()
        bars.append(bar(total, unit))

    def begin(done: int, total: int) -> None:
        stop.begun = True
        new(total, "updates")
        bars[-1].initial = bars[-1].n = done  # the rate is of this process's own
        if done:
            note(f"Going on from step {done}.")

    def prepare(total: int) -> None:
        note(f"{plural(total, 'latent')} to prepare.")
        new(total, "latents")

    def step(report: StepReport) -> None:
        told = {"loss": f"{report.loss:.4f}", "images/s": f"{report.images_per_second:.1f}"}
        if report.mfu is not None:
            told["MFU"] = f"{report.mfu:.1%}"
        if report.peak_memory is not None:
            told["GiB"] = f"{report.peak_memory / 2**30:.1f}"
        bars[-1].set_postfix(told, refresh=False)
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
