"""The shard writers: every format and encoding holds the same samples, and other libraries can read them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_erosion

from tests.dataset.renders import COUNT, SHARD, claim, render, rows
from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.settings import DatasetSettings, OutputFormat
from vrm_synth.dataset.shards.record import read_records
from vrm_synth.io.shard_readers import read_shard
from vrm_synth.io.store import LocalStore
from vrm_synth.shot import Shot

pytestmark = pytest.mark.usefixtures("cached_avatars")


def test_the_datasets_library_loads_an_image_folder_with_its_shots(rendered, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    from datasets import load_dataset

    splits = load_dataset("imagefolder", data_dir=str(rendered), cache_dir=str(tmp_path / "cache"))
    assert set(splits) == {"train", "test"} and sum(s.num_rows for s in splits.values()) == COUNT
    loaded = {entry["i"]: entry for split in splits.values() for entry in split}
    for row in rows(rendered):
        entry = loaded[row["i"]]
        assert entry["caption"] == row["caption"] and entry["image"].size == (48, 64)
        assert Shot.from_json(json.loads(entry["shot"])) == Shot.from_json(row["shot"])


@pytest.mark.parametrize("shard_format", ["webdataset", "parquet"])
def test_webdataset_and_parquet_hold_the_same_samples_as_an_image_folder(recipe_file, rendered, tmp_path, shard_format):
    out = render(recipe_file, tmp_path / shard_format, DatasetSettings(OutputFormat(shard_format), SHARD))
    pictures = {}
    for record in read_records(LocalStore(out)):
        for sample in read_shard(LocalStore(out), shard_format, record.split, record.shard) if record.keys else ():
            pictures[sample.key] = sample.picture
    assert pictures == {p.stem: p.read_bytes() for p in rendered.glob("t*/*/*.png")}

    def with_avatar_names(metadata):
        return [{**r, "shot": {**r["shot"], "avatar": Path(r["shot"]["avatar"]).name}} for r in metadata]

    assert with_avatar_names(rows(out, shard_format)) == with_avatar_names(rows(rendered))
    assert (out / "metadata.parquet").exists() and (out / "complete.json").exists()


def test_webdataset_and_pyarrow_read_the_shards_and_the_table(changed_recipe, tmp_path):
    import pyarrow.parquet as pq
    import webdataset

    out = render(changed_recipe(passes=["mask"]), tmp_path / "w", DatasetSettings(OutputFormat("webdataset"), SHARD))
    tars = sorted(map(str, out.glob("*/*.tar")))
    samples = list(webdataset.WebDataset(tars, shardshuffle=False).decode("pil"))
    table = pq.read_table(out / "metadata.parquet").to_pylist()
    assert sorted(s["__key__"] for s in samples) == sorted(row["key"] for row in table)
    assert {s["__key__"]: s["txt"] for s in samples} == {row["key"]: row["caption"] for row in table}
    assert all(s["mask.png"].size == s["png"].size == (48, 64) for s in samples)
    for tar in tars:
        index = [
            json.loads(line) for line in (out / "records" / f"{Path(tar).stem}.index.jsonl").read_text().splitlines()
        ]
        data = Path(tar).read_bytes()
        for entry in index:
            offset, size = entry["members"]["png"]
            assert (
                data[offset : offset + 8] == b"\x89PNG\r\n\x1a\n"
                and data[offset + size - 8 : offset + size - 4] == b"IEND"
            )


@pytest.mark.parametrize("encoding", ["webp", "webp-lossy", "jpeg", "jxl"])
def test_every_encoding_keeps_the_picture(changed_recipe, rendered, tmp_path, encoding):
    path = changed_recipe(background="pink", count=3)
    out = render(path, tmp_path / encoding, DatasetSettings(OutputFormat(encoding=encoding), SHARD))
    plain = render(path, tmp_path / "plain")
    for file in plain.glob("t*/*/*.png"):
        (encoded,) = out.glob(f"t*/*/{file.stem}.*")
        with Image.open(file) as a, Image.open(encoded) as b:
            difference = abs(np.asarray(a.convert("RGB"), int) - np.asarray(b.convert("RGB"), int))
        assert difference.max() == 0 if encoding in ("webp", "jxl") else difference.mean() < 3


def test_jpeg_refuses_transparency(recipe_file, tmp_path):
    with pytest.raises(DatasetError, match="JPEG has no transparency"):
        claim(recipe_file, tmp_path / "new", DatasetSettings(OutputFormat(encoding="jpeg"), SHARD))
    assert not (tmp_path / "new").exists()


def test_a_mask_is_the_figure_without_its_background(changed_recipe, tmp_path):
    out = render(
        changed_recipe(background="pink", count=2, passes=["mask"]), tmp_path / "m", DatasetSettings(shard_size=SHARD)
    )
    for file in out.glob("t*/*/*.mask.png"):
        with Image.open(file) as mask, Image.open(file.with_name(f"{file.name.split('.')[0]}.png")) as picture:
            covered, rgb = np.asarray(mask), np.asarray(picture.convert("RGB"), int)
        assert covered.ndim == 2 and set(np.unique(covered)) == {0, 255}
        outside = binary_erosion(covered == 0)  # at the edge the picture's pixels are blended, the mask's are not
        assert (rgb[outside] == rgb[0, 0]).all() and not (rgb[covered > 0] == rgb[0, 0]).all(-1).any()
