"""The wheel: its contents, and that it works outside the checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import vrm_synth
from tests.patience import HANG

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COMMAND = "import sys; from vrm_synth.cli import main; sys.argv[0] = 'vrm-synth'; main()"


def run(*command: object, cwd: Path) -> str:
    # Without PYTHONPATH: what is tested is the installation.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    process = subprocess.run([str(c) for c in command], cwd=cwd, env=env, capture_output=True, text=True, timeout=HANG)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", out, ROOT, cwd=out)
    (built,) = out.glob("vrm_synth-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The python of an environment that holds the wheel, and sees the dependencies of this one."""
    root = tmp_path_factory.mktemp("env")
    venv.create(root, with_pip=False)
    site = next((root / "lib").glob("python3*/site-packages"))
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", site, wheel, cwd=root)
    # Folders named in a .pth file come last, and their own .pth files (which lead to the checkout) don't count.
    site_packages = [p for p in sys.path if p.endswith("site-packages")]
    (site / "dependencies.pth").write_text("\n".join(site_packages), encoding="utf-8")
    return root / "bin" / "python"


def test_the_wheel_holds_code_data_types_and_licenses(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("poses", "cameras"):
        files = [p for p in sorted((ROOT / folder).rglob("*")) if p.is_file()]
        assert files and {f"vrm_synth/data/{p.relative_to(ROOT).as_posix()}" for p in files} <= names
    code = {p for p in (ROOT / "vrm_synth").rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert {p.relative_to(ROOT).as_posix() for p in code} <= names
    assert {"vrm_synth/py.typed", "vrm_synth/data/assets_manifest.yaml"} <= names
    info = f"vrm_synth-{vrm_synth.__version__}.dist-info"
    assert {f"{info}/licenses/{n}" for n in ("LICENSE", "poses/LICENSE", "cameras/LICENSE")} <= names
    assert {n.split("/")[0] for n in names} == {"vrm_synth", info}


def test_the_installed_command_works_outside_the_checkout(installed, tmp_path):
    where = run(installed, "-c", "import vrm_synth; print(vrm_synth.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parents[1])
    assert PROJECT["scripts"]["vrm-synth"] == "vrm_synth.__main__:main"
    poses = json.loads(run(installed, "-c", COMMAND, "poses", "list", "--json", cwd=tmp_path))
    cameras = json.loads(run(installed, "-c", COMMAND, "cameras", "list", "--json", cwd=tmp_path))
    assert len(poses) >= 24 and cameras


def test_rendering_installs_without_torch():
    expected = {project_name(d) for d in PROJECT["dependencies"]}
    assert not expected & {"torch", "diffusers", "transformers", "ray", "pyrender", "pyrender2", "trimesh"}
    assert {"train", "ray", "pyrender", "dev"} <= set(PROJECT["optional-dependencies"])


def test_every_dependency_is_pinned():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {project_name(line) for line in lines if "==" in line}
    expected = [*PROJECT["dependencies"], *(d for extra in PROJECT["optional-dependencies"].values() for d in extra)]
    assert {project_name(d) for d in expected} <= pins


def project_name(requirement: str) -> str:
    """The normalised name of a requirement (PEP 503)."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()
