"""`vrm-synth avatar`: write the built-in avatar to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from vrm_synth.cli.common import Choice, Commands, OutFile


@click.group(cls=Commands)
def avatar() -> None:
    """The built-in avatar: an original, CC0 character that this program generates."""


@avatar.command()
@click.option("-o", "--out", type=OutFile(".vrm", ".glb"), metavar="FILE", help="File to write: .vrm or .glb.")
@click.option("--vrm", default="1", show_default=True, type=Choice(["0", "1"]), help="VRM 0.x or VRM 1.0.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set an attribute; may be repeated.")
@click.option("--variant", type=click.IntRange(min=0), metavar="N", help="Variant N of the avatar, instead of --set.")
@click.option("--list", "listing", is_flag=True, help="List the attributes and their values.")
def demo(
    out: Path | None, vrm: Literal["0", "1"], settings: tuple[str, ...], variant: int | None, listing: bool
) -> None:
    """Write the built-in avatar as a VRM file.

    \b
    Examples:
      vrm-synth avatar demo -o mio.vrm
      vrm-synth avatar demo -o mio0.vrm --vrm 0 --set hair_color=blue --set outfit=dress
      vrm-synth avatar demo --list
    """
    from vrm_synth.builtin_avatar import DemoParams, allowed_values, build_glb
    from vrm_synth.builtin_avatar import variant as family_member
    from vrm_synth.io.atomic_files import write_file

    if listing:
        allowed = allowed_values()
        width = max(map(len, allowed))
        for key, values in allowed.items():
            click.echo(f"{key:<{width}}  {values}")
        return
    if out is None:
        raise click.UsageError("Missing option '-o' / '--out'.")
    if settings and variant is not None:
        raise click.UsageError("--set and --variant exclude each other.")
    params = DemoParams.parse(settings) if variant is None else family_member(variant)
    write_file(out, build_glb(params, vrm))
    click.echo(out)
