"""The code on dataset cards loads every picture, mask, caption and shot, in every shard format."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.dataset.test_derive import derive, render_source, samples_by_key
from vrm_synth.core.passes import PASSES
from vrm_synth.dataset.caption_dataset import caption_dataset
from vrm_synth.dataset.summary.loading_code import FOLDER_PLACEHOLDER, DatasetFiles, head, sections
from vrm_synth.facts.facts import Facts
from vrm_synth.io.file_names import SHARD_FORMATS
from vrm_synth.io.image_decoder import decode_rgba
from vrm_synth.io.shard_readers import DatasetSample
from vrm_synth.io.store import LocalStore
from vrm_synth.shot import Shot

PICTURES = ("image", "png", "webp", "jpg", "jxl")


@pytest.fixture(scope="module")
def source(avatars, tmp_path_factory) -> LocalStore:
    """Two splits, masks, pictures with and without transparency; poses and expressions of every kind."""
    where = tmp_path_factory.mktemp("source")
    captions = {"tags": {"style": "tags"}}
    settings = {"count": 24, "background": {"transparent": 1, "pink": 1}, "seed": 4, "captions": captions}
    store = render_source(where, avatars, "imagefolder", **settings)
    caption_dataset(store.folder, "caption_ja", {"style": "ja"})
    return store


@pytest.fixture(scope="module")
def bare(avatars, tmp_path_factory) -> LocalStore:
    """No splits, no masks."""
    return render_source(tmp_path_factory.mktemp("bare"), avatars, "webdataset", passes=(), splits={}, count=6)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def run_card(store: LocalStore) -> dict:
    """Run the code blocks of a dataset's card and return the variables they define."""
    text = store.read("README.md").decode()
    by_card: dict = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks and FOLDER_PLACEHOLDER in blocks[0]
    for block in blocks:
        exec(block.replace(FOLDER_PLACEHOLDER, str(store.folder)), by_card)
    return by_card


def check(row: dict, s: DatasetSample) -> None:
    """Assert that a row loaded by `datasets` or `webdataset` equals the sample."""
    (picture,) = (row[name] for name in PICTURES if row.get(name) is not None)
    pixels = decode_rgba(s.picture)
    assert np.array_equal(np.asarray(picture.convert("RGBA")), pixels)
    assert picture.mode == "RGBA" or pixels[..., 3].min() == 255, "transparency is kept"
    masks = [np.asarray(row[name]) for name in ("mask", "mask.png") if row.get(name) is not None]
    assert [m.shape for m in masks] == [pixels.shape[:2]] * len(s.extras)
    for mask in masks:
        assert np.array_equal(mask, decode_rgba(s.extras["mask.png"])[..., 0])
    rest = row["json"] if "json" in row else json.loads(row["metadata"]) if "metadata" in row else row
    assert (row.get("txt") or row["caption"]) == rest["caption"] == s.caption
    shot = json.loads(rest["shot"]) if isinstance(rest["shot"], str) else rest["shot"]
    assert Shot.from_json(shot) == Shot.from_json(dict(s.row["shot"]))
    facts = rest["facts"] if isinstance(rest["facts"], dict) else json.loads(rest["facts"])
    assert Facts.from_json(facts) == Facts.from_json(s.row["facts"])
    if "metadata" in row:  # Parquet: a struct of its own
        assert Facts.from_json(row["facts"]) == Facts.from_json(s.row["facts"])
    for name in ("tags", "caption_ja"):
        assert (row.get(name) or rest.get(name)) == s.row.get(name)


def key(row: dict) -> str:
    rest = row["json"] if "json" in row else json.loads(row["metadata"]) if "metadata" in row else row
    shot = json.loads(rest["shot"]) if isinstance(rest["shot"], str) else rest["shot"]
    return str(shot["id"])


def check_all(store: LocalStore) -> None:
    """Assert that the card's code loads every sample of the dataset, and nothing else."""
    ours, by_card = samples_by_key(store), run_card(store)
    splits = {split for split, _ in ours}
    for loaded in (by_card["pictures"], by_card["streamed"]):
        assert set(loaded) == splits
        rows = {(split, key(row)): row for split in splits for row in loaded[split]}
        assert set(rows) == set(ours)
        for sample_key, row in rows.items():
            check(row, ours[sample_key])
    if "samples" in by_card:
        rows = {row["__key__"]: row for row in by_card["samples"]}
        assert rows and set(rows) == {k for split, k in ours if split == "train"}
        for name, row in rows.items():
            check(row, ours["train", name])


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_the_card_loads_a_converted_dataset_with_splits_and_masks(source, tmp_path, shard_format):
    check_all(derive([source], tmp_path / "there", "convert", shard_format, shard_size=7))


