"""The columns of a dataset's metadata: one list, which shots, observations, files and the documentation agree with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vrm_synth.core.passes import CONDITIONING_IMAGE, PASSES, dataset_passes
from vrm_synth.facts.facts import Facts
from vrm_synth.io.dataset_columns import (
    COLUMNS,
    FILE_NAME,
    OBJECT_COLUMNS,
    OPTIONAL_COLUMNS,
    SAMPLE_COLUMNS,
    TABLE_COLUMNS,
    arrow_type,
    card_type,
    facts_paths,
    file_column,
    file_columns,
    names,
    sample_row,
    table_columns,
    with_caption,
)
from vrm_synth.io.shard_readers.sample import is_member_name
from vrm_synth.shot.choices import Choices

DATASETS_PAGE = Path(__file__).resolve().parents[2] / "docs" / "datasets.md"


def test_columns_are_named_once_and_described():
    assert len({c.name for c in COLUMNS}) == len(COLUMNS)
    assert [c.name for c in COLUMNS if not c.description] == []


def test_every_choice_has_a_column_or_is_left_out_on_purpose():
    choices = Choices().to_json().keys()
    assert choices - set(names("choices")) == {"azimuth_name", "elevation_name", "expression", "gaze", "wording"}
    assert choices >= set(names("choices"))


def test_the_column_of_facts_has_every_field_of_facts():
    assert {p.split(".")[1] for p in facts_paths()} == Facts().to_json().keys()
    assert {"facts.framing", "facts.hair.colors", "facts.view.azimuth", "facts.garments"} <= set(facts_paths())
    assert [f.name for f in arrow_type("facts")] == list(Facts().to_json())
    garments = arrow_type("facts").field("garments").type
    assert (str(garments.value_type.field("kind").type), str(garments.value_type.field("colors").type)) == (
        "string", "list<item: string>",
    )  # fmt: skip


def test_further_captions_are_columns_beside_the_first():
    known = list(table_columns(("caption", "tags", "caption_ja")))
    at = known.index("caption")
    assert known[at : at + 3] == ["caption", "tags", "caption_ja"] and known[:at] + known[at + 3 :] == [
        c for c in TABLE_COLUMNS if c != "caption"
    ]
    row = with_caption({"caption": "a", "tags": "b", "i": 0}, "caption_ja", "c", ("caption", "tags"))
    assert list(row.items()) == [("caption", "a"), ("tags", "b"), ("caption_ja", "c"), ("i", 0)]
    values = dict.fromkeys((*SAMPLE_COLUMNS, "tags"), 0)
    assert sample_row(values, ("caption", "tags")) == values
    with pytest.raises(ValueError, match="tags"):
        sample_row(values)


def test_a_samples_row_has_every_column_and_no_other():
    values = dict.fromkeys(SAMPLE_COLUMNS, 0)
    assert sample_row(values) == values
    for wrong in ({**values, "depth": 0}, {k: v for k, v in values.items() if k != "seed"}):
        with pytest.raises(ValueError, match=r"depth|seed"):
            sample_row(wrong)
    assert set(OBJECT_COLUMNS) < set(SAMPLE_COLUMNS) < set(TABLE_COLUMNS)


def test_a_row_may_lack_annotations_and_nothing_else():
    values = dict.fromkeys(SAMPLE_COLUMNS, 0)
    for name in SAMPLE_COLUMNS:
        rest = {k: v for k, v in values.items() if k != name}
        if name in OPTIONAL_COLUMNS:
            assert sample_row(rest) == rest
        else:
            with pytest.raises(ValueError, match=name):
                sample_row(rest)
    assert set(OPTIONAL_COLUMNS) == {"annotations"}


def test_a_pass_has_a_file_and_a_column_of_its_name():
    assert file_column("mask.png") == "mask_file_name" and file_column("position.npz") == "position_path"
    assert file_column(CONDITIONING_IMAGE.suffix) == "conditioning_image_file_name"
    passes = (*PASSES.values(), CONDITIONING_IMAGE)
    assert names("file") == (FILE_NAME, *(file_column(p.suffix) for p in passes))
    assert all(is_member_name("000000", p.suffix) and p.suffix.partition(".")[0] == p.name for p in passes)
    assert {p.name for p in passes if not p.is_image} == {"depth_metres", "depth_layers", "position"}
    row = ["caption", FILE_NAME, "mask_file_name", "later_file_name", "position_path", "path"]
    assert file_columns(row) == ["mask_file_name", "later_file_name", "position_path"]


def test_a_datasets_passes_follow_from_its_settings():
    assert dataset_passes({"passes": ["depth", "mask"]}) == (PASSES["depth"], PASSES["mask"])
    assert dataset_passes({"passes": [], "conditioning": "lines"}) == (CONDITIONING_IMAGE,)
    (later,) = dataset_passes({"passes": ["later"], "conditioning": None})  # of a version that has one more
    assert (later.suffix, later.is_image) == ("later.png", True)


def test_the_card_names_types_as_datasets_does():
    assert [card_type(name, None) for name in ("attempt", "i", "facts", "mirrored", "shot")] == [
        "int64", "int64", "string", "bool", "string",
    ]  # fmt: skip
    assert [card_type("of another version", v) for v in (True, 1, 1.5, "x", None, {})] == [
        "bool", "int64", "float64", "string", "string", "string",
    ]  # fmt: skip


def test_the_documentation_lists_the_columns_of_the_table():
    rows = DATASETS_PAGE.read_text(encoding="utf-8").partition("| columns | |")[2].partition("\n\n")[0]
    listed = [name for line in rows.splitlines() for name in re.findall(r"`(\w+)`", line.partition(" | ")[0])]
    assert sorted(listed) == sorted(TABLE_COLUMNS)
