"""vrm-synth render and finish: datasets, accepted licenses, mistakes in recipes."""

from __future__ import annotations

import json

import pytest

from tests.cli.command import error, run
from vrm_synth.vrm import load


def test_render_writes_a_dataset_whose_rows_shots_can_render_again(folder):
    options = ("-o", folder / "out", "--shard-size", 2)
    result = run("render", folder / "recipe.yaml", *options, "--shard", "1/2")
    out = folder / "out"
    assert (
        result.stdout == f"2 pictures in {out}; other shards are missing: when they are there, vrm-synth finish {out}\n"
    )
    assert "2 shards of" in error("finish", folder / "out")
    result = run("render", folder / "recipe.yaml", *options)
    assert result.stdout == f"4 pictures in {folder / 'out'}; a look at them: {folder / 'out' / 'contact_sheet.png'}\n"
    assert run("render", folder / "recipe.yaml", *options).stdout.startswith(
        f"nothing was missing in {folder / 'out'}; a look"
    )
    (folder / "out" / "complete.json").unlink()
    assert "contact_sheet.png" in run("finish", folder / "out").stdout
    assert (folder / "out" / "complete.json").exists()
    metrics = json.loads((folder / "out" / "metrics.json").read_text())
    assert metrics["pictures"] == 4 and metrics["pictures_per_second"] > 0
    assert set(metrics["pictures_per_second_by_stage"]) == {"load", "plan", "draw", "encode", "put"}
    for lines in folder.glob("out/train/*/metadata.jsonl"):
        run("shots", lines, "-o", folder / "rendered_again")
    pictures = list(folder.glob("out/train/*/*.png"))
    assert len(pictures) == 6
    for picture in pictures:
        assert (folder / "rendered_again" / picture.name).read_bytes() == picture.read_bytes()


def test_options_add_passes_to_those_of_the_recipe(folder):
    with (folder / "recipe.yaml").open("a") as recipe:
        recipe.write("passes: [depth]\n")
    options = ("--pass", "mask", "--pass", "depth", "--conditioning", "lines", "--annotations", "--count", 1)
    run("render", folder / "recipe.yaml", "-o", folder / "out", *options)
    (line,) = (folder / "out/train/00000/metadata.jsonl").read_text().splitlines()
    names = {k: v for k, v in json.loads(line).items() if k.endswith("_file_name")}
    suffixes = {"depth": "depth.png", "mask": "mask.png", "conditioning_image": "conditioning_image.png"}
    assert names == {f"{name}_file_name": f"000000.{suffix}" for name, suffix in suffixes.items()}
    assert json.loads((folder / "out/dataset.json").read_text())["recipe"]["passes"] == ["depth", "mask"]
    assert len(json.loads((folder / "out/coco.json").read_text())["images"]) == 1
    message = error("render", folder / "recipe.yaml", "-o", folder / "new", "--pass", "dept", code=2)
    assert "'dept'" in message and "depth_metres" in message  # and the other names that there are
    message = error("render", folder / "recipe.yaml", "-o", folder / "new", "--pass", "depth", "--renderer", "pyrender")
    assert "pyrender draws no geometry buffer; got depth; allowed: mask, or the gl renderer" in message


def test_render_refuses_a_license_until_it_is_accepted(folder):
    (folder / "recipe.yaml").write_text("avatars: [kept.vrm]\ncount: 1\nsize: 16\n")
    message = error("render", folder / "recipe.yaml", "-o", folder / "out")
    assert "kept.vrm: license not accepted; got VRM Public License 1.0" in message and not (folder / "out").exists()
    assert "not accepted" in error(
        "render", folder / "recipe.yaml", "-o", folder / "out", "--accept-license", "VRM Public License 1.0"
    )
    table = dict(
        line.split("  ", 1) for line in run("inspect", folder / "kept.vrm").stdout.splitlines() if "  " in line
    )
    name = table["license"].strip()
    assert name == json.loads(run("inspect", folder / "kept.vrm", "--json").stdout)[0]["license"]["name"]
    run("render", folder / "recipe.yaml", "-o", folder / "out", "--accept-license", name)
    (lines,) = folder.glob("out/train/*/metadata.jsonl")
    assert json.loads(lines.read_text())["license"] == name


def test_render_takes_evidence_from_the_users_manifest(folder):
    (folder / "recipe.yaml").write_text("avatars: [kept.vrm]\ncount: 1\nsize: 16\n")
    (folder / "my_assets.yaml").write_text(
        f"assets:\n  - sha256: {load(folder / 'kept.vrm').sha256}\n    name: kept\n    license: CC0-1.0\n"
        "    evidence: https://example.org/license\n    quote: all of it is CC0\n    date: 2026-01-31\n"
    )
    run("render", folder / "recipe.yaml", "-o", folder / "out", "--manifest", folder / "my_assets.yaml")
    assert "https://example.org/license" in (folder / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("avatars: [free.vrm]\ncount: 1\ncolour: red\n", r"recipe.yaml:3: colour: unknown key"),
        ("avatars: [free.vrm]\ncount: none\n", "recipe.yaml:2: count"),
        ("avatars: [gone.vrm]\ncount: 1\n", "recipe.yaml:1: avatars"),
        ("avatars: [", "recipe.yaml:1: not YAML"),
    ],
)
def test_a_recipe_with_a_mistake_is_refused_with_its_line(folder, text, message):
    (folder / "recipe.yaml").write_text(text)
    assert message in error("render", folder / "recipe.yaml", "-o", folder / "out")
    assert not (folder / "out").exists()
