"""Import pyrender on EGL, or raise one line that says what to install. Nothing else imports pyrender."""

from __future__ import annotations

import os

from vrm_synth.core.errors import RenderError
from vrm_synth.render.system import explain_missing_gl, missing_libraries

# pyrender and PyOpenGL choose their platform from this variable while they are imported, and offer no
# other way: an exception to cli/ alone touching the environment.
os.environ["PYOPENGL_PLATFORM"] = "egl"
try:
    # pyrender imports its viewer along, and that pyglet, which wants X11's libraries unless told otherwise.
    import pyglet

    pyglet.options["headless"] = True
    import pyrender
    from OpenGL import EGL, GL
    from pyrender.platforms import egl as pyrender_egl
    from pyrender.shader_program import ShaderProgramCache
except ModuleNotFoundError as e:
    raise RenderError(f"no module {e.name}; install the pyrender renderer: pip install vrm-synth[pyrender]") from e
except (ImportError, AttributeError) as e:  # PyOpenGL's ways to say that libEGL is missing
    missing = missing_libraries()
    raise RenderError(explain_missing_gl(OSError(f"{missing[0]} is missing") if missing else e)) from e

__all__ = ["EGL", "GL", "ShaderProgramCache", "pyrender", "pyrender_egl"]
