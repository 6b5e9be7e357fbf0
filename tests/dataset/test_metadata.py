"""metadata.jsonl: sorted, whole, and readable by `datasets` however long it gets."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.encode import encode_png
from vrm_synth.dataset.metadata import KEYS, Line, read_lines, telling_first, write_lines


def row(i, **more):
    return {**dict.fromkeys(KEYS, ""), "i": i, "shot": {"size": [1, 1]}, **more}


def test_rows_come_back_sorted_by_index(tmp_path):
    rows = {i: row(i, caption=f"è {i}\u2028") for i in (7, 1, 10)}
    write_lines(tmp_path / "metadata.jsonl", {i: Line.of(r) for i, r in rows.items()})
    found = read_lines(tmp_path / "metadata.jsonl")
    assert list(found) == [1, 7, 10] and {i: json.loads(line.text) for i, line in found.items()} == rows
    assert found[7].brief["caption"] == "è 7\u2028" and found[7].brief["shot"]["size"] == [1, 1]


def test_no_file_is_no_rows(tmp_path):
    assert read_lines(tmp_path / "metadata.jsonl") == {}


@pytest.mark.parametrize("line", [b"{", b"[]", b"{}", b'{"i": 1}', b"3", b"\xff"])
def test_a_foreign_line_is_named(tmp_path, line):
    write_lines(tmp_path / "metadata.jsonl", {0: Line.of(row(0))})
    with (tmp_path / "metadata.jsonl").open("ab") as f:
        f.write(line + b"\n")
    with pytest.raises(DatasetError, match=r"metadata\.jsonl:2: not a line"):
        read_lines(tmp_path / "metadata.jsonl")


def kinds(value, path=()):
    """Every path with the type of what stands there; written here again, for the test to have its own word."""
    if isinstance(value, dict):
        return set().union(*(kinds(v, (*path, k)) for k, v in value.items()))
    if isinstance(value, list):
        return set().union(*(kinds(v, (*path, 0)) for v in value))
    return set() if value is None else {(path, type(value))}


leaves = st.none() | st.booleans() | st.integers(0, 9) | st.floats(0, 1) | st.text(max_size=3)
values = st.recursive(
    leaves, lambda v: st.lists(v, max_size=2) | st.dictionaries(st.sampled_from("abc"), v, max_size=2)
)


@given(st.lists(st.dictionaries(st.sampled_from("xyz"), values, max_size=2), max_size=30), st.integers(1, 3000))
@settings(max_examples=200, deadline=None)
def test_the_first_lines_tell_all_and_none_is_lost(rows, seen_first):
    plain = [json.dumps(row) + "\n" for row in rows]
    ordered = telling_first(plain, seen_first)
    assert sorted(ordered) == sorted(plain)
    if sum(map(len, plain)) < seen_first // 2:
        assert ordered == plain
    told, news = set(), 0  # bytes of the lines that tell something new
    for row, text in zip(rows, plain, strict=True):
        news += len(text) if kinds(row) - told else 0
        told |= kinds(row)
    head, size = set(), 0
    for text in ordered:
        if size >= seen_first // 2 + news:
            break
        head |= kinds(json.loads(text))
        size += len(text)
    assert head == told


def test_datasets_reads_a_file_whose_last_lines_bring_new_columns(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    from datasets import load_dataset

    os.makedirs(tmp_path / "set" / "images")
    rows = {}
    for i in range(720):
        (tmp_path / "set" / "images" / f"{i}.png").write_bytes(encode_png(np.full((1, 1, 4), i % 256, np.uint8)))
        late = {"head": [0.0, 0.5]} if i == 715 else {}
        shot = {"pad": "x" * 16_000, "bones": {"hips": [0.0], **late}, "background": [1.0] if i == 719 else None}
        rows[i] = Line.of(row(i, file_name=f"images/{i}.png", shot={"size": [1, 1], **shot}))
    write_lines(tmp_path / "set" / "metadata.jsonl", rows)
    assert (tmp_path / "set" / "metadata.jsonl").stat().st_size > 11 << 20
    found = load_dataset("imagefolder", data_dir=str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))["train"]
    by_index = {row["i"]: row for row in found}
    assert len(by_index) == 720
    assert by_index[715]["shot"]["bones"] == {"hips": [0.0], "head": [0.0, 0.5]}
    assert by_index[719]["shot"]["background"] == [1.0] and by_index[0]["shot"]["background"] is None
    assert by_index[200]["image"].getpixel((0, 0)) == (200, 200, 200, 200)
