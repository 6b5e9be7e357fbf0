"""Shared by all commands: errors as one line, exit codes, options, the progress bar."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from vrm_synth.cli.suggestions import command_for
from vrm_synth.core.errors import VrmSynthError
from vrm_synth.core.near_names import nearest
from vrm_synth.execution.worker_environment import PICTURES_PER_WORKER

if TYPE_CHECKING:
    from tqdm import tqdm

F = TypeVar("F", bound=Callable[..., Any])
TRAINING = ("torch", "diffusers", "transformers", "accelerate", "peft", "safetensors", "pyarrow")  # extra "train"
INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class Choice(click.Choice):
    """A choice of words that suggests the nearest one for a misspelt value."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as e:
            near = nearest(value, map(str, self.choices))
            if not near:
                raise
            raise click.BadParameter(f"{e.message} Did you mean {near!r}?", ctx, param) from None


class OutFile(click.Path):
    """A file to write, with an allowed suffix, in an existing folder: OutFile(".png").

    It is checked while arguments are parsed, so that no long work starts for a file that cannot be written.
    """

    def __init__(self, *suffixes: str):
        super().__init__(path_type=Path, dir_okay=False)
        self._suffixes = suffixes

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from vrm_synth.io.atomic_files import check_writable

        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if path.suffix.lower() not in self._suffixes:
            self.fail(f"{str(path)!r} must end in {' or '.join(self._suffixes)}.", param, ctx)
        check_writable(path)
        return path


class Commands(click.Group):
    """A command group that prints errors as one line and suggests the nearest command for a misspelt one.

    A VrmSynthError (after its details, if any), an OSError and a missing extra go to stderr with exit status 1; Ctrl-C
    prints one line and exits with 130.
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = nearest(name, self.list_commands(ctx))
            hint = command_for(name) or (f"Did you mean {near!r}?" if near else "")
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
                raise  # click exits silently: the reader of our output, such as head, has closed the pipe
            prefix = f"{e.filename}: " if e.filename is not None else ""
            raise click.ClickException(f"{prefix}{e.strerror or e}") from e
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
    """Add -o DIR."""
    return click.option("-o", "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help=help_text)


def renderer_options(command: F) -> F:
    """Add --renderer and --device."""
    return renderer_option(device_option(command))


def device_option(command: F) -> F:
    """Add --device."""
    return click.option(
        "--device",
        default=0,
        show_default=True,
        type=click.IntRange(min=0),
        help="Index of the EGL device that renders.",
    )(command)


def renderer_option(command: F) -> F:
    """Add --renderer."""
    return click.option(
        "--renderer",
        default="gl",
        show_default=True,
        type=Choice(["gl", "pyrender"]),
        help="gl renders all of MToon; pyrender renders PBR and flat colors (needs vrm-synth[pyrender]).",
    )(command)


def workers_option(command: F) -> F:
    """Add --workers."""
    return click.option(
        "--workers",
        type=click.IntRange(1, 256),
        help=f"Processes that render. Default: one per core, with {PICTURES_PER_WORKER} pictures each or more.",
    )(command)


def mip_folder() -> Path:
    """Cache folder for mip chains of textures (XDG Base Directory specification); it may be deleted at any time."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return home / "vrm-synth" / "mips"


def bar(total: int, unit: str) -> tqdm[NoReturn]:
    """A progress bar on stderr: items done, items per second, remaining time."""
    from tqdm import tqdm

    return tqdm(total=total, unit=f" {unit}", file=sys.stderr, dynamic_ncols=True, smoothing=0.1)


def note(text: str) -> None:
    """Print one line to stderr, above the progress bar if there is one."""
    from tqdm import tqdm

    tqdm.write("".join(c if c.isprintable() else " " for c in text), file=sys.stderr)


def plural(n: int, noun: str) -> str:
    """A number with its noun: "1 picture", "2 pictures"."""
    return f"{n} {noun}" + ("" if n == 1 else "s")
