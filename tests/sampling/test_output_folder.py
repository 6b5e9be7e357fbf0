"""Folder of sampled images: metadata, what is kept, how processes share it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from vrm_synth.sampling import output_folder
from vrm_synth.sampling.image_requests import from_prompts
from vrm_synth.sampling.png_metadata import read_metadata
from vrm_synth.sampling.sampler import DiffusionSampler
from vrm_synth.sampling.sampler_settings import DeviceConfig, SamplerSettings, SamplingError

SETTINGS = SamplerSettings(32, 32, steps=2, guidance_scale=2.0)
NASTY = 'a "girl"\n<b>, 桜 🌸 at 50 %'


@pytest.fixture(scope="module")
def sampler(model) -> DiffusionSampler:
    return DiffusionSampler(model, SETTINGS, DeviceConfig(batch_size=2))


def images(out: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in out.glob("0*.png")}


def sample_to(sampler: DiffusionSampler, out: Path, requests, rank=0, world_size=1) -> int:
    output_folder.claim_folder(out, len(requests))
    return output_folder.sample_missing(sampler, requests, out, rank, world_size)


def test_metadata_holds_everything_that_an_image_depends_on(sampler, tmp_path):
    sample_to(sampler, tmp_path, from_prompts([NASTY], "dull", seed=7))
    with Image.open(tmp_path / "000000.png") as picture:
        assert picture.size == (32, 32) and picture.mode == "RGB"
        metadata, parameters = json.loads(picture.text["vrm_synth"]), picture.text["parameters"]
    plain = " ".join(NASTY.split())
    assert metadata["prompt"] == plain and metadata["negative_prompt"] == "dull" and metadata["seed"] == 7
    assert {k: metadata[k] for k in SETTINGS.to_json()} == SETTINGS.to_json()
    assert metadata["prediction_type"] == "epsilon" and metadata["batch_size"] == 2 and metadata["versions"]["torch"]
    assert (
        metadata["model"] == {"name": "tiny", **sampler.model.identity} and len(metadata["model"]["base_sha256"]) == 64
    )
    assert str(tmp_path) not in json.dumps(metadata)
    assert parameters == (
        f"{plain}\nNegative prompt: dull\n"
        "Steps: 2, Sampler: DPM++ 2M, CFG scale: 2.0, Seed: 7, Size: 32x32, Model: tiny"
    )


def test_an_image_can_be_sampled_again_from_its_metadata(sampler, tmp_path):
    sample_to(sampler, tmp_path / "all", from_prompts(["a", "b"], seed=3, count=2))
    metadata = read_metadata(tmp_path / "all" / "000002.png")
    sample_to(
        sampler, tmp_path / "one", from_prompts([metadata["prompt"]], metadata["negative_prompt"], metadata["seed"])
    )
    assert images(tmp_path / "one")["000000.png"] == images(tmp_path / "all")["000002.png"]


def test_existing_images_are_kept_and_missing_ones_sampled(sampler, tmp_path):
    requests = from_prompts(["a", "b"], count=3)
    assert sample_to(sampler, tmp_path, requests) == 0
    first = images(tmp_path)
    (tmp_path / "000001.png").unlink()
    (tmp_path / "000003.png").write_bytes(first["000003.png"][:200])  # cut short
    (tmp_path / "000004.png").write_bytes(first["000005.png"])  # another picture
    os.utime(tmp_path / "000000.png", ns=(1, 1))
    assert sample_to(sampler, tmp_path, requests) == 3
    assert images(tmp_path) == first
    assert (tmp_path / "000000.png").stat().st_mtime_ns == 1
    assert (
        sample_to(DiffusionSampler(sampler.model, SamplerSettings(32, 32, steps=3), DeviceConfig()), tmp_path, requests)
        == 0
    )


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_share_the_images(sampler, tmp_path, world_size):
    requests = from_prompts(["a", "b", "c"], count=3)
    sample_to(sampler, tmp_path / "one", requests)
    for k in reversed(range(world_size)):
        sample_to(sampler, tmp_path / "many", requests, k, world_size)
    assert images(tmp_path / "many") == images(tmp_path / "one")
    ranks = [output_folder.indices_of_rank(9, 2, k, world_size) for k in range(world_size)]
    assert sorted(i for indices in ranks for i in indices) == list(range(9))


def test_the_table_and_the_grid(sampler, tmp_path):
    requests = from_prompts([NASTY, "b"], count=2)
    sample_to(sampler, tmp_path, requests)
    output_folder.write_index(tmp_path, 4)
    rows = [json.loads(line) for line in (tmp_path / "metadata.jsonl").read_text().splitlines()]
    assert [r["file_name"] for r in rows] == [f"00000{i}.png" for i in range(4)]
    assert [r["caption"] for r in rows] == [r.prompt for r in requests]
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.width > 4 * 190
    (tmp_path / "000002.png").unlink()
    with pytest.raises(SamplingError, match=r"000002.png: an image is missing or damaged"):
        output_folder.write_index(tmp_path, 4)


def test_datasets_library_reads_the_folder(sampler, tmp_path):
    from datasets import load_dataset

    sample_to(sampler, tmp_path / "s", from_prompts(["a", "b"]))
    output_folder.write_index(tmp_path / "s", 2)
    loaded = load_dataset("imagefolder", data_dir=str(tmp_path / "s"), cache_dir=str(tmp_path / "c"), split="train")
    assert loaded["caption"][:] == ["a", "b"] and loaded[1]["image"].size == (32, 32)


def test_folder_with_other_images_is_refused(sampler, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "holiday.png")
    with pytest.raises(SamplingError, match=r"the folder holds other images; got holiday\.png"):
        output_folder.claim_folder(tmp_path, 3)


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"<html>"], ids=["empty", "head", "page"])
def test_a_file_that_is_no_image_has_no_metadata(tmp_path, data):
    (tmp_path / "a.png").write_bytes(data)
    assert read_metadata(tmp_path / "a.png") is None and read_metadata(tmp_path / "none.png") is None
