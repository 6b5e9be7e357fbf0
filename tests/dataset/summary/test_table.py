"""The metadata table: written in groups, read in order, and queried without access to anything else."""

from __future__ import annotations

import pytest

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.summary import table
from vrm_synth.dataset.summary.table import (
    canonical_json,
    query_table,
    read_table,
    schema,
    table_row,
    write_table,
)
from vrm_synth.facts.facts import Facts, HairFacts, Item, PhraseFact, PoseFacts, ViewFacts


def row(i: int) -> dict:
    """A row of metadata with the choices and facts that conditions query."""
    shot = {"id": f"{i:06d}", "size": [8, 9], "choices": {"pose": ("wave", "sit")[i % 2]}}
    facts = Facts(
        framing="full_body" if i % 4 == 0 else "",
        view=ViewFacts(azimuth=i / 7 if i % 3 else None),
        pose=PoseFacts((PhraseFact("waving", tags=("waving",)),)),
        hair=HairFacts(("pink", "white")[: i % 3]),
        garments=(Item("skirt", ("red",)), Item("socks"))[: i % 2],
    )
    identifiers = {"i": i, "seed": 1, "caption": f"Girl {i}.", "avatar": "a", "attempt": 0}
    return {**identifiers, "shot": shot, "facts": facts.to_json()}


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "ROWS_A_GROUP", 30)
    out = tmp_path / "metadata.parquet"
    assert write_table(out, (table_row(row(i), f"{i:06d}", "train", i // 10) for i in range(100))) == 100
    return out


def matching_keys(path, where: str) -> list[str]:
    return [key for batch in query_table(path, where, ("key",)) for key in batch["key"].to_pylist()]


def test_rows_come_back_in_order_and_the_same_rows_give_the_same_bytes(path, tmp_path):
    rows = [*read_table(path)]
    assert [r["i"] for r in rows] == [*range(100)] and rows[7]["shard"] == 0 and rows[99]["shard"] == 9
    assert rows[3] == table_row(row(3), "000003", "train", 0)
    assert list(rows[0]) == schema().names
    write_table(tmp_path / "again.parquet", rows)
    assert (tmp_path / "again.parquet").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("true", 100), ("pose = 'wave'", 50),
        ("pose = 'wave' and facts.view.azimuth < 3", 7), ("caption like '% 7.'", 1),
        ("hash(key) % 10 = 0", None), ("i in (3, 5)", 2), ("false", 0),
        ("json_extract_string(shot, '$.choices.pose') = 'sit'", 50),
        ("facts.framing = 'full_body' and list_contains(facts.hair.colors, 'pink')", 16),
        ("facts.pose.phrases[1].en = 'waving'", 100), ("facts.garments[1].kind = 'skirt'", 50),
        ("list_contains(list_transform(facts.garments, lambda g: g.kind), 'skirt')", 50),
        ("facts.view.azimuth is null", 34),
    ],
)  # fmt: skip
def test_conditions_are_sql_and_keep_the_tables_order(path, where, count):
    keys = matching_keys(path, where)
    assert keys == sorted(keys)
    assert count is None or len(keys) == count


@pytest.mark.parametrize(
    "where",
    [
        "", "  ", "-- nothing", "nosuch = 1", "pose", "sum(i) > 3", "true; drop table metadata", "true) or (true",
        "true) union select 1 --", "true order by 1", "exists(select * from read_csv('{other}'))",
        "exists(select * from '{other}')", "exists(select * from read_text('{other}'))",
        "exists(select * from glob('{folder}/*'))", "exists(select * from read_parquet('https://127.0.0.1/a.parquet'))",
        "exists(select * from parquet_metadata('{folder}/other.parquet'))", "getenv('HOME') = ''",
        "exists(select * from COLUMNS)",
    ],
)  # fmt: skip
def test_a_condition_reaches_nothing_but_the_table(path, tmp_path, where):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "other.parquet").write_bytes(path.read_bytes())
    with pytest.raises(DatasetError) as e:
        matching_keys(path, where.format(other=tmp_path / "other.csv", folder=tmp_path))
    assert "\n" not in str(e.value)


def test_an_unknown_column_is_named(path):
    with pytest.raises(DatasetError, match=r"no such column.*poses"):
        [*query_table(path, "true", ("poses",))]


def test_a_file_that_is_not_a_table_is_refused(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(DatasetError):
        [*read_table(tmp_path / "t.parquet")]
    with pytest.raises(DatasetError):
        matching_keys(tmp_path / "t.parquet", "true")
    with pytest.raises(DatasetError):
        matching_keys(tmp_path / "none.parquet", "true")


def test_a_value_of_the_wrong_type_is_refused(tmp_path):
    wrong = table_row(row(0), "000000", "train", 0) | {"i": "one"}
    with pytest.raises(DatasetError, match="cannot hold"):
        write_table(tmp_path / "t.parquet", [wrong])


def test_canonical_json_omits_null_columns():
    row = {"key": "a", "license": "CC0-1.0", "shard": 1}
    assert (
        canonical_json({**row, "license_url": None})
        == canonical_json(row)
        != canonical_json({**row, "license_url": ""})
    )


def test_facts_are_the_same_to_the_last_digit_after_the_table(path):
    for i, stored in enumerate(read_table(path)):
        assert stored["facts"] == row(i)["facts"] and Facts.from_json(stored["facts"]).to_json() == row(i)["facts"]
        assert canonical_json(stored) == canonical_json(table_row(row(i), f"{i:06d}", "train", i // 10))


def test_canonical_json_tells_facts_apart_and_takes_whole_numbers_for_numbers():
    def with_azimuth(azimuth: object, **more: object) -> bytes:
        return canonical_json({"facts": {**Facts().to_json(), "view": {"azimuth": azimuth}, **more}})

    assert with_azimuth(3) == with_azimuth(3.0) != with_azimuth(3.0000000000000004)
    assert with_azimuth(None) != with_azimuth(0.0) and with_azimuth(1.0) != with_azimuth(1.0, framing="portrait")


def test_further_captions_are_columns_of_the_table(tmp_path):
    rows = [table_row({**row(i), "tags": f"tag {i}"}, f"{i}", "train", 0, ("caption", "tags")) for i in range(3)]
    write_table(tmp_path / "t.parquet", rows, ("caption", "tags"))
    assert matching_keys(tmp_path / "t.parquet", "tags = 'tag 1'") == ["1"]
    assert [r["tags"] for r in read_table(tmp_path / "t.parquet")] == ["tag 0", "tag 1", "tag 2"]


@pytest.mark.parametrize(
    ("where", "meant"),
    [
        ("framing = 'full_body'", "facts.framing"), ("facts.hair.color = 'pink'", "facts.hair.colors"),
        ("list_contains(hair.colors, 'pink')", "facts.hair.colors"), ("facts.hare.colors is null", "facts.hair.colors"),
        ("poze = 'wave'", "pose"), ("pose = 'framing' and face_azimuth < 3", "facts.view.face_azimuth"),
    ],
)  # fmt: skip
def test_a_misspelt_name_brings_the_one_probably_meant(path, where, meant):
    with pytest.raises(DatasetError, match=rf"\(did you mean {meant}\?\)"):
        matching_keys(path, where)
