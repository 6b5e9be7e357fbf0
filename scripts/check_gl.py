"""Say what of OpenGL this machine lacks: silence and status 0 when a headless context can start.

Standard library only. Asks EGL itself rather than looking for files, so that Mesa old and new and
NVIDIA's driver all count. Each line printed on failure is fit for a user.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

_EGL_PLATFORM_DEVICE_EXT = 0x313F
_EGL_OPENGL_API = 0x30A2


def main() -> int:
    system = _load_system()
    missing = system.missing_libraries()
    problem = f"{missing[0]} is missing" if missing else _why_no_driver()
    if problem is None:
        return 0
    print(system.explain_missing_gl(OSError(problem)))
    return 1


def _why_no_driver() -> str | None:
    """None when some EGL device starts with desktop OpenGL."""
    egl = ctypes.CDLL("libEGL.so.1")
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    query = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    open_display = egl.eglGetProcAddress(b"eglGetPlatformDisplayEXT")
    if not query or not open_display:
        return "no EGL driver found"
    devices, count = (ctypes.c_void_p * 64)(), ctypes.c_int(0)
    ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int))(query)(
        64, devices, ctypes.byref(count)
    )
    get = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p)(open_display)
    egl.eglInitialize.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    for device in devices[: count.value]:
        display = get(_EGL_PLATFORM_DEVICE_EXT, device, None)
        if display and egl.eglInitialize(display, None, None) and egl.eglBindAPI(_EGL_OPENGL_API):
            return None
    return "no EGL driver starts (Mesa's software driver is not installed)"


def _load_system() -> ModuleType:
    """vrm_synth.render.system, by file: nothing is installed yet."""
    path = Path(__file__).resolve().parents[1] / "vrm_synth" / "render" / "system.py"
    spec = importlib.util.spec_from_file_location("system", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
