"""Diagnosis of OpenGL on this machine: why it does not start and what to install, in one line.

EGL itself is asked rather than files looked for, so that Mesa old and new and NVIDIA's driver all count.
Standard library only: `scripts/check_gl.py` loads this file before anything is installed.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

# The packages of EGL, Mesa's software driver and libGL of each family of distributions. glcontext looks for
# libGL even where the context comes from EGL.
_INSTALL = {
    "debian": "apt install libegl1 libgl1-mesa-dri libgl1",
    "fedora": "dnf install mesa-libEGL mesa-libGL mesa-dri-drivers",
    "arch": "pacman -S mesa libglvnd",
    "suse": "zypper install Mesa-libEGL1 Mesa-libGL1 Mesa-dri",
    "alpine": "apk add mesa-egl mesa-gl mesa-dri-gallium",
}
_FAMILIES = {
    **dict.fromkeys(("debian", "ubuntu", "linuxmint", "raspbian", "pop"), "debian"),
    **dict.fromkeys(("fedora", "rhel", "centos", "rocky", "almalinux", "amzn"), "fedora"),
    **dict.fromkeys(("arch", "manjaro", "endeavouros"), "arch"),
    **dict.fromkeys(("suse", "opensuse", "opensuse-leap", "opensuse-tumbleweed", "sles"), "suse"),
    "alpine": "alpine",
}
_SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "swrast")
_LIBRARIES = ("libEGL.so.1", "libGL.so.1")
_NVIDIA = "/dev/nvidiactl"  # NVIDIA's kernel driver is there, and in a container this much of it

REQUIRED_GL = (4, 3)  # storage buffers in the vertex stage and binding layouts
# Versions of core profiles, and 3.0 and 2.1, which have none.
_VERSIONS = ((4, 6), (4, 5), (4, 4), (4, 3), (4, 2), (4, 1), (4, 0), (3, 3), (3, 2), (3, 1), (3, 0), (2, 1))

_PLATFORM_DEVICE, _OPENGL_API, _NONE = 0x313F, 0x30A2, 0x3038
_SURFACE_TYPE, _PBUFFER_BIT, _RENDERABLE_TYPE, _OPENGL_BIT = 0x3033, 1, 0x3040, 8
_MAJOR_VERSION, _MINOR_VERSION, _PROFILE_MASK, _CORE_PROFILE = 0x3098, 0x30FB, 0x30FD, 1
_MOST_DEVICES = 64


class Fault(NamedTuple):
    """Why no context starts, in the parts of a VrmSynthError.

    what: the rule that was broken, in a few words.
    got: the offending value.
    allowed: what would do.
    """

    what: str
    got: object = None
    allowed: str | None = None

    def __str__(self) -> str:
        got = "" if self.got is None else f"; got {self.got}"
        return f"{self.what}{got}" + ("" if self.allowed is None else f"; allowed: {self.allowed}")


def find_fault(
    device: int | None = None, required: tuple[int, int] = REQUIRED_GL, os_release: str | None = None
) -> Fault | None:
    """Find out why no context of OpenGL `required` starts on an EGL device; None where one does.

    device: index, None for any; required: (major, minor); os_release: as explain_missing_gl's.
    """
    if "libEGL.so.1" in missing_libraries():
        return Fault(explain_missing_gl(OSError("libEGL.so.1 is missing"), os_release))
    return fault_of(list(_device_versions()), device, required, os_release)


def fault_of(
    versions: list[tuple[int, int] | None],
    device: int | None,
    required: tuple[int, int] = REQUIRED_GL,
    os_release: str | None = None,
) -> Fault | None:
    """The fault of a machine whose EGL devices start these versions of OpenGL (None: does not start); None for none."""
    hint = install_hint(_read_os_release() if os_release is None else os_release)
    sufficient = [n for n, version in enumerate(versions) if version is not None and version >= required]
    if (sufficient and device is None) or device in sufficient:
        return None
    if not versions:
        mesa = hint.replace("install it with", "install Mesa's driver with")
        nvidia = "in a container with an NVIDIA GPU: the graphics capability, NVIDIA_DRIVER_CAPABILITIES=all"
        remedies = [nvidia, mesa] if Path(_NVIDIA).exists() else [mesa, nvidia]
        remedies.append("where __EGL_VENDOR_LIBRARY_FILENAMES is set, check that it names a driver's file")
        return Fault(f"OpenGL cannot start: EGL finds no device; {'; '.join(remedies)}")
    if device is not None and not 0 <= device < len(versions):
        return Fault(
            "no such EGL device", device, f"0 to {len(versions) - 1}" if len(versions) > 1 else "0, the only one"
        )
    other = f"; --device {sufficient[0]} has it" if sufficient else ""
    which = max(range(len(versions)), key=lambda n: versions[n] or (0, 0)) if device is None else device
    version = versions[which]
    if version is None:
        return Fault(f"OpenGL cannot start on EGL device {which}: its driver is not installed; {hint}{other}")
    return Fault(
        f"OpenGL {required[0]}.{required[1]} is needed",
        f"{version[0]}.{version[1]}, of EGL device {which}",
        f"a newer driver{other}; where MESA_GL_VERSION_OVERRIDE or GALLIUM_DRIVER is set, check it",
    )


def _device_versions() -> Iterator[tuple[int, int] | None]:
    """The highest version of OpenGL of each EGL device, None where it does not start."""
    egl = ctypes.CDLL("libEGL.so.1")
    number, pointer = ctypes.c_uint, ctypes.c_void_p
    query = _extension(egl, b"eglQueryDevicesEXT", number, ctypes.c_int, pointer, pointer)
    open_display = _extension(egl, b"eglGetPlatformDisplayEXT", pointer, number, pointer, pointer)
    if query is None or open_display is None:
        return
    devices, count = (pointer * _MOST_DEVICES)(), ctypes.c_int(0)
    query(_MOST_DEVICES, devices, ctypes.byref(count))
    egl.eglInitialize.argtypes = (pointer, pointer, pointer)
    for device in devices[: count.value]:
        display = open_display(_PLATFORM_DEVICE, device, None)
        started = display and egl.eglInitialize(display, None, None) and egl.eglBindAPI(_OPENGL_API)
        yield _highest_version(egl, display) if started else None


def _highest_version(egl: Any, display: int) -> tuple[int, int] | None:
    pointer = ctypes.c_void_p
    egl.eglChooseConfig.argtypes = (pointer, pointer, pointer, ctypes.c_int, pointer)
    egl.eglCreateContext.argtypes, egl.eglCreateContext.restype = (pointer, pointer, pointer, pointer), pointer
    egl.eglDestroyContext.argtypes = (pointer, pointer)
    config, count = pointer(), ctypes.c_int(0)
    wanted = _attributes(_SURFACE_TYPE, _PBUFFER_BIT, _RENDERABLE_TYPE, _OPENGL_BIT)
    if not egl.eglChooseConfig(display, wanted, ctypes.byref(config), 1, ctypes.byref(count)) or not count.value:
        return None
    for major, minor in _VERSIONS:
        profile = (_PROFILE_MASK, _CORE_PROFILE) if (major, minor) >= (3, 2) else ()
        attributes = _attributes(_MAJOR_VERSION, major, _MINOR_VERSION, minor, *profile)
        if context := egl.eglCreateContext(display, config, None, attributes):
            egl.eglDestroyContext(display, context)  # the display stays open: other contexts may be on it
            return major, minor
    return None


def _attributes(*values: int) -> Any:
    return (ctypes.c_int * (len(values) + 1))(*values, _NONE)


def _extension(egl: Any, name: bytes, result: Any, *arguments: Any) -> Callable[..., Any] | None:
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    address = egl.eglGetProcAddress(name)
    return ctypes.CFUNCTYPE(result, *arguments)(address) if address else None


def explain_missing_gl(exc: BaseException, os_release: str | None = None) -> str:
    """Explain in one line why a context did not start, and what to install where a library is missing.

    exc: the exception of the context's creation; os_release: the text of /etc/os-release, read from this
    machine when None.
    """
    library = re.search(r"lib\w+\.so(?:\.\d+)*", str(exc))
    if not library:
        return f"OpenGL cannot start: {' '.join(str(exc).split()) or type(exc).__name__}"
    text = _read_os_release() if os_release is None else os_release
    return f"OpenGL cannot start: {library[0]} is missing; {install_hint(text)}"


def install_hint(os_release: str) -> str:
    """The command that installs EGL, libGL and a software driver on the system of that /etc/os-release."""
    fields = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', os_release, re.MULTILINE))
    for name in (fields.get("ID", ""), *fields.get("ID_LIKE", "").split()):
        if name in _FAMILIES:
            return f"install it with: {_INSTALL[_FAMILIES[name]]}"
    return "install EGL, libGL and Mesa's software driver (llvmpipe) with your system's packages"


def is_software(device: str) -> bool:
    """Return True where a renderer's device is a driver that draws on the CPU."""
    return any(name in device.lower() for name in _SOFTWARE)


def missing_libraries() -> list[str]:
    """The names of the GL libraries that this machine's loader does not find."""
    missing = []
    for name in _LIBRARIES:
        try:
            ctypes.CDLL(name)
        except OSError:
            missing.append(name)
    return missing


def _read_os_release() -> str:
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            return Path(path).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            continue
    return ""
