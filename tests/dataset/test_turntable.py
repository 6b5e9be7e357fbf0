"""`inspect --render`: once around, and every expression that the file really has."""

from __future__ import annotations

import contextlib
import io
import json

import numpy as np
from click.testing import CliRunner
from PIL import Image

from vrm_synth.avatar import open_avatar
from vrm_synth.cli.main import main
from vrm_synth.dataset.presets import TURN, faces, turntable_cells
from vrm_synth.render import open_renderer


def test_each_cell_shows_what_its_title_says():
    avatar = open_avatar("demo")
    with contextlib.closing(open_renderer("gl")) as renderer:
        cells = {c.title: np.asarray(c.picture).astype(int) for c in turntable_cells(renderer, avatar)}
    assert list(cells) == [*TURN, *avatar.expressions]
    assert all(e.is_bound for e in faces(avatar))
    for name in ("happy", "blink", "aa", "lookLeft"):
        changed = np.abs(cells[name] - cells["neutral"]).max(-1) > 16
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        assert changed.mean() > 0.001, name
        assert len(rows) < 140 and len(columns) < 140, f"{name} changes more than the face"
    assert np.abs(cells["blinkLeft"] - cells["blinkRight"]).max() > 64


def test_the_sheet_is_written_and_json_stays_json(tmp_path):
    done = CliRunner().invoke(main, ["inspect", "demo", "--json", "--render", str(tmp_path / "sheet.png")])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)[0]["source"] == "demo"
    assert Image.open(io.BytesIO((tmp_path / "sheet.png").read_bytes())).size[0] > 1000
    many = CliRunner().invoke(main, ["inspect", "demo", "demo:1", "--render", str(tmp_path / "two.png")])
    assert many.exit_code == 2 and "--render takes one FILE" in many.output
