"""The built-in avatar: an original, CC0, anime-style character that this package generates.

Names are imported lazily: generating needs scipy, which opening other avatars does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vrm_synth.core.lazy_imports import lazily

if TYPE_CHECKING:
    from vrm_synth.builtin_avatar.generate import build_glb, demo_avatar
    from vrm_synth.builtin_avatar.params import DemoParams, allowed_values, facts, variant

__all__ = ["DemoParams", "allowed_values", "build_glb", "demo_avatar", "facts", "variant"]

__getattr__ = lazily(
    __name__,
    {
        "DemoParams": "params",
        "allowed_values": "params",
        "facts": "params",
        "variant": "params",
        "build_glb": "generate",
        "demo_avatar": "generate",
    },
)
