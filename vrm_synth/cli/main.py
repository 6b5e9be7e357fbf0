"""The `vrm-synth` command and its subcommands, each imported when it is called."""

from __future__ import annotations

from importlib import import_module

import click

from vrm_synth import __version__
from vrm_synth.cli.common import Commands

# command → module in vrm_synth.cli; the function has the command's name, with "_" for "-"
COMMANDS = {
    "render": "render",
    "demo": "render",
    "finish": "render",
    "verify": "verify",
    "caption": "caption",
    "subset": "derive",
    "merge": "derive",
    "convert": "derive",
    "shots": "shots",
    "inspect": "inspect",
    "avatar": "avatar",
    "poses": "presets",
    "cameras": "presets",
    "bench": "bench",
    "train": "train",
    "sample": "sample",
    "export-model": "models",
    "import-weights": "models",
    "preview": "preview",
}


class _LazyCommands(Commands):
    """The commands in COMMANDS, imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"vrm_synth.cli.{COMMANDS[cmd_name]}"), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyCommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="vrm-synth")
def main() -> None:
    """Synthetic image datasets from VRM avatars: posed, toon-shaded, captioned.

    \b
    Start here:
      vrm-synth demo -o first --count 24      a dataset of the built-in avatar
      vrm-synth render my-avatars/ -o out     a dataset of your own avatars
      vrm-synth render recipe.yaml -o out     a dataset described by a recipe
      vrm-synth inspect avatar.vrm            what a file contains, and its license
    """
