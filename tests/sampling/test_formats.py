"""Datasets in each format that `vrm-synth render` writes: the same captions, images and facts."""

from __future__ import annotations

import html
import io
import json
import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.sampling.run_builder import make_run
from tests.sampling.test_preview import QUICK, call, images
from vrm_synth.core.errors import VrmSynthError
from vrm_synth.dataset.shards.writers import pack
from vrm_synth.facts.facts import Facts, ViewFacts
from vrm_synth.io.file_names import SHARD_FORMATS
from vrm_synth.io.shard_readers import DatasetSample
from vrm_synth.sampling.captioned_images import read_captioned_images
from vrm_synth.sampling.comparison import load_image

COLORS = [(200, 40, 60), (30, 60, 220), (40, 180, 90)]


def sample(i: int, caption: str) -> DatasetSample:
    file = io.BytesIO()
    Image.new("RGB", (48, 40), COLORS[i % 3]).save(file, "PNG")
    shot = {"id": f"{i:06d}", "avatar": "demo", "choices": {"pose": "wave's"}}
    row = {"caption": caption, "i": i, "seed": 9, "avatar": "demo", "license": "CC0-1.0", "shot": shot}
    row["facts"] = Facts(view=ViewFacts(azimuth=-4.52)).to_json()
    return DatasetSample(f"{i:06d}", file.getvalue(), "png", caption, row, {"mask.png": b"mask"})


def dataset(folder: Path, shard_format: str) -> Path:
    """Two shards of the split train, one of test."""
    shards = [("train", [0, 1]), ("train", [2]), ("test", [3])]
    for shard, (split, numbers) in enumerate(shards):
        for name, data in pack(shard_format, split, shard, [sample(i, f"{split} {i}") for i in numbers]).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    # Files beside the shards that hold no samples.
    (folder / "metadata.parquet").write_bytes(b"PAR1")
    (folder / "records").mkdir(exist_ok=True)
    (folder / "records" / "00000.json").write_text("{}")
    return folder


@pytest.fixture(scope="module", params=SHARD_FORMATS)
def made(request, tmp_path_factory) -> Path:
    return dataset(tmp_path_factory.mktemp(request.param) / "set", request.param)


def test_captions_of_a_split_are_in_order(made):
    assert [p.caption for p in read_captioned_images(made, "train")] == ["train 0", "train 1", "train 2"]
    assert [p.caption for p in read_captioned_images(made, "test")] == ["test 3"]
    assert [p.caption for p in read_captioned_images(made, limit=2)] == ["test 3", "train 0"]
    assert all(p.row["facts"]["view"]["azimuth"] == -4.52 for p in read_captioned_images(made))


def test_sample_command_uses_the_captions(made, folder, tmp_path):
    call("sample", folder, "--dataset", made, "--split", "train", "--limit", "2", *QUICK, "-o", tmp_path / "s")
    lines = (tmp_path / "s" / "metadata.jsonl").read_text().splitlines()
    assert [json.loads(line)["caption"] for line in lines] == ["train 0", "train 1"]


def test_preview_shows_render_facts_and_commands(made, model, tmp_path):
    torch.set_num_threads(1)
    run = make_run(tmp_path / "RUN", model, made)
    assert "3 captions at step 20" in call("preview", run, *QUICK)  # the split that it is trained on
    page = (run / "preview.html").read_text()
    shown = images(page)[::4]
    assert [np.abs(p.astype(int) - c).max() <= 1 for p, c in zip(shown, COLORS, strict=True)] == [True] * 3
    facts = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page)
    assert ("azimuth", "-4.5") in facts and ("shot", "2 of seed 9") in facts
    commands = [html.unescape(c) for c in re.findall(r"<code>(.*?)</code>", page, re.DOTALL)]
    command = next(c for c in commands if "vrm-synth shots" in c)
    line, _, draw = command.partition(" && ")
    subprocess.run(["bash", "-c", line], check=True)
    line_data = json.loads(Path(shlex.split(draw)[2]).read_text())
    shot = line_data.get("shot", line_data)
    assert (json.loads(shot) if isinstance(shot, str) else shot) == sample(0, "").row["shot"]


def test_split_is_found_by_shard_names(tmp_path):
    for split, i in (("train", 0), ("test", 1)):
        data, *_ = pack("webdataset", split, 0, [sample(i, f"{split} {i}")]).values()
        path = tmp_path / "hub" / f"{split}-00000.tar"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    (tmp_path / "hub/._train-00000.tar").write_bytes(b"AppleDouble")
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/hub").symlink_to(tmp_path / "hub")
    for path in (tmp_path / "hub", tmp_path / "linked"):
        assert [p.caption for p in read_captioned_images(path, "train")] == ["train 0"]
        assert [p.caption for p in read_captioned_images(path, "test")] == ["test 1"]
        assert [p.caption for p in read_captioned_images(path)] == ["test 1", "train 0"]
        with pytest.raises(VrmSynthError, match=r"no such split; got val; allowed: .*test, train"):
            read_captioned_images(path, "val")


def test_renders_are_shown_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.new("RGB", (64, 32), (0, 0, 200))
    picture.paste((250, 0, 0), (0, 0, 32, 32))
    for name, options in (("a.png", {}), ("a.jpg", {}), ("a.webp", {"lossless": True})):
        picture.save(tmp_path / name, exif=exif, **options)
        for source in (tmp_path / name, (tmp_path / name).read_bytes()):
            shown = load_image(source, (32, 64)).astype(int)
            assert abs(shown[8, 16] - (250, 0, 0)).max() < 20 and abs(shown[56, 16] - (0, 0, 200)).max() < 20


@pytest.mark.parametrize(("shard_format", "suffix"), [("webdataset", ".tar"), ("parquet", ".parquet")])
def test_damaged_shard_is_a_one_line_error(shard_format, suffix, folder, tmp_path):
    made = dataset(tmp_path / "set", shard_format)
    shard = made / "train" / f"00001{suffix}"
    shard.write_bytes(shard.read_bytes()[:700])
    with pytest.raises(VrmSynthError, match=rf"00001{suffix}"):
        read_captioned_images(made, "train")
    out = call("sample", folder, "--dataset", made, *QUICK, "-o", tmp_path / "s", code=1)
    assert f"00001{suffix}" in out and not (tmp_path / "s").exists()
