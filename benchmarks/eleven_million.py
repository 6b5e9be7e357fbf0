"""Queries and resume planning on a dataset of 11 million pictures: time and memory without touching any picture.

    python benchmarks/eleven_million.py [--rows 11000000] [--keep FOLDER] [--dry]

Nothing is rendered: the table's rows are those of 64 real shots of the built-in family, mixed anew in every group with
keys, numbers and shards of their own, so that its columns are as wide and as varied as a real table's, but for the
JSON of the shots, which packs better. Of 11,000 shards a seventh has no record; `rows` is then the number of missing
shards. Each measurement runs in its own process; memory is its peak.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import machine
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.caption.captioner import captions
from vrm_synth.dataset.avatar_cache import AvatarCache
from vrm_synth.dataset.identity.dataset_json import identity, identity_bytes
from vrm_synth.dataset.render_shot import render_shot
from vrm_synth.dataset.sample_facts import appearance_of, facts_of
from vrm_synth.dataset.sample_passes import buffers_of
from vrm_synth.dataset.shards.record import FileRecord, Record, sealed
from vrm_synth.dataset.summary.table import ROWS_A_GROUP, schema, table_row
from vrm_synth.io.file_names import DATASET_JSON, METADATA_TABLE, RECORDS_FOLDER, record_name
from vrm_synth.io.store import LocalStore
from vrm_synth.render import open_backend
from vrm_synth.shot import builtin_recipe, plan_shot

SHOTS = 64
A_SHARD = 1000
QUESTIONS = {
    "a face and a crop": "facts.face.expression = 'happy' and crop = 'face'",
    "angles and words": "abs(facts.view.face_azimuth) < 30 and caption like '%smil%'",
    "a list's item": "facts.framing = 'full_body' and list_contains(facts.hair.colors, 'pink')",
    "one in a thousand": "hash(key) % 1000 = 0",
    "everything": "true",
}
ASK = """
import json, sys, time
from pathlib import Path
from vrm_synth.dataset.summary.table import query_table
start = time.perf_counter()
rows = sum(batch.num_rows for batch in query_table(Path(sys.argv[1]), sys.argv[2]))
seconds = time.perf_counter() - start
"""
RESUME = """
import json, sys, time
from pathlib import Path
from vrm_synth.dataset.shards.pending import missing_shards
from vrm_synth.io.store import LocalStore
start = time.perf_counter()
rows = len(missing_shards(LocalStore(Path(sys.argv[1]))))
seconds = time.perf_counter() - start
"""
MISSING = 7  # every so many records is left out
# VmHWM, not ru_maxrss: that starts from the memory of the parent process.
REPORT = """
peak = int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) / 1024
report = {"seconds": round(seconds, 2), "cpu": round(time.process_time(), 2), "MiB": round(peak), "rows": rows}
print(json.dumps(report))
"""


def make_table(path: Path, rows: int) -> None:
    """Write a table with that many rows."""
    open_one = AvatarCache(open_avatar)
    recipe = builtin_recipe(SHOTS)
    pool, backend = [], open_backend("gl")
    for i in range(SHOTS):
        planned = plan_shot(recipe, i, open_one)
        shot, avatar = planned.shot, planned.view.posed.avatar
        appearance = appearance_of(recipe, avatar, shot.figure.avatar)
        buffers = buffers_of(recipe, "gl", appearance.groups.labels)
        posed, frame = render_shot(backend, avatar, shot, posed=planned.posed, buffers=buffers)
        facts = facts_of(planned, appearance, posed, frame)
        row = {
            "i": i,
            "seed": 0,
            "attempt": 0,
            **captions(facts, recipe.captions, shot.choices.wording),
            "avatar": shot.figure.avatar,
            "avatar_sha256": open_one(shot.figure.avatar).sha256,
            "license": "CC0-1.0",
            "renderer": "llvmpipe",
            "shot": shot.to_json(),
            "facts": facts.to_json(),
        }
        pool.append(table_row(row, "", "train", 0))
    backend.close()
    real = pa.Table.from_pylist(pool, schema=schema())
    with pq.ParquetWriter(path, schema(), compression="zstd", compression_level=3) as out:
        for first in range(0, rows, ROWS_A_GROUP):
            numbers = np.arange(first, min(first + ROWS_A_GROUP, rows))
            group = real.take(np.random.default_rng(first).integers(0, SHOTS, len(numbers)))
            own = {"key": [f"{i:08d}" for i in numbers], "i": numbers, "shard": numbers // A_SHARD}
            for name, values in own.items():
                at = schema().get_field_index(name)
                group = group.set_column(at, schema().field(at), pa.array(values, schema().field(at).type))
            out.write_table(group, row_group_size=ROWS_A_GROUP)


def make_records(folder: Path, form: str, rows: int) -> None:
    """dataset.json and the records of all shards but every MISSING-th; no shard."""
    store = LocalStore(folder)
    recipe = builtin_recipe(rows)
    settings = {"avatars": [{"id": s, "sha256": "0" * 64} for s in recipe.avatars], **recipe.model_dump(mode="json")}
    settings |= {"format": form, "shard_size": A_SHARD}
    store.put_file(DATASET_JSON, identity_bytes(identity(settings, {}, [])))
    (folder / RECORDS_FOLDER).mkdir()
    keys = tuple(f"{i:06d}" for i in range(A_SHARD))
    names = [f"train/00000/{k}.png" for k in keys] if form == "imagefolder" else ["train/00000.tar"]
    files = tuple(FileRecord(name, 123_456, f"{n:064x}") for n, name in enumerate(names))
    body = Record(0, "train", keys, files, "0" * 64, "0" * 64, ("llvmpipe",)).to_bytes().rpartition(b",\n")[0]
    for shard in range(math.ceil(rows / A_SHARD)):
        if shard % MISSING:
            sidecar = body.replace(b'"shard": 0', f'"shard": {shard}'.encode(), 1)
            (folder / record_name(shard)).write_bytes(sealed(sidecar))  # put_file would sync each of them


def measured(script: str, *arguments: object) -> dict[str, object]:
    """Run Python code in a subprocess and return the JSON that it prints."""
    command = [sys.executable, "-c", script + REPORT, *map(str, arguments)]
    result: dict[str, object] = json.loads(machine.run_timed(command, machine.ROOT).output)
    return result


def measure(work: Path, rows: int) -> Iterator[dict[str, object]]:
    """Measure, one row of results per measurement."""
    table = work / METADATA_TABLE
    if not table.exists():
        start = time.perf_counter()
        make_table(table, rows)
        print(f"table made in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    print(f"{pq.ParquetFile(table).metadata.num_rows:,} rows, {table.stat().st_size / 1e6:,.0f} MB")
    for form in ("webdataset", "imagefolder"):
        folder = work / form
        if not folder.exists():
            folder.mkdir()
            make_records(folder, form, rows)
        result = measured(RESUME, folder)
        assert result["rows"] == math.ceil(math.ceil(rows / A_SHARD) / MISSING), result
        yield {"measure": f"resume, {form}"} | result
    for name, where in QUESTIONS.items():
        yield {"measure": name} | measured(ASK, table, where)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=11_000_000)
    parser.add_argument("--keep", type=Path, help="a folder that keeps the table for the next run")
    parser.add_argument("--dry", action="store_true", help="add nothing to the results")
    o = parser.parse_args()
    facts = machine.facts()
    print(f"{facts['cpu']}, {facts['cores']} cores, load before {facts['load']}, commit {facts['commit']}")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        work = o.keep or Path(name)
        work.mkdir(exist_ok=True)
        for r in measure(work, o.rows):
            rows.append(facts | r)
            print(
                f"{r['measure']:24}{r['seconds']:8.2f} s{r['cpu']:8.2f} CPU-s{r['MiB']:8.0f} MiB{r['rows']:12,}",
                flush=True,
            )
    if not o.dry:
        machine.append("eleven_million", rows)


if __name__ == "__main__":
    main()
