"""What users install: the built wheel, outside the checkout."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", out, ROOT, cwd=out)
    (built,) = out.glob("vrm_synth-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The bin folder of an environment that holds the wheel, and sees the dependencies of this one."""
    root = tmp_path_factory.mktemp("env")
    venv.create(root, with_pip=False)
    site = next((root / "lib").glob("python3*/site-packages"))
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel, cwd=root)
    # Only the folder of the dependencies, not its .pth files: those lead to the checkout.
    others = [p for p in sys.path if p.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(others), encoding="utf-8")
    return root / "bin"


def test_the_wheel_holds_code_data_types_and_licences(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("poses", "cameras"):
        files = [p for p in sorted((ROOT / folder).rglob("*")) if p.is_file()]
        assert files and {f"vrm_synth/data/{p.relative_to(ROOT).as_posix()}" for p in files} <= names
    code = {
        p.relative_to(ROOT).as_posix()
        for p in (ROOT / "vrm_synth").rglob("*")
        if p.suffix in (".py", ".glsl", ".vert", ".frag")
    }
    assert code <= names
    assert "vrm_synth/py.typed" in names
    assert {
        f"vrm_synth-{version()}.dist-info/licenses/{n}" for n in ("LICENSE", "poses/LICENSE", "cameras/LICENSE")
    } <= names
    assert not [n for n in names if n.split("/")[0] not in ("vrm_synth", f"vrm_synth-{version()}.dist-info")]


def version() -> str:
    for line in (ROOT / "vrm_synth" / "__init__.py").read_text(encoding="utf-8").splitlines():
        if line.startswith("__version__"):
            return line.split('"')[1]
    raise AssertionError("vrm_synth/__init__.py names no __version__")


def test_the_installed_command_works_outside_the_checkout(installed, tmp_path):
    where = run(installed / "python", "-c", "import vrm_synth; print(vrm_synth.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    poses = run(installed / "python", "-m", "vrm_synth.cli", "poses", "list", cwd=tmp_path).split()
    cameras = run(installed / "python", "-m", "vrm_synth.cli", "cameras", "list", cwd=tmp_path).split()
    assert "standing" in " ".join(poses) or len(poses) >= 24
    assert len(cameras) >= 12


def test_rendering_installs_without_torch():
    wanted = " ".join(PROJECT["dependencies"]).lower()
    assert not any(name in wanted for name in ("torch", "diffusers", "ray", "pyrender", "trimesh"))
    assert {"train", "ray", "pyrender", "dev"} <= set(PROJECT["optional-dependencies"])


def test_every_dependency_is_pinned():
    pins = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    wanted = [*PROJECT["dependencies"], *(d for extra in PROJECT["optional-dependencies"].values() for d in extra)]
    names = {
        d.split(";")[0].split("[")[0].split(">")[0].split("=")[0].strip().lower().replace("_", "-") for d in wanted
    }
    assert names - {"vrm-synth"} <= pins
