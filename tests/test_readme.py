"""The README: its commands run, its links and make targets exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import HANG

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [text for name, text in fenced if name == language]


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


OURS = [c for c in commands() if c[0] == "vrm-synth"]
MAKE = [c for c in commands() if c[0] == "make"]


def test_every_command_is_vrm_synth_or_a_make_target():
    assert OURS and MAKE
    assert [c for c in commands() if c[0] not in ("vrm-synth", "make")] == []


@pytest.mark.parametrize("command", MAKE, ids=" ".join)
def test_the_makefile_has_the_target(command):
    # -n: say what would be done; demo and test themselves are for a bare machine, not for inside a test.
    process = subprocess.run([*command, "-n"], cwd=ROOT, capture_output=True, text=True, timeout=HANG)
    assert process.returncode == 0 and "setup.sh" in process.stdout


def test_the_commands_run_one_after_the_other(tmp_path):
    (recipe,) = (b for b in blocks("yaml") if "recipe.yaml" in b)
    (tmp_path / "recipe.yaml").write_text(small(recipe), encoding="utf-8")
    # This checkout, whatever is installed.
    env = os.environ | {"PYTHONPATH": str(ROOT), "LP_NUM_THREADS": "1"}
    for command in OURS:
        process = subprocess.run(
            [sys.executable, "-m", "vrm_synth", *command[1:]],
            cwd=tmp_path, env=env, capture_output=True, text=True, timeout=HANG, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert process.returncode == 0, f"{' '.join(command)}\n{process.stdout}{process.stderr}"
        if "-o" in command:
            assert (tmp_path / command[command.index("-o") + 1]).exists()
    assert promised() <= {p.name for p in (tmp_path / "out" / "pictures").iterdir()}


def small(recipe: str) -> str:
    """The same recipe, with few and small pictures."""
    short_recipe = re.sub(r"^count: \d+", "count: 2", recipe, flags=re.MULTILINE)
    assert short_recipe != recipe
    return f"{short_recipe}size: 64\n"


def promised() -> set[str]:
    """The names that the README says a dataset holds."""
    (tree,) = (b for b in blocks("") if "metadata.parquet" in b)
    return set(re.findall(r"^  ([\w.]+)/? ", tree, re.MULTILINE))


def test_the_python_block_loads_what_the_commands_wrote():
    # What load_dataset makes of a dataset is tested with the dataset; here only that the block is Python.
    (block,) = blocks("python")
    compile(block, "README.md", "exec")
    assert 'load_dataset("imagefolder", data_dir="out/pictures")' in block


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", TEXT))))
def test_links_lead_to_files(target):
    assert (ROOT / target).exists()
