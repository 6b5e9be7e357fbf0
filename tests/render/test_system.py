"""The message for a machine without OpenGL names the exact packages."""

import subprocess
import sys

import pytest

from vrm_synth.render.system import explain_missing_gl, install_hint, missing_libraries

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'
APT = "apt install libegl1 libgl1-mesa-dri libgl1"


@pytest.mark.parametrize(
    "os_release, command",
    [
        (DEBIAN, APT),
        ('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n', APT),
        ('ID=neon\nID_LIKE="ubuntu debian"\n', APT),
        ("ID=fedora\n", "dnf install mesa-libEGL mesa-libGL mesa-dri-drivers"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf install mesa-libEGL mesa-libGL mesa-dri-drivers"),
        ("ID=arch\n", "pacman -S mesa libglvnd"),
    ],
)
def test_each_family_gets_its_own_command(os_release, command):
    assert install_hint(os_release) == f"install it with: {command}"


@pytest.mark.parametrize("os_release", ["", "ID=plan9\n", "nonsense\0"])
def test_an_unknown_system_gets_the_names_of_what_is_missing(os_release):
    hint = install_hint(os_release)
    assert "EGL" in hint and "libGL" in hint and "llvmpipe" in hint


def test_the_failing_library_is_named_on_one_line():
    message = explain_missing_gl(Exception("libGL.so.1 not loaded\nTraceback"), DEBIAN)
    assert message == f"OpenGL cannot start: libGL.so.1 is missing; install it with: {APT}"


def test_a_failure_without_a_library_keeps_its_own_words():
    message = explain_missing_gl(Exception("eglInitialize failed\n(0x3001)"), DEBIAN)
    assert message == f"OpenGL cannot start: eglInitialize failed (0x3001); install it with: {APT}"


def test_this_machine_lacks_nothing():
    assert missing_libraries() == []


WITHOUT_PYRENDER = """
import sys
sys.modules["pyglet"] = sys.modules["pyrender"] = None  # as where the extra is not installed
from vrm_synth.core.errors import RenderError
from vrm_synth.render import open_renderer
try:
    open_renderer("pyrender")
except RenderError as e:
    print(e)
"""


def test_without_the_extra_the_message_says_how_to_get_it():
    said = subprocess.run([sys.executable, "-c", WITHOUT_PYRENDER], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == [
        "no module pyglet; install the pyrender renderer: pip install vrm-synth[pyrender]",
    ]
