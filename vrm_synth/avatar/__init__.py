"""Avatars: VRM files read into one model, and the built-in avatar. Each name is imported when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vrm_synth.core.errors import AvatarError
from vrm_synth.core.lazy import lazily

if TYPE_CHECKING:
    from vrm_synth.avatar.limits import Limits
    from vrm_synth.avatar.loader import load, load_bytes
    from vrm_synth.avatar.model import Avatar
    from vrm_synth.avatar.source import open_avatar

__all__ = ["Avatar", "AvatarError", "Limits", "load", "load_bytes", "open_avatar"]

__getattr__ = lazily(
    __name__,
    {
        "Avatar": "model",
        "Limits": "limits",
        "load": "loader",
        "load_bytes": "loader",
        "open_avatar": "source",
    },
)
