"""The list of commands. Each imports what it needs when it runs, so that --help is quick."""

from __future__ import annotations

import click

from vrm_synth import __version__
from vrm_synth.cli.avatar import avatar
from vrm_synth.cli.bench import bench
from vrm_synth.cli.common import Commands
from vrm_synth.cli.derive import convert, merge, subset
from vrm_synth.cli.inspect import inspect
from vrm_synth.cli.models import export_model, import_weights
from vrm_synth.cli.presets import cameras, poses
from vrm_synth.cli.preview import preview
from vrm_synth.cli.render import demo, finish, render
from vrm_synth.cli.sample import sample
from vrm_synth.cli.shots import shots
from vrm_synth.cli.train import train
from vrm_synth.cli.verify import verify


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="vrm-synth")
def main() -> None:
    """Synthetic image datasets from VRM avatars: posed, toon-shaded, truthfully captioned.

    \b
    Start here:
      vrm-synth demo -o first --count 24      a dataset of the built-in avatar
      vrm-synth render recipe.yaml -o out     a dataset of your own avatars
      vrm-synth inspect avatar.vrm            what a file holds, and its licence
    """


for command in (
    render,
    demo,
    finish,
    verify,
    subset,
    merge,
    convert,
    shots,
    inspect,
    avatar,
    poses,
    cameras,
    bench,
    train,
    sample,
    export_model,
    import_weights,
    preview,
):
    main.add_command(command)
