"""Headless OpenGL through EGL: one context, on Mesa's llvmpipe and on NVIDIA alike."""

from __future__ import annotations

import re
from typing import Any

import glcontext
import moderngl

from vrm_synth.core.errors import RenderError
from vrm_synth.render.gl.functions import Functions
from vrm_synth.render.system import explain_missing_gl

REQUIRED_GL = 430  # storage buffers in the vertex stage and binding layouts
DEPTH_FUNC = "<="  # of coincident surfaces the last drawn wins, as in three.js and Unity; OpenGL's own default is "<"


def create_context(device: int = 0) -> moderngl.Context:
    """A standalone context on the EGL device of that index; its `extra` is its Functions.

    Raises RenderError where the GL libraries are missing, the index is out of range, or the driver
    is older than OpenGL 4.3.
    """
    attempts: tuple[dict[str, Any], ...] = tuple(
        {"device_index": device, "libgl": libgl, "libegl": "libEGL.so.1"}
        for libgl in ("libGL.so.1", "libEGL.so.1")  # some images come without the GLX library
    )
    failure: Exception | None = None
    for settings in attempts:
        try:
            native = glcontext.get_backend_by_name("egl")(glversion=REQUIRED_GL, mode="standalone", **settings)
            context = moderngl.create_context(require=REQUIRED_GL, standalone=True, context=native)
            context.extra = Functions(native.load)
            context.depth_func = DEPTH_FUNC
            return context
        except Exception as e:  # glcontext raises bare Exception for every cause
            failure = failure or e
    assert failure is not None
    if found := re.search(r"found (\d+) devices", str(failure)):
        raise RenderError("no such EGL device", got=device, allowed=f"0 to {int(found[1]) - 1}") from failure
    raise RenderError(explain_missing_gl(failure)) from failure
