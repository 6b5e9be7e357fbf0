"""Rows that cannot be trained on: left out, named and counted, with the same substitutes every time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from tests.training import disk
from tests.training.data.step_helpers import all_of, opened, same
from tests.training.disk import PoolingEncoder
from vrm_synth.core.errors import DatasetError
from vrm_synth.training.data.quarantine import Quarantine
from vrm_synth.training.data.training_batch import TrainingBatch


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
def test_a_broken_row_is_quarantined_and_the_run_continues(kind, when, tmp_path):
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


def test_nan_latents_are_left_out(tmp_path):
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


def test_latents_that_overflow_float16_are_left_out(tmp_path):
    class Loud(PoolingEncoder):
        def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
            return super().__call__(pixels) * 1e6

    with pytest.raises(DatasetError, match=r"cannot be trained on, the last one: .*latent is not finite"):
        opened(tmp_path, disk.folder(tmp_path / "data", 4), encoder=Loud()).batch(0)


def test_of_a_truncated_shard_only_the_end_is_lost(tmp_path):
    source = disk.tars(tmp_path / "data", 12, each=6)
    path = source / "00001.tar"
    path.write_bytes(path.read_bytes()[:2000])
    data = opened(tmp_path, source)
    keys = {key for b in all_of(data, range(12)) for key in b.keys}
    assert len(keys) >= 6 and sum(data.quarantined.values()) >= 1
    assert any(line["reason"] == "shard breaks off" for line in quarantined(tmp_path))


def test_too_small_pictures_are_left_out_and_refused_where_there_are_no_others(tmp_path):
    source = disk.folder(tmp_path / "data", 6, sizes=[(512, 512), (100, 100)])
    data = opened(tmp_path, source, size=512, batch=2)
    assert dict(data.quarantined) == {"picture is too small": 3}
    assert {int(k[-7:-4]) % 2 for b in all_of(data, range(6)) for k in b.keys} == {0}
    with pytest.raises(DatasetError, match="large enough for 1024×1024"):
        opened(tmp_path, disk.folder(tmp_path / "small", 3), size=1024)


def test_overlong_captions_may_be_truncated(tmp_path):
    source, _, _ = broken_source(tmp_path, "overlong caption")
    data = opened(tmp_path, source, overlong="truncate")
    assert any("003.png" in key for b in all_of(data, range(3)) for key in b.keys) and not data.quarantined


def test_a_quarantine_file_that_ends_in_half_a_line_is_continued(tmp_path):
    path = tmp_path / "quarantine.jsonl"
    Quarantine(path).add("s", "a", "r", "d")
    path.write_text(path.read_text() + '{"source": "s", "ke')
    reopened = Quarantine(path)
    reopened.add("s", "a", "r", "d")
    reopened.add("s", "b", "r", "d")
    assert path.read_text().splitlines()[2].endswith('"d"}') and len(path.read_text().splitlines()) == 3
    assert reopened.counts == {"r": 2}


# ---------------------------------------------------------------- what a run is
