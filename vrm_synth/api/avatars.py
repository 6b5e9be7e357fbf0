"""Avatars: a file's, and members of the built-in family."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.builtin_avatar.params import DemoParams
from vrm_synth.core.errors import AvatarError
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.shot.avatar_sources import is_built_in, names_beside
from vrm_synth.vrm.avatar import Avatar


def load(source: str | Path) -> Avatar:
    """The avatar in a VRM 0.x or 1.0 file, or of the built-in family.

    source: a path, or as a str also "demo", "demo:3" (a member of the family) or "demo:hair_color=blue,outfit=dress".
    Raises AvatarError, one line that names the file, what is wrong and where.
    """
    if isinstance(source, str) and is_built_in(source):
        return open_avatar(source)
    path = Path(source).expanduser()
    if not path.exists():
        near = did_you_mean(path.name, names_beside(path))
        raise AvatarError(f"no such file{near}", allowed='a .vrm file, "demo" or "demo:N"', where=path)
    # Past open_avatar's own reading of names: a Path called "demo" is a file.
    return open_avatar(str(path.absolute()) if is_built_in(str(path)) else str(path))


def demo_avatar(variant: int | None = None, **attributes: str | float) -> Avatar:
    """The built-in avatar, CC0: as it is, a member of its family, or with attributes of your own.

    variant: which member of the family, from 0. attributes: any of `vrm-synth avatar demo --list`, such as
    hair_color="pink", hair_style="twintails", outfit="dress", height=1.6. Not both.
    Raises AvatarError, which names the attribute that was probably meant.
    """
    if variant is not None:
        if attributes or isinstance(variant, bool) or not isinstance(variant, int) or variant < 0:
            got: Any = attributes or variant
            raise AvatarError("not a member of the family", got=got, allowed="variant=N alone, from 0", where="demo")
        return open_avatar(f"demo:{variant}")
    known = [f.name for f in fields(DemoParams)]
    for name in attributes:
        if name not in known:
            message = f"unknown attribute{did_you_mean(name, known)}"
            raise AvatarError(message, got=name, allowed=", ".join(known), where="demo")
    DemoParams(**attributes)  # type: ignore[arg-type]  # it checks every value
    return open_avatar("demo:" + ",".join(f"{k}={v}" for k, v in attributes.items()) if attributes else "demo")
