"""Open an avatar by the name that users give: a file, or the built-in one and its variants."""

from __future__ import annotations

from pathlib import Path

from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.avatar_loader import load


def open_avatar(source: str, base: Path | None = None) -> Avatar:
    """Open the avatar that a user named.

    source: "demo", the built-in avatar; "demo:3", one of its variants; "demo:hair_color=pink,outfit=dress",
    with parameters; anything else is the path of a VRM file, relative to `base` where that is given.
    """
    if source != "demo" and not source.startswith("demo:"):
        return load(Path(source) if base is None else base / source)
    # Imported here, because generating needs scipy, which takes 0.3 s to import and which files do not need.
    from vrm_synth.builtin_avatar.generate import demo_avatar
    from vrm_synth.builtin_avatar.params import DemoParams, variant

    _, _, arguments = source.partition(":")
    if not arguments:
        return demo_avatar()
    if arguments.isdecimal():
        return demo_avatar(variant(int(arguments)), source)
    return demo_avatar(DemoParams.parse(arguments.split(",")), source)
