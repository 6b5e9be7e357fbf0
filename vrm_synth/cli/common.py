"""What every command shares: errors as one line, exit codes, options, the progress bar."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from vrm_synth.cli.suggestions import misplaced
from vrm_synth.core.errors import VrmSynthError
from vrm_synth.core.near_names import nearest
from vrm_synth.execution.worker_environment import PICTURES_PER_WORKER

if TYPE_CHECKING:
    from tqdm import tqdm

F = TypeVar("F", bound=Callable[..., Any])
TRAINING = ("torch", "diffusers", "transformers", "accelerate", "peft", "safetensors", "pyarrow")  # extra "train"
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class Choice(click.Choice):
    """One of some words; of a mistyped one the nearest is named."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as e:
            near = nearest(value, map(str, self.choices))
            if not near:
                raise
            raise click.BadParameter(f"{e.message} Did you mean {near!r}?", ctx, param) from None


class OutFile(click.Path):
    """A file to write, whose name says what it will be, in a folder that is there: OutFile(".png").

    What takes long is not begun for a file that cannot be written.
    """

    def __init__(self, *suffixes: str):
        super().__init__(path_type=Path, dir_okay=False)
        self._suffixes = suffixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from vrm_synth.io.atomic_files import check_writable

        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if path.suffix.lower() not in self._suffixes:
            self.fail(f"{str(path)!r} is written as {' or '.join(self._suffixes)}: name it so.", param, ctx)
        check_writable(path)
        return path


class Commands(click.Group):
    """A group where a VrmSynthError, and whatever the system says of a file, becomes one line on stderr and
    exit status 1, after its details, where it is about several things; so does an extra that is missing; Ctrl-C one
    line and 130. The nearest command is named where there is no such one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = nearest(name, self.list_commands(ctx))
            hint = misplaced(name) or (f"Did you mean {near!r}?" if near else "")
            raise click.UsageError(f"No such command {name!r}. {hint}".rstrip(), ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except VrmSynthError as e:
            for line in e.details:
                click.echo(f"  {line}", err=True)
            raise click.ClickException(str(e)) from e
        except OSError as e:
            if e.errno == errno.EPIPE:
                raise  # click ends quietly: whoever read our output has seen enough
            place = f"{e.filename}: " if e.filename is not None else ""
            raise click.ClickException(f"{place}{e.strerror or e}") from e
        except ModuleNotFoundError as e:
            if e.name not in TRAINING:
                raise
            raise click.ClickException(f"{e.name} is not installed; pip install 'vrm-synth[train]'") from e
        except MemoryError as e:
            raise click.ClickException("out of memory") from e
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)


def out_folder(help_text: str) -> Callable[[F], F]:
    """-o DIR."""
    return click.option("-o", "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help=help_text)


def renderer_options(command: F) -> F:
    """--renderer and --device."""
    return renderer_option(device_option(command))


def device_option(command: F) -> F:
    """--device."""
    return click.option(
        "--device", default=0, show_default=True, type=click.IntRange(min=0), help="Index of the EGL device that draws."
    )(command)


def renderer_option(command: F) -> F:
    """--renderer."""
    return click.option(
        "--renderer",
        default="gl",
        show_default=True,
        type=Choice(["gl", "pyrender"]),
        help="gl draws all of MToon; pyrender draws PBR and flat colours (needs vrm-synth[pyrender]).",
    )(command)


def workers_option(command: F) -> F:
    """--workers."""
    return click.option(
        "--workers",
        type=click.IntRange(1, 256),
        help=f"Processes that render. Default: one per core, with {PICTURES_PER_WORKER} pictures each or more.",
    )(command)


def mip_folder() -> Path:
    """Where mip chains of textures are kept from run to run (XDG Base Directory: caches); it may be deleted."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return home / "vrm-synth" / "mips"


def bar(total: int, unit: str) -> tqdm[NoReturn]:
    """A bar on stderr that shows how many are done, how many a second and how long the rest will take."""
    from tqdm import tqdm

    return tqdm(total=total, unit=f" {unit}", file=sys.stderr, dynamic_ncols=True, smoothing=0.1)


def note(text: str) -> None:
    """One line on stderr, beside the bar if there is one."""
    from tqdm import tqdm

    tqdm.write("".join(c if c.isprintable() else " " for c in text), file=sys.stderr)


def plural(n: int, noun: str) -> str:
    """ "1 picture", "2 pictures"."""
    return f"{n} {noun}" + ("" if n == 1 else "s")
