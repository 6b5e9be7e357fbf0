"""Pack samples into the files of a shard: the same samples give the same bytes, without clocks and owners."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vrm_synth.core.passes import is_image
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.dataset_columns import (
    CAPTION,
    FACTS,
    FILE_NAME,
    OBJECT_COLUMNS,
    arrow_type,
    facts_features,
    file_column,
)
from vrm_synth.io.file_names import METADATA_LINES, index_name, shard_stem
from vrm_synth.io.shard_readers import DatasetSample, read_shard
from vrm_synth.io.shard_readers.sample import read_line, read_row
from vrm_synth.io.store import Store

_IMAGE, _TEXT = {"_type": "Image"}, {"dtype": "string", "_type": "Value"}


def pack(
    shard_format: str,
    split: str,
    shard: int,
    samples: Sequence[DatasetSample],
    captions: Sequence[str] = (CAPTION,),
) -> dict[str, bytes]:
    """The files of a shard, name → bytes.

    shard_format: one of SHARD_FORMATS. shard: its number. captions: names of the columns of captions, each of which
    has a column of its own in Parquet, too.
    """
    stem = shard_stem(split, shard)
    if shard_format == "webdataset":
        return _tar(stem, index_name(shard), samples)
    return _folder(stem, samples) if shard_format == "imagefolder" else _parquet(stem, samples, captions)


def folder_metadata(stem: str, samples: Sequence[DatasetSample]) -> dict[str, bytes]:
    """The metadata.jsonl of an image folder's shard, name → bytes; the samples' pictures are not looked at."""
    lines = []
    for s in samples:
        names = {FILE_NAME: s.suffix, **{file_column(suffix): suffix for suffix in s.extras}}
        pictures = {column: f"{s.key}.{suffix}" for column, suffix in names.items()}
        lines.append(to_json({**pictures, **_with_text(s.row)}) + "\n")
    return {f"{stem}/{METADATA_LINES}": "".join(lines).encode()}


def _folder(stem: str, samples: Sequence[DatasetSample]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for s in samples:
        files[f"{stem}/{s.key}.{s.suffix}"] = s.picture
        files |= {f"{stem}/{s.key}.{suffix}": data for suffix, data in s.extras.items()}
    return files | folder_metadata(stem, samples)


def _with_text(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its objects (shot, facts) as text: every line of every shard then has the same columns, which
    `datasets` insists on."""
    return {**row, **{name: to_json(row[name]) for name in OBJECT_COLUMNS if name in row}}


def _tar(stem: str, index: str, samples: Sequence[DatasetSample]) -> dict[str, bytes]:
    out, lines = io.BytesIO(), []
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for s in samples:
            files = {
                s.suffix: s.picture,
                **s.extras,
                "txt": s.caption.encode(),
                "json": to_json(_with_text(s.row)).encode(),
            }
            members: dict[str, list[int]] = {}
            for suffix, data in files.items():
                info = tarfile.TarInfo(f"{s.key}.{suffix}")
                info.size = len(data)
                members[suffix] = [tar.offset + tarfile.BLOCKSIZE, len(data)]
                tar.addfile(info, io.BytesIO(data))
            lines.append(to_json({"key": s.key, "members": members, "row": s.row}) + "\n")
    return {f"{stem}.tar": out.getvalue(), index: "".join(lines).encode()}


def _parquet(stem: str, samples: Sequence[DatasetSample], captions: Sequence[str]) -> dict[str, bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = []
    for s in samples:
        row: dict[str, Any] = {"key": s.key, "image": _embedded(f"{s.key}.{s.suffix}", s.picture), CAPTION: s.caption}
        row |= {name: s.row[name] for name in captions if name != CAPTION and name in s.row}
        row |= {suffix.partition(".")[0]: _embedded(f"{s.key}.{suffix}", data) for suffix, data in s.extras.items()}
        rows.append(row | {FACTS: s.row.get(FACTS), "metadata": to_json(s.row)})
    features = {name: facts_features() if name == FACTS else _feature(value) for name, value in rows[0].items()}
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    arrays = [pa.array(v, arrow_type("facts")) if n == FACTS else pa.array(v) for n, v in columns.items()]
    table = pa.Table.from_arrays(arrays, names=list(columns)).replace_schema_metadata(
        {
            "huggingface": to_json({"info": {"features": features}})
        }  # what `datasets` and the hub's viewer show pictures by
    )
    out = io.BytesIO()
    pq.write_table(table, out, compression="none", row_group_size=64)
    return {f"{stem}.parquet": out.getvalue()}


def rows_of(store: Store, shard_format: str, split: str, shard: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """(key, line of metadata) of a shard's samples in order, without reading its pictures where that can be."""
    stem = shard_stem(split, shard)
    if shard_format == "imagefolder":
        for number, line in enumerate(store.read(f"{stem}/{METADATA_LINES}").splitlines(), 1):
            key, _, row = read_line(line, f"{stem}/{METADATA_LINES}:{number}")
            yield key, row
    elif shard_format == "webdataset":
        index = index_name(shard)
        for number, line in enumerate(store.read(index).splitlines(), 1):
            entry = json.loads(line)
            yield entry["key"], read_row(to_json(entry["row"]).encode(), f"{index}:{number}")
    else:
        for sample in read_shard(store, shard_format, split, shard):
            yield sample.key, dict(sample.row)


def _feature(value: Any) -> Mapping[str, Any]:
    """The type of a column, as `datasets` spells it."""
    if not isinstance(value, Mapping):
        return _TEXT
    return _IMAGE if is_image(value["path"]) else {"bytes": {"dtype": "binary", "_type": "Value"}, "path": _TEXT}


def _embedded(name: str, data: bytes) -> Mapping[str, Any]:
    return {"bytes": data, "path": name}
