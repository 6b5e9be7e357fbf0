"""How users name an avatar: a file, or the built-in one and its family."""

from __future__ import annotations

from pathlib import Path

from vrm_synth.vrm.loader import load
from vrm_synth.vrm.model import Avatar


def open_avatar(source: str, base: Path | None = None) -> Avatar:
    """The avatar that a user named.

    source: "demo", the built-in avatar; "demo:3", a member of its family; "demo:hair_color=pink,outfit=dress",
    with parameters; anything else is the path of a VRM file, relative to `base` where that is given.
    """
    if source != "demo" and not source.startswith("demo:"):
        return load(Path(source) if base is None else base / source)
    # The built-in avatar is generated and then loaded by this package; imported late to break that circle.
    from vrm_synth.demo_avatar import DemoParams, demo_avatar, variant

    _, _, arguments = source.partition(":")
    if not arguments:
        return demo_avatar()
    if arguments.isdecimal():
        return demo_avatar(variant(int(arguments)), source)
    return demo_avatar(DemoParams.parse(arguments.split(",")), source)
