"""Files of passes beside pictures are not trained on: in datasets of ours, and in anybody's folders and tars."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training import disk
from vrm_synth.core.passes import CONDITIONING_IMAGE, PASSES
from vrm_synth.dataset.dataset_handle import open_dataset
from vrm_synth.dataset.render_dataset import render_dataset
from vrm_synth.dataset.settings import DatasetSettings, OutputFormat
from vrm_synth.io.file_names import SHARD_FORMATS
from vrm_synth.shot import Recipe
from vrm_synth.training.data.data_config import SourceConfig
from vrm_synth.training.data.table_source import TableSource, open_source

COUNT = 3
FURTHER = [p.suffix for p in (*PASSES.values(), CONDITIONING_IMAGE)]


def opened(path: Path, **options: object) -> TableSource:
    return open_source(SourceConfig.model_validate({"path": str(path), **options}), path.parent / "tables")


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_a_rendered_dataset_is_its_pictures_and_masks(shard_format, tmp_path):
    truth = {"passes": tuple(PASSES), "conditioning": "depth", "annotations": True}
    recipe = Recipe.model_validate({"avatars": ["demo"], "count": COUNT, "size": 48, "settle_seconds": None, **truth})
    render_dataset(recipe, tmp_path / "set", workers=1, settings=DatasetSettings(OutputFormat(shard_format)))
    source = opened(tmp_path / "set")
    assert len(source) == COUNT and dict(source.credit.quarantined) == {}
    for i, sample in enumerate(open_dataset(tmp_path / "set")):
        image = source.picture(i)
        assert source.captions(i).sentence == sample.caption
        np.testing.assert_array_equal(image.pixels, np.asarray(sample.image))
        np.testing.assert_array_equal(image.mask, sample.read_pass("mask")["mask"])


def further_files(size: tuple[int, int] = disk.SIZE) -> dict[str, bytes]:
    """Suffix → file of every pass; pictures are of the size of the others."""
    out = io.BytesIO()
    Image.new("L", size, 255).save(out, "PNG")
    return {suffix: out.getvalue() if suffix.endswith(".png") else b"PK\3\4" for suffix in FURTHER}


@pytest.mark.parametrize("layout", [disk.folder, disk.texts], ids=lambda f: f.__name__)
def test_passes_in_a_folder_are_no_pictures(layout, tmp_path):
    data = layout(tmp_path / "data", COUNT)
    folder = data / "images" if layout is disk.folder else data
    for i in range(COUNT):
        for suffix, content in further_files().items():
            (folder / f"{i:03d}.{suffix}").write_bytes(content)
    source = opened(data, license="x")
    assert len(source) == COUNT and dict(source.credit.quarantined) == {}
    assert source.picture(0).mask is not None


def test_passes_in_a_tar_are_no_pictures(tmp_path):
    members = []
    for i in range(COUNT):
        members += [(f"{i:03d}.png", disk.png(i)), (f"{i:03d}.json", json.dumps(disk.row(i)).encode())]
        members += [(f"{i:03d}.{suffix}", content) for suffix, content in further_files().items()]
    disk.tar(tmp_path / "data/00000.tar", members)
    source = opened(tmp_path / "data")
    assert len(source) == COUNT and dict(source.credit.quarantined) == {}
    assert source.picture(0).mask is not None


def test_a_captioned_picture_of_a_passs_name_is_a_picture(tmp_path):
    data = disk.texts(tmp_path / "data", 1)
    (data / "000.pose.png").write_bytes(disk.png(5))
    (data / "000.pose.txt").write_text("a pose")
    assert len(opened(data, license="x")) == 2
