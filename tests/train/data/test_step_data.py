"""What the loop gets: the same for any history and any number of ranks, whatever in the data is broken."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.train import disk
from tests.train.disk import PoolingEncoder
from vrm_synth.core.errors import DatasetError
from vrm_synth.train.data.data_config import DataConfig, SourceConfig
from vrm_synth.train.data.quarantine import Quarantine
from vrm_synth.train.data.source import BadRowError, CaptionText, Credit, SourceImage
from vrm_synth.train.data.step_data import StepData, open_step_data
from vrm_synth.train.data.training_batch import TrainingBatch


def count_words(texts: Any) -> list[int]:
    """A tokenizer, nearly."""
    return [len(t.split()) + 2 for t in texts]


def opened(tmp: Path, *sources: Any, encoder: PoolingEncoder | None = None, batch: int = 4, **options: Any) -> StepData:
    config = {"size": 64, "buckets": 1, "drop_captions": 0.0, **options}
    several = [s if isinstance(s, dict) else {"path": str(s), "license": "CC0-1.0"} for s in sources]
    return open_step_data(
        DataConfig.model_validate({"sources": several, **config}),
        encoder or PoolingEncoder(),
        seed=5,
        batch_size=batch,
        cache=tmp / "cache",
        quarantine=tmp / "run/quarantine.jsonl",
        count_tokens=count_words,
        max_tokens=20,
    )


def all_of(data: StepData, steps: range = range(12), **ranks: int) -> list[TrainingBatch]:
    return list(data.batches(steps, **ranks))


def same(a: TrainingBatch, b: TrainingBatch) -> bool:
    told = ("step", "size", "numbers", "keys", "captions")
    return (
        all(getattr(a, n) == getattr(b, n) for n in told)
        and torch.equal(a.moments, b.moments)
        and torch.equal(a.masks, b.masks)
    )


def shown(batch: TrainingBatch) -> list[int]:
    """Which picture each sample shows, from the color of its first cell."""
    colors = np.array([(i * 37 % 200 + 40, i * 11 % 256, i * 71 % 256) for i in range(40)])
    first = ((batch.moments[:, :3, 0, 0] + 1) * 127.5).numpy()
    return [int(np.abs(colors - c).sum(1).argmin()) for c in first]


@pytest.mark.parametrize("layout", [disk.folder, disk.texts, disk.tars, disk.parquet], ids=lambda f: f.__name__)
def test_every_picture_comes_with_its_caption_once_an_epoch(layout, tmp_path):
    data = opened(tmp_path, layout(tmp_path / "data", 12))
    assert data.sizes == ((64, 64),) and data.epoch_steps == 3
    for epoch in range(3):
        batches = all_of(data, range(3 * epoch, 3 * epoch + 3))
        said = [c for b in batches for c in b.captions]
        assert sorted(said) == sorted(f"picture {i}, seen from the left" for i in range(12))
        for batch in batches:
            assert [f"picture {i}, seen from the left" for i in shown(batch)] == list(batch.captions)
            assert batch.moments.shape == (4, 6, 8, 8) and batch.masks.shape == (4, 1, 8, 8)
            assert batch.numbers == tuple(range(batch.step * 4, batch.step * 4 + 4))


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


@pytest.mark.parametrize("world", [2, 4])
def test_ranks_take_parts_of_the_same_batch(world, tmp_path):
    data = opened(tmp_path, disk.folder(tmp_path / "data", 13), batch=8)
    for step in (0, 5):
        whole = data.batch(step)
        parts = [data.batch(step, rank, world) for rank in range(world)]
        for name in ("numbers", "keys", "captions"):
            assert sum((getattr(p, name) for p in parts), ()) == getattr(whole, name)
        assert torch.equal(torch.cat([p.moments for p in parts]), whole.moments)
        assert all(map(same, whole.split(world), parts))
    for wrong in ((0, 3), (2, 2), (-1, 2)):
        with pytest.raises(ValueError, match="batch of 8"):
            data.batch(0, *wrong)
    with pytest.raises(ValueError, match="equal parts"):
        whole.split(3)


def test_a_mirrored_picture_says_so_and_looks_so(tmp_path):
    source = {"path": str(disk.folder(tmp_path / "data", 12)), "mirror": 0.5}
    data = opened(tmp_path, source)
    seen: Counter[bool] = Counter()
    for batch in all_of(data, range(30)):
        for caption, moments in zip(batch.captions, batch.moments, strict=True):
            bright_left = bool(moments[:3, :, 0].mean() > moments[:3, :, -1].mean())
            assert caption.endswith("from the left" if bright_left else "from the right")
            seen[bright_left] += 1
    assert 40 < seen[True] < 80


def test_captions_are_dropped_as_often_as_asked_and_tags_shuffled(tmp_path):
    data = disk.folder(tmp_path / "data", 8)
    lines = [json.loads(line) for line in (data / "metadata.jsonl").read_text().splitlines()]
    tagged = [json.dumps({**line, "tags": ["1girl", "a", "b", "c"]}) for line in lines]
    (data / "metadata.jsonl").write_text("\n".join(tagged))
    source = {"path": str(data), "tag_share": 0.5}
    opened_ = opened(tmp_path, source, drop_captions=0.25, shuffle_tags=True, batch=8)
    said = [c for b in all_of(opened_, range(100)) for c in b.captions]
    kinds = Counter("dropped" if not c else "tags" if c.startswith("1girl, ") else "sentence" for c in said)
    assert 150 < kinds["dropped"] < 250 and 240 < kinds["tags"] < 360 and 240 < kinds["sentence"] < 360
    assert len({c for c in said if c.startswith("1girl")}) == 6


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
    seen = set()
    for batch in all_of(data):
        wanted = {(256, 256): 0, (320, 192): 1, (192, 320): 2}[batch.size]
        assert {int(key[-7:-4]) % 3 for key in batch.keys} == {wanted}
        assert batch.moments.shape[2:] == (batch.size[1] // 8, batch.size[0] // 8) == batch.masks.shape[2:]
        seen.add(batch.size)
    assert seen == set(data.sizes)


def test_a_bucket_too_poor_for_a_batch_is_given_up(tmp_path):
    sizes = [(256, 256)] * 11 + [(256, 160)]
    data = opened(tmp_path, disk.folder(tmp_path / "data", 12, sizes), size=256, buckets=6)
    assert data.sizes == ((256, 256),)


def test_the_share_of_figure_comes_from_alpha(tmp_path):
    data = opened(tmp_path, disk.folder(tmp_path / "data", 5, mode="RGBA"), background="#ff0000")
    batch = data.batch(0)
    assert (batch.masks[:, :, :4] == 0).all() and (batch.masks[:, :, 4:] == 1).all()
    assert torch.allclose(batch.moments[:, :3, 0, 0], torch.tensor([1.0, -1.0, -1.0]).half().float())


# ---------------------------------------------------------------- the cache, from outside


def test_what_has_been_encoded_is_not_again(tmp_path):
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
    again = PoolingEncoder()
    all_of(opened(tmp_path, source, encoder=again))
    assert again.count == 0


def test_only_what_the_steps_draw_is_encoded_and_ranks_share_it(tmp_path):
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


def test_preparing_makes_what_the_steps_need_and_nothing_else(tmp_path):
    sizes = [(256, 256), (256, 160)]
    source = {"path": str(disk.folder(tmp_path / "data", 30, sizes)), "mirror": 0.5}
    ahead, lazily, after = PoolingEncoder(), PoolingEncoder(), PoolingEncoder()
    opened(tmp_path / "a", source, encoder=ahead, size=256, buckets=2).prepare(range(9))
    drawn = all_of(opened(tmp_path / "b", source, encoder=lazily, size=256, buckets=2), range(9))
    assert ahead.count == lazily.count > 0
    again = all_of(opened(tmp_path / "a", source, encoder=after, size=256, buckets=2), range(9))
    assert after.count == 0 and all(map(same, again, drawn))


@pytest.mark.parametrize(
    "change", ["picture", "mask", "background", "mirror", "vae", "size", "crop", "dtype", "nothing", "touched", "moved"]
)
def test_a_latent_is_made_again_when_what_it_followed_from_changes(change, tmp_path):
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
    told: Any = {"path": str(source), "name": "data", "mirror": float(change == "mirror")}
    all_of(data := opened(tmp_path, told, **options), range(1))
    data.close()
    assert options["encoder"].count == expected
    again = PoolingEncoder(options["encoder"].identity)
    all_of(opened(tmp_path, told, **{**options, "encoder": again}), range(1))
    assert again.count == 0


def test_a_damaged_cache_only_costs_time(tmp_path):
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


def quarantined(tmp_path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (tmp_path / "run/quarantine.jsonl").read_text().splitlines()]


class NanEncoder(PoolingEncoder):
    """Gives no numbers for the reddest picture."""

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        moments = super().__call__(pixels)
        moments[pixels[:, 0, 0, 0] > 0.7] = float("nan")  # picture 5, whose red is 225
        return moments


def broken_source(tmp_path: Path, kind: str) -> tuple[Path, int, str]:
    """(source of 12 pictures, which one is broken, why)."""
    source = disk.folder(tmp_path / "data", 12)
    picture = source / "images/003.png"
    lines = (source / "metadata.jsonl").read_text().splitlines()
    if kind == "truncated":
        picture.write_bytes(picture.read_bytes()[:120])
        return source, 3, "picture is damaged"
    if kind == "missing":
        picture.unlink()
        return source, 3, "file is missing or closed to us"
    if kind == "empty caption":
        lines[3] = lines[3].replace("picture 3, seen from the left", "")
    if kind == "overlong caption":
        lines[3] = lines[3].replace("picture 3,", "picture 3, " + "very " * 30)
    (source / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    return source, 3, {"empty caption": "caption is empty", "overlong caption": "caption is overlong"}[kind]


@pytest.mark.parametrize("kind", ["truncated", "missing", "empty caption", "overlong caption"])
@pytest.mark.parametrize("when", ["before", "after it was indexed"])
def test_a_broken_row_is_left_out_named_and_counted_and_the_run_goes_on(kind, when, tmp_path):
    if when != "before" and "caption" in kind:
        return  # then it is other data
    if when != "before":
        opened(tmp_path, disk.folder(tmp_path / "data", 12)).close()
        shutil.rmtree(tmp_path / "data")
    source, which, reason = broken_source(tmp_path, kind)
    files = sorted(p for p in source.rglob("*"))
    data = opened(tmp_path, source)
    batches = all_of(data, range(30))
    assert all(f"{which:03d}.png" not in key for b in batches for key in b.keys)
    assert all(len(b) == 4 for b in batches)
    assert dict(data.quarantined) == {reason: 1}
    (line,) = quarantined(tmp_path)
    assert line["reason"] == reason and f"{which:03d}" in line["key"] and line["source"] == "data" and line["detail"]
    assert sorted(p for p in source.rglob("*")) == files
    for resumed in (opened(tmp_path, source), opened(tmp_path, source)):
        assert same(resumed.batch(17), batches[17])
    resumed.prepare(range(30))
    assert all(map(same, all_of(resumed, range(30)), batches))
    assert len(quarantined(tmp_path)) == 1


def test_latents_that_are_no_numbers_are_left_out(tmp_path):
    source = disk.folder(tmp_path / "data", 12)
    drawn: list[list[TrainingBatch]] = []
    for folder in (tmp_path / "lazy", tmp_path / "prepared"):
        data = opened(folder, source, encoder=NanEncoder())
        if folder.name == "prepared":
            data.prepare(range(30))
        drawn.append(all_of(data, range(30)))
        assert all(bool(torch.isfinite(b.moments).all()) for b in drawn[-1])
        assert {int(key[-7:-4]) for b in drawn[-1] for key in b.keys} == set(range(12)) - {5}
        assert dict(data.quarantined) == {"latent is not finite": 1}
    assert all(map(same, *drawn))


def test_half_precision_that_overflows_is_no_number(tmp_path):
    class Loud(PoolingEncoder):
        def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
            return super().__call__(pixels) * 1e6

    with pytest.raises(DatasetError, match=r"cannot be trained on, the last one: .*latent is not finite"):
        opened(tmp_path, disk.folder(tmp_path / "data", 4), encoder=Loud()).batch(0)


def test_a_cut_shard_costs_its_end_alone(tmp_path):
    source = disk.tars(tmp_path / "data", 12, each=6)
    path = source / "00001.tar"
    path.write_bytes(path.read_bytes()[:2000])
    data = opened(tmp_path, source)
    seen = {key for b in all_of(data, range(12)) for key in b.keys}
    assert len(seen) >= 6 and sum(data.quarantined.values()) >= 1
    assert any(line["reason"] == "shard breaks off" for line in quarantined(tmp_path))


def test_pictures_too_small_are_left_out_and_of_only_those_there_is_no_run(tmp_path):
    source = disk.folder(tmp_path / "data", 6, sizes=[(512, 512), (100, 100)])
    data = opened(tmp_path, source, size=512, batch=2)
    assert dict(data.quarantined) == {"picture is too small": 3}
    assert {int(k[-7:-4]) % 2 for b in all_of(data, range(6)) for k in b.keys} == {0}
    with pytest.raises(DatasetError, match="large enough for 1024×1024"):
        opened(tmp_path, disk.folder(tmp_path / "small", 3), size=1024)


def test_overlong_captions_may_be_left_to_the_tokenizer(tmp_path):
    source, _, _ = broken_source(tmp_path, "overlong caption")
    data = opened(tmp_path, source, overlong="truncate")
    assert any("003.png" in key for b in all_of(data, range(3)) for key in b.keys) and not data.quarantined


def test_the_quarantine_survives_half_a_line(tmp_path):
    path = tmp_path / "quarantine.jsonl"
    Quarantine(path).add("s", "a", "r", "d")
    path.write_text(path.read_text() + '{"source": "s", "ke')
    again = Quarantine(path)
    again.add("s", "a", "r", "d")
    again.add("s", "b", "r", "d")
    assert path.read_text().splitlines()[2].endswith('"d"}') and len(path.read_text().splitlines()) == 3
    assert again.counts == {"r": 2}


# ---------------------------------------------------------------- what a run is


def test_the_manifest_tells_other_data_and_only_that(tmp_path):
    source = disk.folder(tmp_path / "data", 6)
    one = opened(tmp_path / "a", source).manifest
    assert opened(tmp_path / "b", source).manifest == one
    shutil.copytree(source, tmp_path / "copy/data")
    assert opened(tmp_path, tmp_path / "copy/data").manifest == one
    others = {
        opened(tmp_path, source, batch=2).manifest,
        opened(tmp_path, source, drop_captions=0.5).manifest,
        opened(tmp_path, source, encoder=PoolingEncoder("other")).manifest,
        opened(tmp_path, {"path": str(source), "mirror": 0.5}).manifest,
        opened(tmp_path, disk.folder(tmp_path / "more", 7)).manifest,
    }
    assert len(others | {one}) == 6


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

    def fingerprint(self, row: int) -> bytes:
        return row.to_bytes(16, "big")

    def picture(self, row: int) -> SourceImage:
        if row % 5 == 0:
            raise BadRowError("black picture")
        return SourceImage(np.full((64, 64, 3), row % 251, np.uint8), row.to_bytes(32, "big"))

    def close(self) -> None: ...


def test_a_renderer_of_a_billion_rows_is_a_source(tmp_path):
    config = DataConfig.model_validate({"sources": [{"path": "live"}], "size": 64, "drop_captions": 0.0})
    data = StepData(config, [RenderedSource()], PoolingEncoder(), tmp_path, Quarantine(None), seed=1, batch_size=8)
    data.prepare(range(3))
    for batch in data.batches(range(3)):
        for caption, moments in zip(batch.captions, batch.moments, strict=True):
            row = int(caption.split()[1])
            assert row % 5 and abs(float(moments[0, 0, 0]) - (row % 251 / 127.5 - 1)) < 1e-3
    assert data.quarantined["black picture"] > 0


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({"sources": []}, "sources"),
        ({"sources": [{"path": "a"}, {"path": "b/a"}]}, "two sources are called a"),
        ({"sources": ["a"], "size": 100}, "size"),
        ({"sources": ["a"], "buckets": 7}, "buckets"),
        ({"sources": [{"path": "a", "weight": 0}]}, "weight"),
        ({"sources": [{"path": "a", "mirror": 2}]}, "mirror"),
        ({"sources": ["a"], "cache_dtype": "int8"}, "cache_dtype"),
        ({"sources": ["a"], "colour": 1}, "colour"),
    ],
    ids=range(8),
)
def test_a_configuration_that_makes_no_sense_is_refused(config, what):
    with pytest.raises(ValueError, match=what):
        DataConfig.model_validate(config)


def test_the_documented_keys_and_defaults_are_these():
    text = (Path(__file__).parents[3] / "docs/training-data.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|", text, re.MULTILINE)
    documented = {}
    for names, defaults in rows:
        keys = re.findall(r"`(\w+)`", names)
        values = [d.strip("`") for d in defaults.split(", ")]
        documented.update(dict(zip(keys, values if len(keys) > 1 else [", ".join(values)], strict=True)))
    fields = {**SourceConfig.model_fields, **DataConfig.model_fields}
    assert documented.keys() | {"sources"} == fields.keys()
    for key, shown in documented.items():
        default = fields[key].default
        if isinstance(default, str):
            assert shown.strip('"') == default, key
        elif isinstance(default, int | float):
            assert json.loads(shown) == default, key
