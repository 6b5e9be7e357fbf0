"""A folder of samples: what its pictures say, what is kept, how processes share it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from vrm_synth.sampling import sample_folder as samples
from vrm_synth.sampling.requests import from_prompts
from vrm_synth.sampling.sample_file import read_settings
from vrm_synth.sampling.sampler import DiffusionSampler
from vrm_synth.sampling.settings import DeviceConfig, SamplingError, SamplingSettings

SETTINGS = SamplingSettings(32, 32, steps=2, guidance=2.0)
NASTY = 'a "girl"\n<b>, 桜 🌸 at 50 %'


@pytest.fixture(scope="module")
def sampler(model) -> DiffusionSampler:
    return DiffusionSampler(model, SETTINGS, DeviceConfig(batch_size=2))


def pictures(out: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in out.glob("0*.png")}


def drawn(sampler: DiffusionSampler, out: Path, requests, part=(0, 1)) -> int:
    samples.claim(out, len(requests))
    return samples.fill(sampler, requests, out, part)


def test_a_picture_says_everything_that_it_follows_from(sampler, tmp_path):
    drawn(sampler, tmp_path, from_prompts([NASTY], "dull", seed=7))
    with Image.open(tmp_path / "000000.png") as picture:
        assert picture.size == (32, 32) and picture.mode == "RGB"
        said, line = json.loads(picture.text["vrm_synth"]), picture.text["parameters"]
    plain = " ".join(NASTY.split())
    assert said["prompt"] == plain and said["negative_prompt"] == "dull" and said["seed"] == 7
    assert {k: said[k] for k in SETTINGS.to_json()} == SETTINGS.to_json()
    assert said["prediction_type"] == "epsilon" and said["batch_size"] == 2 and said["versions"]["torch"]
    assert said["model"] == {"name": "tiny", **sampler.model.identity} and len(said["model"]["base_sha256"]) == 64
    assert str(tmp_path) not in json.dumps(said)
    assert line == (
        f"{plain}\nNegative prompt: dull\n"
        "Steps: 2, Sampler: DPM++ 2M, CFG scale: 2.0, Seed: 7, Size: 32x32, Model: tiny"
    )


def test_a_picture_can_be_drawn_again_from_what_it_says(sampler, tmp_path):
    drawn(sampler, tmp_path / "all", from_prompts(["a", "b"], seed=3, count=2))
    said = read_settings(tmp_path / "all" / "000002.png")
    drawn(sampler, tmp_path / "one", from_prompts([said["prompt"]], said["negative_prompt"], said["seed"]))
    assert pictures(tmp_path / "one")["000000.png"] == pictures(tmp_path / "all")["000002.png"]


def test_what_is_there_is_kept_and_what_is_not_is_drawn(sampler, tmp_path):
    requests = from_prompts(["a", "b"], count=3)
    assert drawn(sampler, tmp_path, requests) == 0
    first = pictures(tmp_path)
    (tmp_path / "000001.png").unlink()
    (tmp_path / "000003.png").write_bytes(first["000003.png"][:200])  # cut short
    (tmp_path / "000004.png").write_bytes(first["000005.png"])  # another picture
    os.utime(tmp_path / "000000.png", ns=(1, 1))
    assert drawn(sampler, tmp_path, requests) == 3
    assert pictures(tmp_path) == first
    assert (tmp_path / "000000.png").stat().st_mtime_ns == 1
    assert (
        drawn(DiffusionSampler(sampler.model, SamplingSettings(32, 32, steps=3), DeviceConfig()), tmp_path, requests)
        == 0
    )


@pytest.mark.parametrize("parts", [2, 3])
def test_processes_share_the_work(sampler, tmp_path, parts):
    requests = from_prompts(["a", "b", "c"], count=3)
    drawn(sampler, tmp_path / "one", requests)
    for k in reversed(range(parts)):
        drawn(sampler, tmp_path / "many", requests, (k, parts))
    assert pictures(tmp_path / "many") == pictures(tmp_path / "one")
    shares = [samples.share(9, 2, (k, parts)) for k in range(parts)]
    assert sorted(i for share in shares for i in share) == list(range(9))


def test_the_table_and_the_grid(sampler, tmp_path):
    requests = from_prompts([NASTY, "b"], count=2)
    drawn(sampler, tmp_path, requests)
    samples.finish(tmp_path, 4)
    rows = [json.loads(line) for line in (tmp_path / "metadata.jsonl").read_text().splitlines()]
    assert [r["file_name"] for r in rows] == [f"00000{i}.png" for i in range(4)]
    assert [r["caption"] for r in rows] == [r.prompt for r in requests]
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.width > 4 * 190
    (tmp_path / "000002.png").unlink()
    with pytest.raises(SamplingError, match=r"000002.png: a picture is missing or damaged"):
        samples.finish(tmp_path, 4)


def test_datasets_reads_the_folder(sampler, tmp_path):
    from datasets import load_dataset

    drawn(sampler, tmp_path / "s", from_prompts(["a", "b"]))
    samples.finish(tmp_path / "s", 2)
    loaded = load_dataset("imagefolder", data_dir=str(tmp_path / "s"), cache_dir=str(tmp_path / "c"), split="train")
    assert loaded["caption"][:] == ["a", "b"] and loaded[1]["image"].size == (32, 32)


def test_other_pictures_are_not_mixed_with_ours(sampler, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "holiday.png")
    with pytest.raises(SamplingError, match=r"the folder holds other pictures; got holiday\.png"):
        samples.claim(tmp_path, 3)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"<html>"], ids=["empty", "head", "page"])
def test_a_file_that_is_no_picture_says_nothing(tmp_path, data):
    (tmp_path / "a.png").write_bytes(data)
    assert read_settings(tmp_path / "a.png") is None and read_settings(tmp_path / "none.png") is None
