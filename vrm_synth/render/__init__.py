"""Rendering backends: a posed avatar and a view go in, a frame comes out."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from vrm_synth.core.errors import RenderError
from vrm_synth.render.base import Compat, Draw, Frame, RenderBackend, RendererName, View

__all__ = ["Compat", "Draw", "Frame", "RenderBackend", "RendererName", "View", "open_backend", "renderer_of"]


def renderer_of(device: str) -> RendererName:
    """The name of the renderer that a `RenderBackend.device` belongs to."""
    return "pyrender" if device.endswith(", pyrender") else "gl"


def open_backend(name: str = "gl", device: int = 0, mips: Path | None = None) -> RenderBackend:
    """Open a backend by name: "gl" (moderngl, all of MToon) or "pyrender" (PBR and flat, the [pyrender] extra).

    device: index of the EGL device; mips: a folder where gl caches the mip chains of textures, None for none.
    Raises RenderError where it cannot start.
    """
    # Imported here so that a machine without one backend's libraries can use the other.
    if name == "gl":
        from vrm_synth.render.gl.backend import GLBackend

        return GLBackend(device, mips=mips)
    if name == "pyrender":
        from vrm_synth.render.pyrender_backend import PyrenderBackend

        return PyrenderBackend(device)
    raise RenderError("no such renderer", got=name, allowed=", ".join(get_args(RendererName)))
