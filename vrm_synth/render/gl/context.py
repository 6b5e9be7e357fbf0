"""Headless OpenGL through EGL: one context, on Mesa's llvmpipe and on NVIDIA alike."""

from __future__ import annotations

from typing import Any

import glcontext
import moderngl

from vrm_synth.core.errors import RenderError
from vrm_synth.render.gl.gl_functions import GLFunctions
from vrm_synth.render.system import REQUIRED_GL, explain_missing_gl, find_fault

VERSION = REQUIRED_GL[0] * 100 + REQUIRED_GL[1] * 10  # as moderngl writes it
DEPTH_FUNC = "<="  # of coincident surfaces the last drawn wins, as in three.js and Unity; OpenGL's own default is "<"


def create_context(device: int = 0) -> moderngl.Context:
    """Make a standalone context on the EGL device of that index; its `extra` is its GLFunctions.

    Raises RenderError where the GL libraries are missing, EGL has no device of that index, or its driver does not
    start or is older than OpenGL 4.3.
    """
    attempts: tuple[dict[str, Any], ...] = tuple(
        {"device_index": device, "libgl": libgl, "libegl": "libEGL.so.1"}
        for libgl in ("libGL.so.1", "libEGL.so.1")  # some images come without the GLX library
    )
    failure: Exception | None = None
    for settings in attempts:
        try:
            native = glcontext.get_backend_by_name("egl")(glversion=VERSION, mode="standalone", **settings)
            context = moderngl.create_context(require=VERSION, standalone=True, context=native)
            context.extra = GLFunctions(native.load)
            context.depth_func = DEPTH_FUNC
            return context
        except Exception as e:  # glcontext raises bare Exception for every cause
            failure = failure or e
    assert failure is not None
    if fault := find_fault(device):
        raise RenderError(fault.what, got=fault.got, allowed=fault.allowed) from failure
    raise RenderError(explain_missing_gl(failure)) from failure
