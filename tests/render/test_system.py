"""The message for a machine without OpenGL names the exact packages."""

import contextlib
import json
import os
import subprocess
import sys

import pytest

from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.core.errors import RenderError
from vrm_synth.dataset.render_shot import render_shot
from vrm_synth.render import open_backend, system
from vrm_synth.render.system import explain_missing_gl, fault_of, find_fault, install_hint, missing_libraries
from vrm_synth.shot import preset_shot

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
def test_each_linux_family_gets_its_own_install_command(os_release, command):
    assert install_hint(os_release) == f"install it with: {command}"


@pytest.mark.parametrize("os_release", ["", "ID=plan9\n", "nonsense\0"])
def test_an_unknown_system_gets_the_names_of_what_is_missing(os_release):
    hint = install_hint(os_release)
    assert "EGL" in hint and "libGL" in hint and "llvmpipe" in hint


def test_the_failing_library_is_named_on_one_line():
    message = explain_missing_gl(Exception("libGL.so.1 not loaded\nTraceback"), DEBIAN)
    assert message == f"OpenGL cannot start: libGL.so.1 is missing; install it with: {APT}"


def test_an_error_without_a_missing_library_keeps_its_message_and_suggests_no_package():
    message = explain_missing_gl(Exception("eglInitialize failed\n(0x3001)"), DEBIAN)
    assert message == "OpenGL cannot start: eglInitialize failed (0x3001)"


def test_no_fault_is_found_on_a_machine_that_renders():
    assert missing_libraries() == [] and find_fault() is None and find_fault(0) is None


@pytest.mark.parametrize(("versions", "device"), [([(4, 3)], 0), ([(3, 3), (4, 6)], None), ([None, (4, 5)], 1)])
def test_a_device_that_starts_with_opengl_4_3_is_no_fault(versions, device):
    assert fault_of(versions, device, os_release=DEBIAN) is None


@pytest.mark.parametrize("device", [None, 0, 7])
@pytest.mark.parametrize("nvidia", [False, True])
def test_no_device_at_all_reports_the_remedy(device, nvidia, tmp_path, monkeypatch):
    monkeypatch.setattr(system, "_NVIDIA", str(tmp_path) if nvidia else str(tmp_path / "none"))
    output = str(fault_of([], device, os_release=DEBIAN))
    assert output.startswith("OpenGL cannot start: EGL finds no device; ") and "\n" not in output
    mesa, container = output.index(APT), output.index("NVIDIA_DRIVER_CAPABILITIES=all")
    assert (container < mesa) == nvidia, "the likelier remedy first"
    assert "__EGL_VENDOR_LIBRARY_FILENAMES" in output


@pytest.mark.parametrize(
    ("versions", "device", "output"),
    [
        ([(4, 5)], 7, "no such EGL device; got 7; allowed: 0, the only one"),
        ([(4, 5), (4, 6)], 2, "no such EGL device; got 2; allowed: 0 to 1"),
        (
            [(3, 3)],
            0,
            "OpenGL 4.3 is needed; got 3.3, of EGL device 0; allowed: a newer driver; where "
            "MESA_GL_VERSION_OVERRIDE or GALLIUM_DRIVER is set, check it",
        ),
        ([(3, 3), (4, 2)], None, "OpenGL 4.3 is needed; got 4.2, of EGL device 1; allowed: a newer driver; where "),
        ([(4, 2), (4, 6)], 0, "got 4.2, of EGL device 0; allowed: a newer driver; --device 1 has it; where "),
        ([None], 0, f"OpenGL cannot start on EGL device 0: its driver is not installed; install it with: {APT}"),
        ([None, (4, 6)], 0, "its driver is not installed; install it with: " + APT + "; --device 1 has it"),
        ([None, None], None, "OpenGL cannot start on EGL device 0: its driver is not installed"),
    ],
)
def test_an_insufficient_device_is_reported_with_the_remedy(versions, device, output):
    assert output in str(fault_of(versions, device, os_release=DEBIAN))


def test_a_missing_libegl_is_named(monkeypatch):
    monkeypatch.setattr(system, "missing_libraries", lambda: ["libEGL.so.1"])
    output = str(find_fault(0, os_release=DEBIAN))
    assert output == f"OpenGL cannot start: libEGL.so.1 is missing; install it with: {APT}"


NO_DEVICE = {"__EGL_VENDOR_LIBRARY_FILENAMES": "/nonexistent/10_nvidia.json"}
OLD = {"MESA_GL_VERSION_OVERRIDE": "3.3"}


def stderr_of(command: list[str], environment: dict[str, str]) -> str:
    """The last line of a command's stderr; its exit status is 1."""
    process = subprocess.run(
        [sys.executable, "-m", "vrm_synth", *command], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert process.returncode == 1 and "Traceback" not in process.stderr, process.stderr
    return process.stderr.replace("\r", "\n").strip().splitlines()[-1]


COMMANDS = (
    ["shots", "shots.json", "-o", "out"],
    ["shots", "shots.json", "-o", "out", "--renderer", "pyrender"],
    ["demo", "-o", "out", "--count", "2", "--size", "16", "--workers", "2"],
    ["inspect", "demo", "--render", "a.png"],
    ["bench", "demo", "--count", "2", "--workers", "1", "--size", "16"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: " ".join(c[:1] + c[-1:]))
def test_every_rendering_command_reports_a_missing_device(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    camera = {"position": [0, 1, 3], "target": [0, 1, 0]}
    entry = {"id": "a", "avatar": "demo", "camera": camera, "size": [16, 16], "pose": {"bones": {}}}
    (tmp_path / "shots.json").write_text(json.dumps([entry]))
    assert stderr_of(command, NO_DEVICE).startswith("Error: OpenGL cannot start: EGL finds no device; ")


@pytest.mark.parametrize(("renderer", "required"), [("gl", "4.3"), ("pyrender", "4.1")])
def test_an_old_driver_is_reported_with_its_version(renderer, required, tmp_path):
    with contextlib.closing(open_backend("gl")) as drawing:
        if "Mesa" not in drawing.device:
            pytest.skip("Mesa's drivers alone can be told to be old")
    output = stderr_of(["inspect", "demo", "--render", str(tmp_path / "a.png"), "--renderer", renderer], OLD)
    assert output.startswith(f"Error: OpenGL {required} is needed; got 3.3, of EGL device 0; allowed: a newer driver")
    assert "apt install" not in output, "what is installed need not be installed"


WITHOUT_PYRENDER = """
import sys
sys.modules["pyglet"] = sys.modules["pyrender"] = None  # as where the extra is not installed
from vrm_synth.core.errors import RenderError
from vrm_synth.render import open_backend
try:
    open_backend("pyrender")
except RenderError as e:
    print(e)
"""


def test_without_the_pyrender_extra_the_message_names_it():
    output = subprocess.run([sys.executable, "-c", WITHOUT_PYRENDER], capture_output=True, text=True, check=True).stdout
    assert output.splitlines() == [
        "no module pyglet; install the pyrender renderer: pip install vrm-synth[pyrender]",
    ]


def test_find_fault_leaves_other_contexts_alone():
    avatar = open_avatar("demo")
    shot = preset_shot(avatar, "demo", "stand", "face_front_level", size=(32, 32))
    with contextlib.closing(open_backend("gl")) as drawing:
        before = render_shot(drawing, avatar, shot)[1].rgba
        with pytest.raises(RenderError, match="no such EGL device; got 60"):
            open_backend("gl", 60)
        assert find_fault(0) is None
        assert (render_shot(drawing, avatar, shot)[1].rgba == before).all() and before[..., 3].any()
