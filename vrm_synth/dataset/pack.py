"""Samples → the files of a shard, in each format. The same samples give the same bytes: no clocks, no owners."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

from vrm_synth.dataset.files import to_json
from vrm_synth.dataset.reader import Sample

FORMATS = ("imagefolder", "webdataset", "parquet")


def pack(form: str, split: str, shard: int, samples: Sequence[Sample]) -> dict[str, bytes]:
    """name → bytes."""
    return {"imagefolder": _folder, "webdataset": _tar, "parquet": _parquet}[form](f"{split}/{shard:05d}", samples)


def _folder(stem: str, samples: Sequence[Sample]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    lines = []
    for s in samples:
        files[f"{stem}/{s.key}.{s.suffix}"] = s.picture
        files |= {f"{stem}/{s.key}.{suffix}": data for suffix, data in s.extras.items()}
        lines.append(to_json({"file_name": f"{s.key}.{s.suffix}", **s.row}) + "\n")
    return files | {f"{stem}/metadata.jsonl": "".join(lines).encode()}


def _tar(stem: str, samples: Sequence[Sample]) -> dict[str, bytes]:
    out = io.BytesIO()
    index: dict[str, dict[str, list[int]]] = {}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for s in samples:
            parts = {s.suffix: s.picture, **s.extras, "txt": s.caption.encode(), "json": to_json(s.row).encode()}
            index[s.key] = {}
            for suffix, data in parts.items():
                info = tarfile.TarInfo(f"{s.key}.{suffix}")
                info.size = len(data)
                index[s.key][suffix] = [tar.offset + tarfile.BLOCKSIZE, len(data)]
                tar.addfile(info, io.BytesIO(data))
    return {f"{stem}.tar": out.getvalue(), f"{stem}.index.json": (to_json(index) + "\n").encode()}


def _parquet(stem: str, samples: Sequence[Sample]) -> dict[str, bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = []
    for s in samples:
        row: dict[str, Any] = {"key": s.key, "image": _embedded(f"{s.key}.{s.suffix}", s.picture), "caption": s.caption}
        row |= {suffix.partition(".")[0]: _embedded(f"{s.key}.{suffix}", data) for suffix, data in s.extras.items()}
        rows.append(row | {"metadata": to_json(s.row)})
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out, compression="none", row_group_size=64)
    return {f"{stem}.parquet": out.getvalue()}


def _embedded(name: str, data: bytes) -> Mapping[str, Any]:
    return {"bytes": data, "path": name}
