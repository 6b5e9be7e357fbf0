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


def row(i: int) -> dict:
    """A row of metadata with the choices and observations that conditions query."""
    shot = {"id": f"{i:06d}", "size": [8, 9], "choices": {"pose": ("wave", "sit")[i % 2]}}
    observations = {"azimuth": float(i), "phrases": ["waving"], "eyes": ""}
    identifiers = {"i": i, "seed": 1, "caption": f"Girl {i}.", "avatar": "a", "attempt": 0}
    return {**identifiers, "shot": shot, "observations": observations}


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
        ("true", 100), ("pose = 'wave'", 50), ("pose = 'wave' and azimuth < 30", 15), ("caption like '% 7.'", 1),
        ("hash(key) % 10 = 0", None), ("i in (3, 5)", 2), ("false", 0),
        ("json_extract_string(shot, '$.choices.pose') = 'sit'", 50),
        ("json_extract_string(observations, '$.phrases[0]') = 'waving'", 100),
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
    row = {"key": "a", "license": "CC0-1.0", "azimuth": 1}
    assert (
        canonical_json({**row, "license_url": None})
        == canonical_json(row)
        != canonical_json({**row, "license_url": ""})
    )