def test_the_card_loads_a_rendered_image_folder_with_splits_and_masks(source):
    check_all(source)


def test_the_card_loads_rendered_tars_without_splits_or_masks(bare):
    check_all(bare)


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
@pytest.mark.parametrize("encoding", ["webp", "jxl"])
def test_the_card_loads_every_encoding(bare, tmp_path, shard_format, encoding):
    check_all(derive([bare], tmp_path / "there", "convert", shard_format, encoding=encoding))


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_the_card_loads_a_merge_of_two_encodings(bare, avatars, tmp_path, shard_format):
    second = render_source(tmp_path / "other", avatars, "parquet", passes=(), splits={}, count=7, seed=5)
    webp = derive([second], tmp_path / "webp", "convert", "parquet", encoding="webp")
    merged = derive([bare, webp], tmp_path / "merged", "merge", shard_format, shard_size=7)
    assert len(samples_by_key(merged)) == 13
    check_all(merged)


def test_the_card_loads_a_subset_with_a_test_split_only(source, tmp_path):
    part = derive([source], tmp_path / "part", "subset", "webdataset", where="split = 'test'")
    ours, by_card = samples_by_key(part), run_card(part)
    assert set(by_card["pictures"]) == {"test"} and {split for split, _ in ours} == {"test"}
    assert {row["__key__"] for row in by_card["samples"]} == {k for _, k in ours}


def test_the_card_loads_a_split_of_any_name(bare, avatars, tmp_path):
    """`datasets` recognizes a few split names only; the card's head lists the others."""
    check_all(render_source(tmp_path / "held", avatars, "imagefolder", passes=(), splits={"held_out": 0.4}, count=8))


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
@pytest.mark.parametrize("streaming", [False, True])
def test_load_dataset_by_data_dir_loads_every_format(source, tmp_path, shard_format, streaming):
    from datasets import load_dataset

    converted = derive([source], tmp_path / "there", "convert", shard_format, shard_size=7)
    ours = samples_by_key(converted)
    loaded = load_dataset(shard_format, data_dir=str(converted.folder), streaming=streaming)
    rows = {(split, key(row)): row for split in ("train", "test") for row in loaded[split]}
    assert set(rows) == set(ours)
    for sample_key, row in rows.items():
        check(row, ours[sample_key])


def test_the_card_head_names_the_files_of_the_splits_only():
    assert head(DatasetFiles("imagefolder", splits=()), {}) == {}
    files = DatasetFiles("webdataset", "mixed", (PASSES["mask"],), ("train", "test"))
    card_head = head(files, {"caption": "string", "i": "int64"})
    assert card_head["configs"][0]["data_files"] == [
        {"split": "train", "path": "train/*.tar"},
        {"split": "test", "path": "test/*.tar"},
    ]
    names = [f["name"] for f in card_head["dataset_info"]["features"]]
    assert names == ["png", "webp", "jpg", "jxl", "mask.png", "txt", "json", "__key__", "__url__"]
    assert "dataset_info" not in head(DatasetFiles("parquet"), {"caption": "string"})


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
@pytest.mark.parametrize("encoding", ["png", "mixed"])
def test_every_code_block_compiles_and_names_the_plugin_it_needs(shard_format, encoding):
    text = "\n".join(sections(DatasetFiles(shard_format, encoding, (PASSES["mask"],))))
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        compile(block, "README.md", "exec")
    assert ("pillow_jxl" in text) == (encoding == "mixed")


def test_tar_indices_are_stored_with_the_records(bare):
    """In the folder of the tars, `datasets` would load the index as data."""
    tars = bare.list("train")
    assert tars == [f"train/{n:05d}.tar" for n in range(2)]
    for n, tar in enumerate(tars):
        data = bare.read(tar)
        for line in bare.read(f"records/{n:05d}.index.jsonl").splitlines():
            entry = json.loads(line)
            at, size = entry["members"]["png"]
            assert data[at : at + size] == samples_by_key(bare)["train", entry["key"]].picture


def test_image_folder_rows_name_their_masks(source):
    lines = [json.loads(x) for p in Path(source.folder).glob("*/*/metadata.jsonl") for x in p.read_text().splitlines()]
    assert len(lines) == 24
    for line in lines:
        assert line["mask_file_name"] == line["file_name"].replace(".png", ".mask.png")
    card = source.read("README.md").decode()
    assert yaml.safe_load(card.split("---\n")[1])["configs"][0]["data_files"][0]["path"] == "train/**"
