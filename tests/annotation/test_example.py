"""examples/annotate.py runs and writes what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import vrm_synth.render.base
from tests.patience import HANG

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "annotate.py"


def test_the_annotated_pictures_have_their_files(tmp_path):
    if not hasattr(vrm_synth.render.base, "Buffers"):
        pytest.skip("no renderer here draws a geometry buffer")
    process = subprocess.run([sys.executable, EXAMPLE, "demo", tmp_path], capture_output=True, text=True, timeout=HANG)
    assert process.returncode == 0, process.stderr
    coco = json.loads((tmp_path / "coco.json").read_text())
    assert [a["num_keypoints"] for a in coco["annotations"]] == [17] * 4
    assert len(json.loads((tmp_path / "transforms.json").read_text())["frames"]) == 4
    for i in range(4):
        with Image.open(tmp_path / f"pose_{i}.png") as picture:
            assert picture.size == (512, 512) and picture.mode == "RGB" and len(picture.getcolors(1 << 20)) > 20
