"""The examples run and do what their README says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tests.patience import HANG
from tests.vrm.vrm_file import glb, vrm1
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.cli.main import main
from vrm_synth.dataset.render_shot import render_shot
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.shot import load_recipe, plan_shot

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda p: p.stem)
def test_a_recipe_renders(path):
    recipe = load_recipe(path)
    shot = plan_shot(recipe, recipe.count - 1, open_avatar).shot
    renderer = GLBackend()
    _, frame = render_shot(renderer, open_avatar(shot.figure.avatar), shot)
    renderer.close()
    assert frame.rgba.shape == (recipe.size[1], recipe.size[0], 4)
    assert f"vrm-synth render examples/{path.name} " in path.read_text()


def test_the_example_list_of_shots_renders(tmp_path):
    result = CliRunner().invoke(main, ["shots", str(EXAMPLES / "features.json"), "-o", str(tmp_path)])
    assert result.exit_code == 0, result.output
    for entry in json.loads((EXAMPLES / "features.json").read_text()):
        assert json.loads((tmp_path / f"{entry['id']}.json").read_text())["warnings"] == []
        with Image.open(tmp_path / f"{entry['id']}.png") as picture:
            assert picture.size == (512, 512) and len(picture.getcolors(1 << 20)) > 100


def test_the_render_script_writes_its_picture(tmp_path):
    command = [sys.executable, EXAMPLES / "one_picture.py", "demo", tmp_path / "a.png"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=HANG)
    assert process.returncode == 0, process.stderr
    assert "license CC0" in process.stdout
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (512, 512) and len(picture.getcolors(1 << 20)) > 100


def test_the_captions_script_says_what_a_picture_shows():
    command = [sys.executable, EXAMPLES / "captions.py", "demo"]
    process = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=HANG)
    assert process.returncode == 0, process.stderr
    english, japanese, tags, triggered, own = process.stdout.splitlines()
    assert "Mio, a" in english and "girl with" in english and "pink hair" in english
    assert japanese.endswith("。") and "女の子" in japanese
    assert tags.startswith("tags: 1girl, solo") and "background" in tags
    assert "ohwx, 1girl, solo" in triggered and "background" not in triggered
    assert own.startswith("of one's own: pink hair")


def test_the_ground_truth_script_writes_passes_and_keypoints(tmp_path):
    command = [sys.executable, EXAMPLES / "ground_truth.py", "demo", tmp_path / "truth"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=HANG)
    assert process.returncode == 0, process.stderr
    depth_range, keypoints = re.findall(r"depth (.*) to .* m, (\d+) keypoints in sight", process.stdout)[0]
    assert 0.5 < float(depth_range) < 10 and int(keypoints) > 60
    names = {"picture.png", "pose.png", "lines.png", "arrays.npz", "annotation.json"}
    assert {p.name for p in (tmp_path / "truth").iterdir()} == names
    with np.load(tmp_path / "truth" / "arrays.npz") as arrays:
        assert {name: a.shape for name, a in arrays.items()} == {
            "depth": (512, 512), "parts": (512, 512), "normal": (512, 512, 3)
        }  # fmt: skip
    assert json.loads((tmp_path / "truth" / "annotation.json").read_text())["size"] == [512, 512]


def test_the_turntable_has_distinct_frames(tmp_path):
    command = [sys.executable, EXAMPLES / "turntable.py", "demo", tmp_path / "a.webp", "4"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=HANG)
    assert process.returncode == 0, process.stderr
    with Image.open(tmp_path / "a.webp") as picture:
        assert picture.n_frames == 4
        frames = []
        for n in range(4):
            picture.seek(n)
            frames.append(picture.convert("RGB").copy())
    assert len({p.tobytes() for p in frames}) == 4
    assert all(p.getbbox() for p in frames)


def test_the_curating_script_makes_a_subset(tmp_path):
    demo_command = ["demo", "-o", str(tmp_path / "a"), "--count", "4", "--size", "32", "--workers", "1"]
    assert CliRunner().invoke(main, demo_command).exit_code == 0
    command = [sys.executable, EXAMPLES / "curate.py", tmp_path / "a", tmp_path / "b", "i < 3"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=HANG)
    assert process.returncode == 0, process.stderr
    assert process.stdout.splitlines()[-1] == f"3 pictures in {tmp_path / 'b'}"
    assert (tmp_path / "b" / "complete.json").exists()


def test_the_jobs_of_an_array_make_the_dataset_in_any_order(tmp_path):
    doc, data = vrm1()
    (tmp_path / "free.vrm").write_bytes(glb(doc, bytes(data)))
    (tmp_path / "recipe.yaml").write_text("avatars: [free.vrm]\ncount: 5\nsize: 32\nsettle_seconds: 0\n")
    command = f'#!/bin/sh\nexec "{sys.executable}" -m vrm_synth "$@"\n'
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "vrm-synth").write_text(command)
    (tmp_path / "bin" / "vrm-synth").chmod(0o755)
    env = os.environ | {"PYTHONPATH": str(EXAMPLES.parent), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}

    def run(*words, **slurm):
        process = subprocess.run(
            [str(w) for w in words], cwd=tmp_path, env=env | slurm, capture_output=True, text=True, timeout=HANG
        )
        assert process.returncode == 0, process.stderr
        return process.stdout

    for job in ("9", "7", "8"):  # an array that does not begin at 0
        slurm = {"SLURM_ARRAY_TASK_ID": job, "SLURM_ARRAY_TASK_MIN": "7", "SLURM_ARRAY_TASK_COUNT": "3"}
        output = run(EXAMPLES / "slurm_array.sh", "recipe.yaml", "jobs", "--shard-size", 2, **slurm)
    assert "jobs/contact_sheet.png" in output, "the last of them to end finishes it, or finish does"
    run("vrm-synth", "finish", "jobs")
    run("vrm-synth", "render", "recipe.yaml", "-o", "once", "--shard-size", 2, "--workers", 1)
    jobs, once = (
        {p.relative_to(tmp_path / d): p.read_bytes() for p in (tmp_path / d).rglob("*") if p.is_file()}
        for d in ("jobs", "once")
    )
    assert {n: b for n, b in jobs.items() if n.name != "metrics.json"} == {
        n: b for n, b in once.items() if n.name != "metrics.json"
    }


def test_the_pipeline_script_runs_from_render_to_preview(tmp_path):
    command = [sys.executable, EXAMPLES / "train_tiny.py", tmp_path / "a b", "3", "2"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=HANG)
    assert process.returncode == 0, process.stderr
    assert re.findall(r"^\d. (\w+)", process.stdout, re.MULTILINE) == ["render", "train", "sample", "compare"]
    assert len(list((tmp_path / "a b" / "samples").glob("0*.png"))) == 4
    assert (tmp_path / "a b" / "run" / "preview.html").read_text().count("<img ") == 2 * 4


def test_every_example_is_listed_in_the_readme():
    listed = set(re.findall(r"^\| \[([\w.]+)\]\(\1\)", (EXAMPLES / "README.md").read_text(), re.MULTILINE))
    assert listed == {p.name for p in EXAMPLES.iterdir() if p.suffix in (".yaml", ".json", ".py", ".sh")}
