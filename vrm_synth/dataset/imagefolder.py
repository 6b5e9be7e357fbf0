"""The image folder: pictures, metadata.jsonl, the dataset card and the contact sheet.

    out/
      images/000000.png …   one picture a shot
      metadata.jsonl        one line a picture
      dataset.json          which recipe this folder belongs to, and its avatars' credits
      README.md             the dataset card
      contact_sheet.png     24 of the pictures

A folder belongs to one recipe. Rendering again draws again and overwrites; rendering a part adds its lines to
those that are there. Card and sheet follow from the lines alone, so that parts may come in any order.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from vrm_synth import __version__
from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.card import card, spread
from vrm_synth.dataset.files import file_errors, make_folder, to_json, write_file
from vrm_synth.dataset.metadata import METADATA, Line, Row, read_lines, write_lines
from vrm_synth.dataset.sheet import Cell, contact_sheet

IMAGES = "images"
IDENTITY = "dataset.json"
CARD = "README.md"
SHEET = "contact_sheet.png"
ON_SHEET = 24


class ImageFolder:
    """A dataset's folder.

    recipe: everything the pictures follow from, as plain values; told: the recipe as its maker would write it;
    avatars: the credits of those it names.

    Raises DatasetError where the folder holds anything but this recipe's dataset, or cannot be written.
    """

    def __init__(
        self, out: Path, recipe: Mapping[str, Any], told: Mapping[str, Any], avatars: Sequence[Mapping[str, Any]]
    ):
        self.out = out
        self._recipe = recipe
        self._told = told
        self._avatars = avatars
        self._claim()

    def add(self, lines: Mapping[int, Line]) -> None:
        """Add lines to metadata.jsonl and bring the card and the sheet up to date."""
        with self._alone():
            known = {**read_lines(self.out / METADATA), **lines}
            write_lines(self.out / METADATA, known)
            ordered = [known[i].brief for i in sorted(known)]
            write_file(self.out / CARD, card(ordered, self._told, self._avatars).encode())
            write_file(self.out / SHEET, self._sheet(ordered))

    def _claim(self) -> None:
        mine = {
            "vrm_synth": __version__,
            "recipe_sha256": hashlib.sha256(to_json(self._recipe).encode()).hexdigest(),
            "recipe": self._recipe,
            "avatars": self._avatars,
        }
        make_folder(self.out)
        with self._alone(), file_errors(self.out, "read"):
            there = self.out / IDENTITY
            if there.exists():
                _compare(there.read_bytes(), mine, there)
            elif any(not _unfinished(p) for p in self.out.iterdir()):
                raise DatasetError("not empty, and no dataset of ours", allowed="a new folder", where=self.out)
            make_folder(self.out / IMAGES)
            write_file(there, (to_json(mine, indent=1) + "\n").encode())

    def _sheet(self, rows: Sequence[Row]) -> bytes:
        cells = []
        for row in spread(rows, ON_SHEET):
            with file_errors(self.out / row["file_name"], "read"), Image.open(self.out / row["file_name"]) as picture:
                cells.append(Cell(picture.copy(), row["caption"]))
        avatars = len({row["avatar_sha256"] for row in rows})
        count = f"{len(rows)} picture{'s' * (len(rows) != 1)} of {avatars} avatar{'s' * (avatars != 1)}"
        return contact_sheet(f"{count}, seed {self._recipe['seed']}", cells, columns=6, lines=6)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Other processes that add to this folder wait. The lock is the folder's own and leaves no file behind."""
        with file_errors(self.out, "opened"):
            handle = os.open(self.out, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def write_picture(out: Path, name: str, png: bytes) -> str:
    """Write a picture of the dataset in `out`; returns its file_name, relative to the folder."""
    write_file(out / IMAGES / f"{name}.png", png)
    return f"{IMAGES}/{name}.png"


def _unfinished(path: Path) -> bool:
    return path.name.endswith(".part")


def _compare(data: bytes, mine: Mapping[str, Any], where: Path) -> None:
    try:
        there = json.loads(data)
        sha256, version, recipe = there["recipe_sha256"], there["vrm_synth"], dict(there["recipe"])
    except (ValueError, KeyError, TypeError) as e:
        raise DatasetError("not a dataset's identity", allowed="a new folder", where=where) from e
    if sha256 != mine["recipe_sha256"]:
        changed = [k for k, v in mine["recipe"].items() if recipe.get(k) != v]
        raise DatasetError(
            "the folder holds another recipe's dataset",
            got=f"a recipe that differs in {', '.join(changed) or 'its keys'}",
            allowed="the same recipe and avatars, or a new folder",
            where=where,
        )
    if version != mine["vrm_synth"]:
        raise DatasetError(
            "the folder was begun by another version, whose pictures may differ",
            got=version,
            allowed=f"{mine['vrm_synth']}, or a new folder",
            where=where,
        )
