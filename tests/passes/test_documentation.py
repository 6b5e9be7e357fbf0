"""docs/passes.md lists every pass and id, as they are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.core.passes import CONDITIONING, PASSES
from vrm_synth.io.png_decoder import decode_png
from vrm_synth.parts.part_names import PART_NAMES
from vrm_synth.shot import Recipe
from vrm_synth.yaml_models.strict_yaml import parse

DOCS = Path(__file__).resolve().parents[2] / "docs"
TEXT = (DOCS / "passes.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", TEXT, re.MULTILINE)


def test_the_table_has_every_pass_in_order():
    assert [(name, suffix) for name, suffix, *_ in ROWS] == [(p.name, p.suffix) for p in PASSES.values()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_the_table_says_what_file_and_array_are(row, arrays, files):
    name, _, content, kind, _, background = row
    axes = {2: "(H, W)", 3: "(K, H, W)" if name == "depth_layers" else f"(H, W, {arrays[name].shape[-1]})"}
    assert kind == f"{arrays[name].dtype} {axes[arrays[name].ndim]}"
    outside = ~arrays["mask"]
    if PASSES[name].is_image:
        pixels = decode_png(files[name])
        channels = "grey" if pixels.ndim == 2 else "RGB"
        assert content == f"PNG, {8 * pixels.itemsize}-bit {channels}"
        value = [int(x) for x in re.findall(r"\d+", background.partition(";")[0])]
        if name != "pose":  # whose limbs reach beyond the figure
            assert (pixels[outside] == (value[0] if pixels.ndim == 2 else value)).all()
    numbers = {"array −1": -1, "array +inf": np.inf, "+inf": np.inf}
    word = background.partition("; ")[2] if PASSES[name].is_image else background.partition(";")[0]
    if word in numbers and name != "depth_layers":
        assert (arrays[name][outside] == numbers[word]).all()


def test_the_legends_have_every_id():
    for start, names in (("`parts`: ", PART_NAMES), ("`body_parts` are ", BONE_NAMES)):
        (line,) = (line for line in TEXT.splitlines() if line.startswith(start))
        assert re.findall(r"(\d+) `(\w+)`", line) == [(str(i), name) for i, name in enumerate(names, 1)]


def test_the_recipe_is_one_and_every_kind_of_conditioning_is_named():
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    recipe = parse(block, Recipe, "passes.md")
    assert recipe.annotations and recipe.views_per_pose == 4
    assert all(f"`{kind}`" in TEXT or f"conditioning: {kind}" in TEXT for kind in CONDITIONING)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", TEXT))))
def test_links_lead_to_files(target):
    assert (DOCS / target).exists()
