"""Datasets in every shard format, loaded by the very lines of their cards: each picture, mask, caption and shot."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.dataset.test_derive import derive, everything, made
from vrm_synth.dataset.summary.loading_code import FOLDER_PLACEHOLDER, DatasetFiles, head, sections
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
    return made(where, avatars, "imagefolder", count=24, background={"transparent": 1, "pink": 1}, seed=4)


@pytest.fixture(scope="module")
def bare(avatars, tmp_path_factory) -> LocalStore:
    """No splits, no masks."""
    return made(tmp_path_factory.mktemp("bare"), avatars, "webdataset", passes=(), splits={}, count=6)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def run_card(store: LocalStore) -> dict:
    """The names that the card's Python gives."""
    text = store.read("README.md").decode()
    found: dict = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks and FOLDER_PLACEHOLDER in blocks[0]
    for block in blocks:
        exec(block.replace(FOLDER_PLACEHOLDER, str(store.folder)), found)
    return found


def check(row: dict, s: DatasetSample) -> None:
    """A row as `datasets` or `webdataset` hands it out is the sample."""
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


def key(row: dict) -> str:
    rest = row["json"] if "json" in row else json.loads(row["metadata"]) if "metadata" in row else row
    shot = json.loads(rest["shot"]) if isinstance(rest["shot"], str) else rest["shot"]
    return str(shot["id"])


def check_all(store: LocalStore) -> None:
    """All that the card's lines load is all that is there."""
    ours, found = everything(store), run_card(store)
    splits = {split for split, _ in ours}
    for loaded in (found["pictures"], found["streamed"]):
        assert set(loaded) == splits
        rows = {(split, key(row)): row for split in splits for row in loaded[split]}
        assert set(rows) == set(ours)
        for place, row in rows.items():
            check(row, ours[place])
    if "samples" in found:
        rows = {row["__key__"]: row for row in found["samples"]}
        assert rows and set(rows) == {k for split, k in ours if split == "train"}
        for name, row in rows.items():
            check(row, ours["train", name])


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_converted_with_splits_and_masks(source, tmp_path, shard_format):
    check_all(derive([source], tmp_path / "there", "convert", shard_format, shard_size=7))


def test_rendered_image_folder_with_splits_and_masks(source):
    check_all(source)


def test_rendered_tars_without_either(bare):
    check_all(bare)


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
@pytest.mark.parametrize("encoding", ["webp", "jxl"])
def test_other_encodings(bare, tmp_path, shard_format, encoding):
    check_all(derive([bare], tmp_path / "there", "convert", shard_format, encoding=encoding))


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_merged_from_datasets_of_two_encodings_nothing_is_left_out(bare, avatars, tmp_path, shard_format):
    other = made(tmp_path / "other", avatars, "parquet", passes=(), splits={}, count=7, seed=5)
    webp = derive([other], tmp_path / "webp", "convert", "parquet", encoding="webp")
    merged = derive([bare, webp], tmp_path / "merged", "merge", shard_format, shard_size=7)
    assert len(everything(merged)) == 13
    check_all(merged)


def test_a_subset_that_has_the_test_split_alone(source, tmp_path):
    part = derive([source], tmp_path / "part", "subset", "webdataset", where="split = 'test'")
    ours, found = everything(part), run_card(part)
    assert set(found["pictures"]) == {"test"} and {split for split, _ in ours} == {"test"}
    assert {row["__key__"] for row in found["samples"]} == {k for _, k in ours}


def test_a_split_of_any_name(bare, avatars, tmp_path):
    """`datasets` guesses splits by a few names of its own; the card's head says them."""
    check_all(made(tmp_path / "held", avatars, "imagefolder", passes=(), splits={"held_out": 0.4}, count=8))


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
@pytest.mark.parametrize("streaming", [False, True])
def test_by_data_dir(source, tmp_path, shard_format, streaming):
    from datasets import load_dataset

    there = derive([source], tmp_path / "there", "convert", shard_format, shard_size=7)
    ours = everything(there)
    loaded = load_dataset(shard_format, data_dir=str(there.folder), streaming=streaming)
    rows = {(split, key(row)): row for split in ("train", "test") for row in loaded[split]}
    assert set(rows) == set(ours)
    for place, row in rows.items():
        check(row, ours[place])


def test_the_head_names_files_of_the_splits_alone():
    assert head(DatasetFiles("imagefolder", splits=()), {}) == {}
    files = DatasetFiles("webdataset", "mixed", ("mask",), ("train", "test"))
    told = head(files, {"caption": "string", "i": "int64"})
    assert told["configs"][0]["data_files"] == [
        {"split": "train", "path": "train/*.tar"},
        {"split": "test", "path": "test/*.tar"},
    ]
    names = [f["name"] for f in told["dataset_info"]["features"]]
    assert names == ["png", "webp", "jpg", "jxl", "mask.png", "txt", "json", "__key__", "__url__"]
    assert "dataset_info" not in head(DatasetFiles("parquet"), {"caption": "string"})


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
@pytest.mark.parametrize("encoding", ["png", "mixed"])
def test_every_block_is_python_and_the_plugin_is_named_where_it_is_needed(shard_format, encoding):
    text = "\n".join(sections(DatasetFiles(shard_format, encoding, ("mask",))))
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        compile(block, "README.md", "exec")
    assert ("pillow_jxl" in text) == (encoding == "mixed")


def test_the_index_of_a_tar_lies_with_the_records(bare):
    """Beside the tars `datasets` would take it for one of them."""
    tars = bare.list("train")
    assert tars == [f"train/{n:05d}.tar" for n in range(2)]
    for n, tar in enumerate(tars):
        data = bare.read(tar)
        for line in bare.read(f"records/{n:05d}.index.jsonl").splitlines():
            entry = json.loads(line)
            at, size = entry["members"]["png"]
            assert data[at : at + size] == everything(bare)["train", entry["key"]].picture


def test_an_image_folders_lines_name_their_masks(source):
    lines = [json.loads(x) for p in Path(source.folder).glob("*/*/metadata.jsonl") for x in p.read_text().splitlines()]
    assert len(lines) == 24
    for line in lines:
        assert line["mask_file_name"] == line["file_name"].replace(".png", ".mask.png")
    card = source.read("README.md").decode()
    assert yaml.safe_load(card.split("---\n")[1])["configs"][0]["data_files"][0]["path"] == "train/**"
