"""What to install when this machine lacks the graphics libraries: one line, the package names exact.

Standard library only: `scripts/check_gl.py` loads this file before anything is installed.
"""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

# What each family of distributions calls EGL, Mesa's software driver and libGL. glcontext looks for
# libGL even where the context comes from EGL.
_INSTALL = {
    "debian": "apt install libegl1 libgl1-mesa-dri libgl1",
    "fedora": "dnf install mesa-libEGL mesa-libGL mesa-dri-drivers",
    "arch": "pacman -S mesa libglvnd",
    "suse": "zypper install Mesa-libEGL1 Mesa-libGL1 Mesa-dri",
    "alpine": "apk add mesa-egl mesa-gl mesa-dri-gallium",
}
_FAMILY = {
    **dict.fromkeys(("debian", "ubuntu", "linuxmint", "raspbian", "pop"), "debian"),
    **dict.fromkeys(("fedora", "rhel", "centos", "rocky", "almalinux", "amzn"), "fedora"),
    **dict.fromkeys(("arch", "manjaro", "endeavouros"), "arch"),
    **dict.fromkeys(("suse", "opensuse", "opensuse-leap", "opensuse-tumbleweed", "sles"), "suse"),
    "alpine": "alpine",
}
_SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "swrast")
_LIBRARIES = ("libEGL.so.1", "libGL.so.1")


def explain_missing_gl(exc: BaseException, os_release: str | None = None) -> str:
    """One line that says what failed and what to install.

    exc: what the context creation raised; os_release: the text of /etc/os-release, read from this
    machine when None.
    """
    text = _read_os_release() if os_release is None else os_release
    library = re.search(r"lib\w+\.so(?:\.\d+)*", str(exc))
    if library:
        what = f"OpenGL cannot start: {library[0]} is missing"
    else:
        what = f"OpenGL cannot start: {' '.join(str(exc).split()) or type(exc).__name__}"
    return f"{what}; {install_hint(text)}"


def install_hint(os_release: str) -> str:
    """The command that installs EGL, libGL and a software driver on the system of that /etc/os-release."""
    fields = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', os_release, re.MULTILINE))
    for name in (fields.get("ID", ""), *fields.get("ID_LIKE", "").split()):
        if name in _FAMILY:
            return f"install it with: {_INSTALL[_FAMILY[name]]}"
    return "install EGL, libGL and Mesa's software driver (llvmpipe) with your system's packages"


def is_software(device: str) -> bool:
    """Whether a renderer's name is that of a driver that draws on the CPU."""
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
