"""Load VRM 0.x and 1.0 files into an Avatar. Names are imported lazily."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vrm_synth.core.errors import AvatarError
from vrm_synth.core.lazy_imports import lazily

if TYPE_CHECKING:
    from vrm_synth.vrm.avatar import Avatar
    from vrm_synth.vrm.avatar_loader import load, load_bytes

__all__ = ["Avatar", "AvatarError", "load", "load_bytes"]

__getattr__ = lazily(__name__, {"Avatar": "avatar", "load": "avatar_loader", "load_bytes": "avatar_loader"})
