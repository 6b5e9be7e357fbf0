"""Generate the built-in avatar as a GLB file, or as a loaded Avatar."""

from __future__ import annotations

from typing import Literal

from vrm_synth.builtin_avatar.build import build_character
from vrm_synth.builtin_avatar.params import DemoParams
from vrm_synth.builtin_avatar.write_vrm0 import write_vrm0
from vrm_synth.builtin_avatar.write_vrm1 import write_vrm1
from vrm_synth.core.errors import AvatarError
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.avatar_loader import load_bytes


def build_glb(params: DemoParams | None = None, vrm: Literal["0", "1"] = "1") -> bytes:
    """Build the character as a GLB file, VRM 1.0 or VRM 0.x; the same parameters give the same bytes."""
    if vrm not in ("0", "1"):
        raise AvatarError("unknown VRM version", got=vrm, allowed='"0" or "1"', where="demo")
    character = build_character(params or DemoParams())
    return write_vrm1(character) if vrm == "1" else write_vrm0(character)


def demo_avatar(params: DemoParams | None = None, source: str = "demo") -> Avatar:
    """Build the character and load it through the same loader as any other file."""
    return load_bytes(build_glb(params), source)
