"""The table of all metadata, metadata.parquet: one row per picture, one column per fact.

Choices are columns of their own and facts are one struct, so that a question is plain SQL: `pose = 'wave' and
facts.framing = 'full_body' and list_contains(facts.hair.colors, 'pink')`. The whole shot is a column of JSON text,
which a question about others never reads. Rows are written and read group by group: the table of 11 million pictures
takes no more memory than that of a hundred thousand (benchmarks/eleven_million.py).

Questions are answered by DuckDB. They may come from strangers (a web form, a colleague's script), so the connection
sees this one file and no other, cannot reach the network, load extensions or change its own settings, and takes a
condition alone, never a statement. pyarrow's own expressions would need a parser of ours for text.
"""

from __future__ import annotations

import io
import itertools
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from vrm_synth.core.errors import DatasetError, ExtraError
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.io.atomic_files import file_errors, to_json
from vrm_synth.io.dataset_columns import (
    CAPTION,
    FACTS,
    OBJECT_COLUMNS,
    OPTIONAL_COLUMNS,
    TABLE_COLUMNS,
    arrow_type,
    canonical,
    facts_paths,
    table_columns,
)
from vrm_synth.io.file_names import METADATA_TABLE

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ROWS_A_GROUP = 50_000  # 100 MB of rows with their shots
QUERY_MEMORY = "512MB"  # that a question may take
REMEDY = "pip install 'vrm-synth[tables]'"


def schema(captions: Sequence[str] = (CAPTION,)) -> pa.Schema:
    """The table's columns. captions: names of the columns of captions. Raises DatasetError where pyarrow is missing."""
    pa = _pyarrow()
    return pa.schema([(name, arrow_type(column.dtype)) for name, column in table_columns(captions).items()])


def table_row(
    row: Mapping[str, Any], key: str, split: str, shard: int, captions: Sequence[str] = (CAPTION,)
) -> dict[str, Any]:
    """A row of the table from a sample's metadata."""
    shot = row["shot"]
    width, height = shot["size"]
    sources: Mapping[str, Mapping[str, Any]] = {
        "shard": {"key": key, "split": split, "shard": shard},
        "task": row,
        "license": row,
        "size": {"width": width, "height": height},
        "choices": shot.get("choices") or {},
        "facts": row,
        "object": {
            name: to_json(row.get(name) or {}) for name in OBJECT_COLUMNS if name in row or name not in OPTIONAL_COLUMNS
        },
    }
    return {name: sources[column.source].get(name) for name, column in table_columns(captions).items()}


def canonical_json(row: Mapping[str, Any]) -> bytes:
    """A row of the table as canonical JSON: the same bytes whether it comes from a sample or from the table, which may
    be older than a column."""
    plain = {k: canonical(k, v) for k, v in row.items() if v is not None}
    return to_json(plain).encode()


def write_table(path: Path, rows: Iterable[Mapping[str, Any]], captions: Sequence[str] = (CAPTION,)) -> int:
    """Write rows of `table_row` as they come; returns their number. The same rows give the same bytes.

    Not atomic: `path` is to be a temporary name. Raises DatasetError.
    """
    pa = _pyarrow()
    import pyarrow.parquet as pq

    columns, count = schema(captions), 0
    rows = iter(rows)
    with file_errors(path, "written"), pq.ParquetWriter(path, columns, compression="zstd", compression_level=3) as out:
        while group := list(itertools.islice(rows, ROWS_A_GROUP)):
            try:
                out.write_table(_arrow(group, columns), row_group_size=ROWS_A_GROUP)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as e:
                raise DatasetError("metadata that the table's columns cannot hold", got=str(e), where=path) from e
            count += len(group)
    return count


def _arrow(rows: Sequence[Mapping[str, Any]], columns: pa.Schema) -> pa.Table:
    """Rows as one chunk a column. By way of JSON: pyarrow's own from_pylist imports pandas, which takes a second."""
    import pyarrow.json as pj

    lines = "\n".join(map(to_json, rows)).encode()
    return pj.read_json(
        io.BytesIO(lines),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(lines) + 1),
        parse_options=pj.ParseOptions(explicit_schema=columns, unexpected_field_behavior="error"),
    )


