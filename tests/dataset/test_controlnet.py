"""Training code in the shape of diffusers' ControlNet example takes the columns that the card names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.dataset.test_derive import derive, render_source, samples_by_key
from vrm_synth.core.passes import CONDITIONING_IMAGE, PASSES
from vrm_synth.dataset.summary.loading_code import FOLDER_PLACEHOLDER, DatasetFiles, sections
from vrm_synth.io.file_names import SHARD_FORMATS
from vrm_synth.io.image_decoder import decode_rgba
from vrm_synth.io.store import LocalStore

COUNT, RESOLUTION = 5, 32


@pytest.fixture(scope="module")
def source(avatars, tmp_path_factory) -> LocalStore:
    folder = tmp_path_factory.mktemp("control") / "set"
    return render_source(folder, avatars, "imagefolder", passes=("depth",), conditioning="pose", count=COUNT,
                         size=RESOLUTION, splits={}, background="white")  # fmt: skip


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@dataclass(frozen=True)
class Columns:
    """The options of the example script that name columns."""

    image_column: str
    conditioning_image_column: str
    caption_column: str

    @staticmethod
    def of_card(card: str) -> tuple[str, Columns]:
        """--train_data_dir and the columns of the command on a card."""
        (command,) = re.findall(r"^```sh\n(accelerate launch train_controlnet\.py .*?)^```$", card, re.M | re.S)
        options = dict(re.findall(r"--(\w+) (\S+)", command))
        return options.pop("train_data_dir"), Columns(**options)


def preprocess(rows: Mapping[str, Sequence[Any]], columns: Columns) -> dict[str, list[Any]]:
    """The transform of a training set: rows → the columns that it adds."""
    images = [image.convert("RGB") for image in rows[columns.image_column]]
    conditions = [image.convert("RGB") for image in rows[columns.conditioning_image_column]]
    captions = list(rows[columns.caption_column])
    assert all(isinstance(c, str) for c in captions)
    return {
        "pixel_values": [np.asarray(i, np.float32).transpose(2, 0, 1) / 127.5 - 1 for i in images],
        "conditioning_pixel_values": [np.asarray(i, np.float32).transpose(2, 0, 1) / 255 for i in conditions],
        "input_ids": captions,
    }


def collate(examples: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[np.float32] | list[str]]:
    """Examples → a batch."""
    return {
        "pixel_values": np.stack([e["pixel_values"] for e in examples]),
        "conditioning_pixel_values": np.stack([e["conditioning_pixel_values"] for e in examples]),
        "input_ids": [e["input_ids"] for e in examples],
    }


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_the_columns_of_the_card_make_a_batch(source, tmp_path, shard_format):
    from datasets import load_dataset

    store = derive([source], tmp_path / "converted", "convert", shard_format)
    folder, columns = Columns.of_card(store.read("README.md").decode())
    assert folder == FOLDER_PLACEHOLDER
    if shard_format != "webdataset":
        assert columns == Columns("image", "conditioning_image", "caption")
    rows = load_dataset(folder.replace(FOLDER_PLACEHOLDER, str(store.folder)))["train"]
    assert {columns.image_column, columns.conditioning_image_column, columns.caption_column} <= set(rows.column_names)
    rows = rows.with_transform(lambda batch: preprocess(batch, columns))
    batch = collate([rows[i] for i in range(COUNT)])
    assert batch["pixel_values"].shape == batch["conditioning_pixel_values"].shape == (COUNT, 3, RESOLUTION, RESOLUTION)
    ours = {s.caption: s for s in samples_by_key(store).values()}
    for pixels, condition, caption in zip(*batch.values(), strict=True):
        sample = ours[caption]
        picture = decode_rgba(sample.picture)[..., :3].transpose(2, 0, 1)
        drawn = decode_rgba(sample.extras[CONDITIONING_IMAGE.suffix])[..., :3].transpose(2, 0, 1)
        same_captions = sum(s.caption == caption for s in samples_by_key(store).values())
        if same_captions == 1:
            np.testing.assert_allclose((pixels + 1) * 127.5, picture, atol=1e-3)
            np.testing.assert_allclose(condition * 255, drawn, atol=1e-3)
        assert condition.min() == 0 <= condition.max() <= 1


def test_without_a_conditioning_image_nothing_is_said_of_controlnets():
    for shard_format in SHARD_FORMATS:
        assert "controlnet" not in "".join(sections(DatasetFiles(shard_format, passes=(PASSES["pose"],)))).lower()


def test_of_tars_with_several_encodings_the_card_says_what_to_do_first():
    text = "".join(sections(DatasetFiles("webdataset", "mixed", (CONDITIONING_IMAGE,))))
    assert "train_controlnet.py" not in text and "convert the pictures to one encoding first" in text
    assert "--image_column image " in "".join(sections(DatasetFiles("parquet", "mixed", (CONDITIONING_IMAGE,))))
