"""Facts and captions are the same for any number of workers, any kind of processor, and without transformers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPE = """
avatars: ["demo:11", "demo:12"]
count: 12
seed: 5
size: 192
captions: {caption: {style: en_long}, caption_ja: {style: ja}, tags: {style: tags}}
"""
# What numpy may choose among at run time: without these the code of a 15 years old processor runs.
OLDER_PROCESSOR = "X86_V3 X86_V4 AVX512_ICL AVX512_SPR AVX2 FMA3 AVX512F AVX512_SKX ASIMDHP ASIMDDP"
WITHOUT_TRANSFORMERS = """
import sys

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("transformers", "tokenizers", "torch"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hide())
"""


def rows(folder: Path, workers: int = 1, **environment: str) -> list[dict]:
    """Facts and captions of the recipe's rows, rendered by a process of its own."""
    (folder / "recipe.yaml").write_text(RECIPE)
    command = [sys.executable, "-m", "vrm_synth", "render", "recipe.yaml", "-o", "out", "--workers", str(workers)]
    paths = [str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")]
    own = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(p for p in paths if p)}
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (lines,) = (folder / "out" / "train").glob("*/metadata.jsonl")
    kept = ("facts", "caption", "caption_ja", "tags")
    return [{k: row[k] for k in kept} for row in map(json.loads, lines.read_text().splitlines())]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """The rows that one worker makes with everything that is installed."""
    return rows(tmp_path_factory.mktemp("plain"))


def test_two_workers_say_the_same_as_one(plain: list[dict], tmp_path: Path) -> None:
    assert rows(tmp_path, workers=2) == plain


def test_an_older_processor_says_the_same(plain: list[dict], tmp_path: Path) -> None:
    assert rows(tmp_path, NPY_DISABLE_CPU_FEATURES=OLDER_PROCESSOR) == plain


def test_an_install_without_transformers_says_the_same(plain: list[dict], tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_TRANSFORMERS)
    assert rows(tmp_path) == plain
