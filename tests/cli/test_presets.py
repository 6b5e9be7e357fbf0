"""vrm-synth poses and cameras: lists, JSON and contact sheets of the presets."""

from __future__ import annotations

import json

from PIL import Image

from tests.cli.command import error, run


def test_lists_of_presets_as_table_and_json():
    poses = json.loads(run("poses", "list", "--json").stdout)
    assert len(poses) >= 24 and {"name", "says", "tags", "bones"} <= set(poses[0])
    table = run("poses", "list").stdout.splitlines()
    assert len(table) == len(poses) and all(row.startswith(p["name"]) for row, p in zip(table, poses, strict=True))
    views = {v["name"]: v for v in json.loads(run("cameras", "list", "--json").stdout)}
    assert views["face_side_left_high"]["azimuth"] == 90 and views["face_side_left_high"]["elevation"] > 0
    assert len(views) >= 48 and "ELEVATION" in run("cameras", "list").stdout


def test_contact_sheets_of_presets(folder, monkeypatch):
    run("poses", "show", "stand", "wave", "-o", folder / "p.png", "--avatar", folder / "free.vrm")
    run(
        "cameras", "show", "bust_front_level", "-o", folder / "c.png", "--avatar", folder / "free.vrm", "--pose", "wave"
    )
    with Image.open(folder / "p.png") as two, Image.open(folder / "c.png") as one:
        assert two.size[0] > 1.8 * one.size[0] and one.size[0] > 256
    monkeypatch.chdir(folder)
    run("cameras", "show", "bust_front_level", "--avatar", "free.vrm")
    assert (folder / "cameras.png").is_file()
    assert "got wive" in error("poses", "show", "wive", "-o", folder / "x.png")
    assert not (folder / "x.png").exists()
