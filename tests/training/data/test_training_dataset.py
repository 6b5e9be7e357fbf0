"""Batches by step: the same for any history and any number of ranks."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from tests.training import disk
from tests.training.data.step_helpers import all_of, opened, same, shown
from tests.training.disk import PoolingEncoder
from vrm_synth.training.data.data_config import DataConfig
from vrm_synth.training.data.quarantine import Quarantine
from vrm_synth.training.data.source import BadRowError, CaptionText, Credit, SourceImage
from vrm_synth.training.data.training_dataset import TrainingDataset


@pytest.mark.parametrize("layout", [disk.folder, disk.texts, disk.tars, disk.parquet], ids=lambda f: f.__name__)
def test_every_picture_comes_with_its_caption_once_an_epoch(layout, tmp_path):
    data = opened(tmp_path, layout(tmp_path / "data", 12))
    assert data.sizes == ((64, 64),) and data.epoch_steps == 3
    for epoch in range(3):
        batches = all_of(data, range(3 * epoch, 3 * epoch + 3))
        captions = [c for b in batches for c in b.captions]
        assert sorted(captions) == sorted(f"picture {i}, seen from the left" for i in range(12))
        for batch in batches:
            assert [f"picture {i}, seen from the left" for i in shown(batch)] == list(batch.captions)
            assert batch.moments.shape == (4, 6, 8, 8) and batch.masks.shape == (4, 1, 8, 8)
            assert batch.sample_numbers == tuple(range(batch.step * 4, batch.step * 4 + 4))


def test_a_step_is_the_same_after_any_history_cached_or_not(tmp_path):
    source = disk.folder(tmp_path / "data", 13)
    options = {"drop_captions": 0.2, "encoder": None}
    fresh = all_of(opened(tmp_path / "a", source, **options))
    resumed = opened(tmp_path / "a", source, **options)
    assert same(resumed.batch(7), fresh[7]) and same(resumed.batch(2), fresh[2])
    elsewhere = opened(tmp_path / "b", source, **options)
    assert same(elsewhere.batch(11), fresh[11])
    prepared = opened(tmp_path / "c", source, **options)
    prepared.prepare(range(12))
    assert all(map(same, all_of(prepared), fresh))


@pytest.mark.parametrize("world_size", [2, 4])
def test_ranks_get_slices_of_the_same_batch(world_size, tmp_path):
    data = opened(tmp_path, disk.folder(tmp_path / "data", 13), batch=8)
    for step in (0, 5):
        full_batch = data.batch(step)
        rank_batches = [data.batch(step, rank, world_size) for rank in range(world_size)]
        for name in ("sample_numbers", "keys", "captions"):
            assert sum((getattr(p, name) for p in rank_batches), ()) == getattr(full_batch, name)
        assert torch.equal(torch.cat([p.moments for p in rank_batches]), full_batch.moments)
        assert all(map(same, full_batch.split(world_size), rank_batches))
    for wrong in ((0, 3), (2, 2), (-1, 2)):
        with pytest.raises(ValueError, match="batch of 8"):
            data.batch(0, *wrong)
    with pytest.raises(ValueError, match="equal parts"):
        full_batch.split(3)


def test_picture_and_caption_are_mirrored_together(tmp_path):
    source = {"path": str(disk.folder(tmp_path / "data", 12)), "mirror": 0.5}
    data = opened(tmp_path, source)
    counts: Counter[bool] = Counter()
    for batch in all_of(data, range(30)):
        for caption, moments in zip(batch.captions, batch.moments, strict=True):
            bright_left = bool(moments[:3, :, 0].mean() > moments[:3, :, -1].mean())
            assert caption.endswith("from the left" if bright_left else "from the right")
            counts[bright_left] += 1
    assert 40 < counts[True] < 80


def test_captions_are_dropped_as_often_as_configured_and_tags_shuffled(tmp_path):
    data = disk.folder(tmp_path / "data", 8)
    lines = [json.loads(line) for line in (data / "metadata.jsonl").read_text().splitlines()]
    tagged = [json.dumps({**line, "tags": ["1girl", "a", "b", "c"]}) for line in lines]
    (data / "metadata.jsonl").write_text("\n".join(tagged))
    source = {"path": str(data), "tag_share": 0.5}
    opened_ = opened(tmp_path, source, drop_captions=0.25, shuffle_tags=True, batch=8)
    captions = [c for b in all_of(opened_, range(100)) for c in b.captions]
    kinds = Counter("dropped" if not c else "tags" if c.startswith("1girl, ") else "sentence" for c in captions)
    assert 150 < kinds["dropped"] < 250 and 240 < kinds["tags"] < 360 and 240 < kinds["sentence"] < 360
    assert len({c for c in captions if c.startswith("1girl")}) == 6


def test_sources_are_mixed_by_weight_and_each_is_credited(tmp_path):
    rendered = {"path": str(disk.folder(tmp_path / "rendered", 9)), "weight": 3}
    museum = {"path": str(disk.tars(tmp_path / "museum", 7)), "license": "CC-BY-4.0"}
    data = opened(tmp_path, rendered, museum)
    of = Counter(key.split("/")[0] for b in all_of(data, range(100)) for key in b.keys)
    assert of == {"rendered": 300, "museum": 100}
    assert [c.licenses for c in data.credits] == [{"CC0-1.0": 9}, {"CC0-1.0": 7}]
    assert [c.name for c in data.credits] == ["rendered", "museum"]


def test_every_step_has_one_of_the_buckets_and_pictures_go_to_theirs(tmp_path):
    sizes = [(256, 256), (256, 160), (160, 256)]
    data = opened(tmp_path, disk.folder(tmp_path / "data", 12, sizes), size=256, buckets=6)
    assert set(data.sizes) == {(256, 256), (320, 192), (192, 320)}
    sizes = set()
    for batch in all_of(data):
        expected = {(256, 256): 0, (320, 192): 1, (192, 320): 2}[batch.size]
        assert {int(key[-7:-4]) % 3 for key in batch.keys} == {expected}
        assert batch.moments.shape[2:] == (batch.size[1] // 8, batch.size[0] // 8) == batch.masks.shape[2:]
        sizes.add(batch.size)
    assert sizes == set(data.sizes)


def test_a_bucket_smaller_than_a_batch_is_dropped(tmp_path):
    sizes = [(256, 256)] * 11 + [(256, 160)]
    data = opened(tmp_path, disk.folder(tmp_path / "data", 12, sizes), size=256, buckets=6)
    assert data.sizes == ((256, 256),)


def test_the_share_of_figure_comes_from_alpha(tmp_path):
    data = opened(tmp_path, disk.folder(tmp_path / "data", 5, mode="RGBA"), background="#ff0000")
    batch = data.batch(0)
    assert (batch.masks[:, :, :4] == 0).all() and (batch.masks[:, :, 4:] == 1).all()
    assert torch.allclose(batch.moments[:, :3, 0, 0], torch.tensor([1.0, -1.0, -1.0]).half().float())


# ---------------------------------------------------------------- the cache, from outside


def test_cached_latents_are_not_encoded_again(tmp_path):
    source = disk.folder(tmp_path / "data", 12)
    first = PoolingEncoder()
    data = opened(tmp_path, source, encoder=first)
    prepared: list[int] = []
    assert data.count_to_prepare(range(3)) == 12
    data.prepare(range(3), on_prepared=prepared.append)
    assert sum(prepared) == 12 == first.count and data.count_to_prepare(range(3)) == 0
    all_of(data)
    data.close()
    assert first.count == 12
    second_encoder = PoolingEncoder()
    all_of(opened(tmp_path, source, encoder=second_encoder))
    assert second_encoder.count == 0


def test_ranks_share_the_encoding_of_what_the_steps_draw(tmp_path):
    source = disk.folder(tmp_path / "data", 40)
    encoders = [PoolingEncoder(), PoolingEncoder()]
    several = [opened(tmp_path, source, encoder=e) for e in encoders]
    for rank, data in enumerate(several):
        data.prepare(range(5), rank, 2)
    assert [e.count for e in encoders] == [10, 10]
    for data in several:
        data.refresh()
        all_of(data, range(5))
    assert [e.count for e in encoders] == [10, 10]


def test_preparing_encodes_what_the_steps_need_and_nothing_else(tmp_path):
    sizes = [(256, 256), (256, 160)]
    source = {"path": str(disk.folder(tmp_path / "data", 30, sizes)), "mirror": 0.5}
    ahead, lazily, after = PoolingEncoder(), PoolingEncoder(), PoolingEncoder()
    opened(tmp_path / "a", source, encoder=ahead, size=256, buckets=2).prepare(range(9))
    drawn = all_of(opened(tmp_path / "b", source, encoder=lazily, size=256, buckets=2), range(9))
    assert ahead.count == lazily.count > 0
    repeated = all_of(opened(tmp_path / "a", source, encoder=after, size=256, buckets=2), range(9))
    assert after.count == 0 and all(map(same, repeated, drawn))


@pytest.mark.parametrize(
    "change", ["picture", "mask", "background", "mirror", "vae", "size", "crop", "dtype", "nothing", "touched", "moved"]
)
def test_a_latent_is_encoded_again_when_an_input_changes(change, tmp_path):
    source = disk.folder(tmp_path / "data", 4, mode="RGBA")
    all_of(data := opened(tmp_path, source), range(1))
    data.close()
    options: dict[str, Any] = {"encoder": PoolingEncoder()}
    expected, picture = 4, source / "images/000.png"
    if change == "picture":
        picture.write_bytes(disk.png(30, mode="RGBA"))
        expected = 1
    elif change == "mask":
        (source / "images/000.mask.png").write_bytes(disk.png(3, mode="L"))
        os.utime(source / "metadata.jsonl")
        expected = 1
    elif change == "background":
        options["background"] = "#000000"
    elif change == "vae":
        options["encoder"] = PoolingEncoder("another float32")
    elif change == "size":
        options["size"] = 128
    elif change == "crop":
        options["fit"] = "pad"
    elif change == "dtype":
        options["cache_dtype"] = "bfloat16"
    elif change == "touched":
        picture.touch()
        expected = 0
    elif change == "moved":
        shutil.copytree(source, source := tmp_path / "copy")
        expected = 0
    elif change == "nothing":
        expected = 0
    source_config: Any = {"path": str(source), "name": "data", "mirror": float(change == "mirror")}
    all_of(data := opened(tmp_path, source_config, **options), range(1))
    data.close()
    assert options["encoder"].count == expected
    second_encoder = PoolingEncoder(options["encoder"].identity)
    all_of(opened(tmp_path, source_config, **{**options, "encoder": second_encoder}), range(1))
    assert second_encoder.count == 0


def test_a_damaged_cache_is_encoded_again(tmp_path):
    source = disk.folder(tmp_path / "data", 12)
    data = opened(tmp_path, source)
    before = all_of(data, range(3))
    data.close()
    shard = next((tmp_path / "cache/latents").glob("*.safetensors"))
    broken = bytearray(shard.read_bytes())
    broken[-3] ^= 1
    shard.write_bytes(broken)
    encoder = PoolingEncoder()
    assert all(map(same, all_of(opened(tmp_path, source, encoder=encoder), range(3)), before))
    assert encoder.count > 0


# ---------------------------------------------------------------- what is broken


def test_the_manifest_changes_with_the_data_alone(tmp_path):
    source = disk.folder(tmp_path / "data", 6)
    one = opened(tmp_path / "a", source).manifest
    assert opened(tmp_path / "b", source).manifest == one
    shutil.copytree(source, tmp_path / "copy/data")
    assert opened(tmp_path, tmp_path / "copy/data").manifest == one
    variants = {
        opened(tmp_path, source, batch=2).manifest,
        opened(tmp_path, source, drop_captions=0.5).manifest,
        opened(tmp_path, source, encoder=PoolingEncoder("other")).manifest,
        opened(tmp_path, {"path": str(source), "mirror": 0.5}).manifest,
        opened(tmp_path, disk.folder(tmp_path / "more", 7)).manifest,
    }
    assert len(variants | {one}) == 6


class RenderedSource:
    """A source that makes its pictures when they are asked for: what a live renderer would be."""

    def __init__(self) -> None:
        self.credit = Credit("live", "recipe", {"CC0-1.0": 1})

    def __len__(self) -> int:
        return 1_000_000_000

    def sizes(self) -> tuple[int, int]:
        return 64, 64

    def key(self, row: int) -> str:
        return f"{row:09d}"

    def captions(self, row: int) -> CaptionText:
        return CaptionText(f"shot {row}")

    def file_fingerprint(self, row: int) -> bytes:
        return row.to_bytes(16, "big")

    def picture(self, row: int) -> SourceImage:
        if row % 5 == 0:
            raise BadRowError("black picture")
        return SourceImage(np.full((64, 64, 3), row % 251, np.uint8), row.to_bytes(32, "big"))

    def close(self) -> None: ...


def test_a_renderer_of_a_billion_rows_is_a_source(tmp_path):
    config = DataConfig.model_validate({"sources": [{"path": "live"}], "size": 64, "drop_captions": 0.0})
    data = TrainingDataset(
        config, [RenderedSource()], PoolingEncoder(), tmp_path, Quarantine(None), seed=1, batch_size=8
    )
    data.prepare(range(3))
    for batch in data.batches(range(3)):
        for caption, moments in zip(batch.captions, batch.moments, strict=True):
            row = int(caption.split()[1])
            assert row % 5 and abs(float(moments[0, 0, 0]) - (row % 251 / 127.5 - 1)) < 1e-3
    assert data.quarantined["black picture"] > 0
