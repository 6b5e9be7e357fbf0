"""Requests from prompts, tables and datasets, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vrm_synth.sampling.captioned_images import read_captioned_images
from vrm_synth.sampling.image_requests import MAX_SEED, ImageRequest, from_dataset, from_prompts, from_table
from vrm_synth.sampling.sampler_settings import SamplingError


def test_each_image_has_the_next_seed():
    assert from_prompts(["a", " b\n c "], "no", seed=5, count=2) == [
        ImageRequest("a", "no", 5),
        ImageRequest("a", "no", 6),
        ImageRequest("b c", "no", 7),
        ImageRequest("b c", "no", 8),
    ]


def test_seeds_and_negative_prompts_of_a_table_override(tmp_path):
    (tmp_path / "p.csv").write_text('prompt,negative_prompt,seed\n"a, b",blurry,9\nc,,\n', encoding="utf-8-sig")
    assert from_table(tmp_path / "p.csv", "no", seed=3) == [
        ImageRequest("a, b", "blurry", 9),
        ImageRequest("c", "no", 4),
    ]
    (tmp_path / "p.txt").write_text("a, b\n\n  c\r\n")
    assert from_table(tmp_path / "p.txt", count=2) == from_prompts(["a, b", "c"], count=2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("promt\na\n", "not a table of prompts; got promt; allowed: prompt, negative_prompt, seed"),
        ("prompt,style\na,b\n", "not a table of prompts; got prompt, style"),
        ("", "not a table of prompts"),
        ("prompt\n", "no prompts; allowed: at least one"),
        ("prompt,seed\na,1\n ,2\n", "p.csv:3: no prompt"),
        ("prompt,seed\na,-1\n", "p.csv:2: not a seed; got -1"),
        ("prompt,seed\na,1e3\n", "p.csv:2: not a seed; got 1e3"),
        ("prompt,seed\na,1,2\n", "p.csv:2: not as many cells as columns"),
        ("prompt,seed\na\n", "p.csv:2: not as many cells as columns"),
        ('prompt\n"a\n', "not CSV"),
        ("prompt\n" + "a" * 10_001 + "\n", "p.csv:2: prompt is too long; got 10001 characters"),
    ],
    ids=lambda v: v[:24],
)
def test_tables_that_are_refused(tmp_path, text, message):
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(SamplingError) as e:
        from_table(tmp_path / "p.csv")
    assert message in str(e.value) and "\n" not in str(e.value)


def test_table_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "p.csv").write_bytes(b"prompt\na\xff\n")
    with pytest.raises(SamplingError, match="a bad byte at offset 8"):
        from_table(tmp_path / "p.csv")


def test_seeds_beyond_the_maximum_are_refused():
    with pytest.raises(SamplingError, match="not a seed"):
        from_prompts(["a", "b"], seed=MAX_SEED)


def dataset(folder: Path, *rows: object, name: str = "metadata.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(r) + "\n" for r in rows))
    return folder


def test_captions_of_a_dataset_in_the_order_of_its_tables(tmp_path):
    dataset(tmp_path / "train" / "00001", {"file_name": "a.png", "text": "third"})
    dataset(
        tmp_path / "train" / "00000",
        {"file_name": "images/a.png", "caption": "first"},
        {"file_name": "b.png", "caption": "second"},
    )
    dataset(tmp_path / "test" / "00000", {"file_name": "a.png", "caption": "held back"})
    assert [p.caption for p in read_captioned_images(tmp_path)] == ["held back", "first", "second", "third"]
    assert [r.prompt for r in from_dataset(tmp_path, "train", limit=2, count=2)] == ["first"] * 2 + ["second"] * 2
    first = read_captioned_images(tmp_path, "train")[0]
    assert first.image == tmp_path / "train" / "00000" / "images" / "a.png" and first.line == 1
    assert [p.caption for p in read_captioned_images(first.file)] == ["first", "second"]
    for wrong in ("val", "..", "", "train/00000"):
        kind = "no such split; got val; allowed: test, train" if wrong == "val" else "not the name of a split; got "
        with pytest.raises(SamplingError, match=kind):
            read_captioned_images(tmp_path, wrong)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"file_name": "../a.png", "caption": "a"}, "path leads out of the dataset"),
        ({"file_name": "/etc/passwd", "caption": "a"}, "path leads out of the dataset"),
        ({"file_name": "..\\a.png", "caption": "a"}, "path leads out of the dataset"),
        ({"file_name": "a.png", "caption": " "}, "not a row of a captioned image"),
        ({"file_name": "a.png"}, "not a row of a captioned image"),
        ({"file_name": 3, "caption": "a"}, "not a row of a captioned image"),
        ([], "not a row of a captioned image"),
        ({"file_name": "a.png", "caption": "a", "x": "y" * (1 << 20)}, "not a row of a captioned image"),
    ],
    ids=lambda v: str(v)[:40],
)
def test_rows_that_are_refused(tmp_path, row, message):
    with pytest.raises(SamplingError) as e:
        read_captioned_images(dataset(tmp_path, {"file_name": "fine.png", "caption": "a"}, row))
    assert f"metadata.jsonl:2: {message}" in str(e.value) and len(str(e.value)) < 600


def test_folder_without_captions_is_refused(tmp_path):
    with pytest.raises(SamplingError, match="no captioned images"):
        read_captioned_images(tmp_path)
    with pytest.raises(SamplingError, match="no captioned images"):
        read_captioned_images(tmp_path / "none")
