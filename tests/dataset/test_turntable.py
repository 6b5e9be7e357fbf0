"""`inspect --render`: one turn around the avatar, and every expression of the file."""

from __future__ import annotations

import contextlib
import io
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tests.vrm.vrm_file import MESH_NODE, changed, vrm0, vrm1
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.cli.main import main
from vrm_synth.dataset.preset_sheets import TURN, faces, sheet, turntable_cells
from vrm_synth.render import open_backend
from vrm_synth.render.base import Frame
from vrm_synth.vrm import load_bytes


def test_each_cell_shows_what_its_title_says():
    avatar = open_avatar("demo")
    with contextlib.closing(open_backend("gl")) as renderer:
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
    result = CliRunner().invoke(main, ["inspect", "demo", "--json", "--render", str(tmp_path / "sheet.png")])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)[0]["source"] == "demo"
    assert Image.open(io.BytesIO((tmp_path / "sheet.png").read_bytes())).size[0] > 1000
    several = CliRunner().invoke(main, ["inspect", "demo", "demo:1", "--render", str(tmp_path / "two.png")])
    assert several.exit_code == 2 and "--render takes one FILE" in several.output


class Blank:
    """A renderer that accepts every shot and returns a blank picture."""

    def render(self, posed, view):
        return Frame(np.zeros((view.size[1], view.size[0], 4), np.uint8))


@pytest.mark.parametrize("make", [vrm0, vrm1])
def test_expression_names_that_are_invalid_in_shots_do_not_stop_the_sheet(make):
    odd = ["", "line\nbreak", "x" * 300]

    def change(doc):
        binds = [{"mesh": 0, "node": MESH_NODE, "index": 1}]
        if make is vrm0:
            groups = doc["extensions"]["VRM"]["blendShapeMaster"]["blendShapeGroups"]
            groups += [{"name": n, "presetName": "unknown", "binds": binds} for n in odd]
            doc["extensions"]["VRM"]["meta"]["title"] = "two\nlines " + "y" * 10**5
        else:
            custom = doc["extensions"]["VRMC_vrm"]["expressions"]["custom"]
            custom |= {n: {"morphTargetBinds": binds} for n in odd}

    avatar = load_bytes(changed(change, make), "folder\nname/x.vrm")
    cells = list(turntable_cells(Blank(), avatar))
    assert [c.title for c in cells[len(TURN) :]] == ["happy", "unnamed", "line break", "x" * 200]
    with Image.open(io.BytesIO(sheet(avatar.meta.name, cells, columns=len(TURN)))) as picture:
        assert picture.width > 1000
