"""Contact sheets: every picture is shown, in order, and texts stay in their cells."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from vrm_synth.io.contact_sheet import CHECKS, GAP, PAPER, SheetCell, contact_sheet

COLORS = [(200, 20, 20), (20, 200, 20), (20, 20, 200), (200, 200, 20), (20, 200, 200)]


def draw(cells, **options):
    with Image.open(io.BytesIO(contact_sheet("A title", cells, **options))) as sheet:
        return np.asarray(sheet.convert("RGB")).astype(int)


def boxes(sheet, color):
    rows, columns = np.nonzero((np.abs(sheet - color) <= 2).all(-1))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_pictures_stand_in_a_grid_in_their_order():
    cells = [SheetCell(Image.new("RGB", (100, 100), c), f"picture {n}") for n, c in enumerate(COLORS)]
    sheet = draw(cells, columns=3, width=80)
    corners = [boxes(sheet, c) for c in COLORS]
    assert all((right - left, bottom - top) == (80, 80) for left, top, right, bottom in corners)
    assert [left for left, *_ in corners] == [GAP, GAP + 96, GAP + 192, GAP, GAP + 96]
    tops = [top for _, top, _, _ in corners]
    assert tops[0] == tops[1] == tops[2] and tops[3] == tops[4] > tops[0] + 80


def test_aspect_ratios_are_kept_and_small_pictures_are_not_enlarged():
    cells = [
        SheetCell(Image.new("RGB", (100, 200), COLORS[0]), ""),
        SheetCell(Image.new("RGB", (20, 10), COLORS[1]), ""),
    ]
    sheet = draw(cells, columns=2, width=80)
    left, top, right, bottom = boxes(sheet, COLORS[0])
    assert (right - left, bottom - top) == (40, 80)
    left, top, right, bottom = boxes(sheet, COLORS[1])
    assert (right - left, bottom - top) == (20, 10)


def test_transparent_pictures_lie_on_a_checkerboard_and_hidden_colours_do_not_show():
    half = np.zeros((64, 64, 4), np.uint8)
    half[:, :, :3] = (255, 0, 0)  # in the transparent part too
    half[:, :32, :] = (0, 0, 255, 255)
    sheet = draw([SheetCell(Image.fromarray(half, "RGBA"), "")], columns=1, width=40)
    colors = {tuple(c) for c in sheet.reshape(-1, 3).tolist()}
    assert set(CHECKS) < colors
    left, top, _, _ = boxes(sheet, (0, 0, 255))
    inside = sheet[top : top + 40, left : left + 40]
    reddest = (inside[..., 0] - inside[..., 1]).max()
    assert reddest <= 2


@pytest.mark.parametrize("text", ["word " * 200, "x" * 500, "", "名前 “é” \U0001f600"])
def test_texts_stay_between_the_pictures(text):
    cells = [SheetCell(Image.new("RGB", (80, 80), COLORS[0]), text, title=text) for _ in range(4)]
    sheet = draw(cells, columns=2, width=80, lines=2)
    assert (sheet[:, : GAP - 1] == PAPER).all() and (sheet[:, -GAP + 1 :] == PAPER).all()
    gutter = sheet[60:, GAP + 81 : GAP + 80 + GAP - 1]
    assert (gutter == PAPER).all()
    assert boxes(sheet, COLORS[0])[3] <= len(sheet) - GAP


def test_the_same_cells_give_the_same_bytes():
    cells = [SheetCell(Image.new("RGBA", (50, 50), (1, 2, 3, 100)), "text")]
    assert contact_sheet("t", cells, 6) == contact_sheet("t", cells, 6)


def test_a_sheet_without_cells_is_drawn():
    assert draw([], columns=6).shape[0] > 0


def test_a_title_is_one_line_whatever_the_file_name():
    def cells(title):
        return [SheetCell(Image.new("RGB", (80, 80), COLORS[0]), "", title)]

    def drawn(title, of_cell):
        return contact_sheet(title, cells(of_cell), columns=1, width=80)

    assert drawn("a\r\nb\u2028c", "d\ne") == drawn("a b c", "d e")
    assert drawn("W" * 10**6, "") == drawn("W" * 1000, "")
    assert drawn("", "\n") == drawn("", "")