def read_table(path: Path | BinaryIO, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows in order, read group by group. columns: names of those to read, by default all. Raises DatasetError."""
    pa = _pyarrow()
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=4096, columns=None if columns is None else list(columns)):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as e:
        where = path if isinstance(path, Path) else METADATA_TABLE
        raise DatasetError("not a metadata table", got=str(e), where=where) from e


def find_shards(path: Path | BinaryIO, keys: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Key → (split, number of its shard), of those of some keys that the table has. Raises DatasetError."""
    pa = _pyarrow()
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=["key", "split", "shard"], filters=[("key", "in", list(keys))])
    except (pa.ArrowException, OSError) as e:
        where = path if isinstance(path, Path) else METADATA_TABLE
        raise DatasetError("not a metadata table", got=str(e), where=where) from e
    return {row["key"]: (row["split"], row["shard"]) for row in table.to_pylist()}


def query_table(
    path: Path, where: str = "true", columns: Sequence[str] = ("split", "shard", "key")
) -> Iterator[pa.RecordBatch]:
    """The rows for which the SQL condition `where` holds, in the table's order.

    where: over the table's columns ("pose = 'wave' and abs(face_azimuth) < 30"). Raises DatasetError for a condition
    that is none, asks for more than this table, or takes more memory than it may.
    """
    duckdb, known = _duckdb(), tuple(TABLE_COLUMNS)
    with tempfile.TemporaryDirectory() as scratch:
        connection = _sandboxed_connection(duckdb, path, Path(scratch))
        try:
            # A Relation's filter takes one expression: there is no way out of it into a statement.
            table = connection.from_parquet(str(path))
            known = tuple(table.columns)
            matching = table.filter(_parse_condition(duckdb, where))
            yield from matching.project(", ".join(_quoted(c) for c in _check_columns(columns, known))).to_arrow_reader(
                65_536
            )
        except duckdb.Error as e:
            raise DatasetError(
                f"not a question that this table answers{_probably_meant(where, known)}",
                got=str(e).partition("\n")[0],
                allowed=f"a SQL condition over {', '.join(_searched(known))}",
                where=path,
            ) from e
        finally:
            connection.close()


def _sandboxed_connection(duckdb: Any, path: Path, scratch: Path) -> duckdb.DuckDBPyConnection:
    settings = {
        "memory_limit": QUERY_MEMORY,
        "temp_directory": str(scratch),
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "preserve_insertion_order": "true",
        "python_enable_replacements": "false",  # or a condition could name variables of this process
    }
    connection = duckdb.connect(":memory:", config=settings)
    connection.execute("SET enable_progress_bar = false")  # it would be drawn on our stdout
    connection.execute("SET allowed_paths = [$path]", {"path": str(path)})
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _parse_condition(duckdb: Any, where: str) -> Any:
    if not where.strip():
        raise DatasetError("an empty condition", allowed="SQL such as: pose = 'wave'")
    return duckdb.SQLExpression(where)


def _check_columns(columns: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    for name in columns:
        if name not in known:
            raise DatasetError(f"no such column{did_you_mean(name, known)}", got=name, allowed=", ".join(known))
    return columns


def _searched(known: Sequence[str]) -> Iterator[str]:
    """What a condition may be about: columns, and the fields of facts."""
    for name in known:
        if name == FACTS:
            yield from facts_paths()
        elif name not in OBJECT_COLUMNS:
            yield name


def _probably_meant(where: str, known: Sequence[str]) -> str:
    """A hint for a condition's first name that is none, "" where every name is one.

    A field of facts may be written without all that it lies in, or misspelt: `framing`, `facts.hair.color`.
    """
    paths = facts_paths()
    names = {*known, *paths, *(".".join(p.split(".")[:n]) for p in paths for n in range(1, p.count(".") + 1))}
    for word in re.findall(r"(?<![\w.'])[a-z_]+(?:\.[a-z_]+)*(?![\w.'(])", _without_texts(where).lower()):
        if word in names:
            continue
        ends = [p for p in paths if p.endswith(f".{word}")]
        near = f" (did you mean {ends[0]}?)" if ends else did_you_mean(word, (*known, *paths))
        if near:
            return near
    return ""


def _without_texts(where: str) -> str:
    return re.sub(r"'[^']*'", " ", where)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError as e:
        raise ExtraError("tables need pyarrow, which is not installed", allowed=REMEDY) from e
    return pyarrow


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError as e:
        raise ExtraError("questions need DuckDB, which is not installed", allowed=REMEDY) from e
    return duckdb
