"""The dataset card: its license is that of all avatars, and texts of avatar files are escaped."""

from __future__ import annotations

import re

import yaml

from vrm_synth.dataset.summary.card import DatasetSummary
from vrm_synth.dataset.summary.card import render_card as card_of
from vrm_synth.dataset.summary.loading_code import DatasetFiles
from vrm_synth.io.dataset_columns import OPTIONAL_COLUMNS, SAMPLE_COLUMNS

FREE = {"id": "a", "name": "Aki", "authors": ["me"], "sha256": "0" * 64, "license": "CC0-1.0", "is_cc0": True,
        "evidence": "file"}  # fmt: skip
KEPT = {**FREE, "id": "b", "sha256": "1" * 64, "license": "CC-BY-4.0", "is_cc0": False, "evidence": "https://e.org/x"}
RECIPE = {"avatars": ["a.vrm"], "count": 3, "seed": 5}


def row(i, avatar):
    return {"file_name": f"images/{i}.png", "caption": f"caption {i}", "avatar_sha256": avatar["sha256"], 
            "renderer": "llvmpipe", "shot": {"size": [64, 32], "choices": {"pose": "stand"}}}  # fmt: skip


def card(rows, recipe, avatars, shard_format="imagefolder"):
    summary = DatasetSummary(samples=[(r["file_name"], r["caption"]) for r in rows[:8]])
    for r in rows:
        summary.add(r, "train")
    return card_of(summary, recipe, DatasetFiles(shard_format), avatars)


def head(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_a_dataset_of_cc0_avatars_is_cc0():
    text = card([row(i, FREE) for i in range(3)], RECIPE, [FREE, KEPT])
    assert head(text)["license"] == "cc0-1.0"
    assert "CC-BY" not in text, "an avatar that no picture shows binds nothing"
    assert "- pictures: 3\n- avatars: 1\n- pixels: 64×32\n- seed: 5\n- drawn by: llvmpipe\n- poses: 1\n" in text
    assert "`images/0.png`: caption 0" in text.replace("\\", "")


def test_one_avatar_under_another_license_makes_it_other_and_is_named():
    text = card([row(0, FREE), row(1, KEPT), row(2, KEPT)], RECIPE, [FREE, KEPT])
    assert head(text)["license"] == "other"
    line = next(x for x in text.splitlines() if x.startswith("| b "))
    assert "CC-BY-4.0" in line and "https://e.org/x" in line and "| 2 |" in line


def test_url_and_terms_of_a_license_are_on_the_card():
    terms = {"license_url": "https://e.org/l", "license_terms": "modification=prohibited; allowRedistribution=false"}
    text = card([row(0, KEPT)], RECIPE, [{**KEPT, **terms}])
    line = next(x for x in text.splitlines() if x.startswith("| b "))
    assert "| https://e.org/l modification=prohibited; allowRedistribution=false |" in line


def test_an_unfinished_dataset_says_so():
    assert "- pictures: 1 (of 3 that the recipe asks for)" in card([row(2, FREE)], RECIPE, [FREE])


def test_the_recipe_can_be_read_back():
    text = card([row(0, FREE)], RECIPE, [FREE])
    assert yaml.safe_load(text.split("```yaml\n")[1].split("```")[0]) == RECIPE


def test_titles_are_escaped():
    evil = {**FREE, "name": "x | y](http://evil)\n---\n<script>`", "authors": ["**a**\r\n# b"]}
    text = card([row(0, evil)], RECIPE, [evil])
    line = next(x for x in text.splitlines() if x.startswith("| a "))
    assert line.count("|") - line.count("\\|") == 9
    assert len(re.findall(r"(?<!\\)[<>*\[\]#`]", line)) == 2, "all but the two backquotes around the hash are escaped"
    assert head(text)["license"] == "cc0-1.0"


def test_size_categories_are_the_hubs():
    assert head(card([row(0, FREE)] * 999, RECIPE, [FREE]))["size_categories"] == ["n<1K"]
    assert head(card([row(0, FREE)] * 1000, RECIPE, [FREE]))["size_categories"] == ["1K<n<10K"]


def test_the_columns_that_the_card_explains_are_a_samples():
    sentence = re.search(r"^Of each picture is known.*$", card([row(0, FREE)], RECIPE, [FREE]), re.MULTILINE)
    names = set(re.findall(r"`(\w+)`", sentence.group()))
    assert names == set(SAMPLE_COLUMNS) - OPTIONAL_COLUMNS
