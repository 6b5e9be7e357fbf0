"""`import vrm_synth`: light, whole, and seen by help(), Tab and type checkers alike."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import vrm_synth as vs
from tests.patience import HANG

ROOT = Path(vs.__file__).resolve().parents[1]
TRAIN_EXTRA = ("torch", "diffusers", "transformers", "accelerate", "peft", "safetensors", "tensorboard")
HEAVY = ("numpy", "scipy", "pydantic", "PIL", "moderngl", "pyarrow", "torch", "click")


def run(program: str) -> str:
    process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=HANG)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_importing_vrm_synth_imports_no_heavy_library():
    imported = json.loads(
        run(f"import json, sys, vrm_synth; dir(vrm_synth); print(json.dumps([m for m in {HEAVY} if m in sys.modules]))")
    )
    assert imported == []


def test_every_name_is_imported_without_the_train_extra():
    program = (
        "import sys, vrm_synth as vs; [getattr(vs, n) for n in vs.__all__];"
        f"print([m for m in {TRAIN_EXTRA} if m in sys.modules])"
    )
    assert run(program).strip() == "[]"


@pytest.mark.parametrize(
    "call", ["vs.sample('no-such-model', 'a girl')", "vs.train({'base': 'no-such-base', **KEYS}, 'run')"]
)
def test_arguments_are_checked_before_torch_is_imported(call: str):
    program = (
        "import sys, vrm_synth as vs\n"
        "KEYS = {'steps': 1, 'data': {'sources': ['no-such-folder']}}\n"
        f"try:\n    {call}\nexcept vs.VrmSynthError as e:\n    print(e.what, 'torch' in sys.modules)\n"
    )
    assert run(program).strip() == "no such base model False"


def test_a_subpackage_of_the_same_name_does_not_stand_for_the_function():
    program = (
        "import vrm_synth.training.config, vrm_synth.builtin_avatar.params, vrm_synth as vs;"
        "print(callable(vs.train), callable(vs.demo_avatar), vrm_synth.core.__name__)"
    )
    assert run(program).split() == ["True", "True", "vrm_synth.core"]


def test_names_are_the_same_for_python_and_for_type_checkers():
    assert sorted(vs.__all__) == sorted(vs._HOMES) and set(vs.__all__) <= set(dir(vs))
    tree = ast.parse(Path(vs.__file__).read_text(encoding="utf-8"))
    (block,) = (n for n in tree.body if isinstance(n, ast.If))
    typed = {alias.name: node.module for node in block.body for alias in node.names}
    assert typed == {name: f"vrm_synth.{home}" for name, home in vs._HOMES.items()}


@pytest.mark.parametrize("name", vs.__all__)
def test_every_name_explains_itself(name: str):
    assert len((inspect.getdoc(getattr(vs, name)) or "").splitlines()[0]) > 10


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="lod"):
        _ = vs.lod


def test_a_script_that_is_not_guarded_renders_with_workers(tmp_path):
    (tmp_path / "recipe.yaml").write_text("avatars: [demo]\ncount: 2\nsize: 32\nsettle_seconds: null\n")
    script = 'import vrm_synth as vs\nprint(len(vs.render_dataset("recipe.yaml", "out", workers=2)))\n'
    (tmp_path / "script.py").write_text(script)
    process = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True, text=True, timeout=HANG,
    )  # fmt: skip
    assert (process.returncode, process.stdout, process.stderr) == (0, "2\n", "")


def test_the_reference_is_written_without_a_warning(tmp_path):
    pytest.importorskip("pdoc")
    process = subprocess.run(
        [sys.executable, ROOT / "scripts" / "api_reference.py", tmp_path], capture_output=True, text=True, timeout=HANG
    )
    assert (process.returncode, process.stderr) == (0, "")
    page = (tmp_path / "vrm_synth.html").read_text(encoding="utf-8")
    assert [name for name in vs.__all__ if f'id="{name}"' not in page] == []
