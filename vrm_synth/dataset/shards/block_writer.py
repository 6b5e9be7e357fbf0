"""Write the shards of a block once all its shots are rendered, each shard's completion record last."""

from __future__ import annotations

import contextlib
import hashlib
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from vrm_synth import __version__
from vrm_synth.dataset.caption_columns import dataset_captions
from vrm_synth.dataset.identity.claim import claim
from vrm_synth.dataset.plan import Plan, PlannedShard, key
from vrm_synth.dataset.render_task import RenderResult
from vrm_synth.dataset.shards.pending import missing_of
from vrm_synth.dataset.shards.record import FileRecord, Record, words_digest
from vrm_synth.dataset.shards.writers import pack
from vrm_synth.io.file_names import record_name
from vrm_synth.io.store import Store

PACKAGES = ("numpy", "pillow", "moderngl", "isal", "pyarrow")


@dataclass(frozen=True)
class BlockWriter:
    """Writes the shards of a plan into a store. Frozen and picklable: every process that writes some has its own copy.

    shard_format: "imagefolder", "webdataset" or "parquet".
    identity: the content of dataset.json.
    """

    plan: Plan
    store: Store
    shard_format: str
    identity: Mapping[str, Any]

    def groups(self, shots: Iterable[int]) -> list[list[int]]:
        """Shots grouped by block and avatar: blocks one after the other, so that few are open at a time."""
        groups: dict[tuple[int, str], list[int]] = {}
        for i in shots:
            groups.setdefault(self.plan.avatar_group(i), []).append(i)
        return list(groups.values())

    def put(self, block: int, results: Mapping[int, RenderResult]) -> int:
        """Write the shards of a block that are missing; returns how many. results: of every shot of the block.

        Raises DatasetError where the folder has become another dataset's, or cannot be written.
        """
        claim(self.store, self.identity)
        missing = set(missing_of(self.store, self.plan.numbers(block)))
        planned = [shard for shard in self.plan.shards(block) if shard.number in missing]
        for shard in planned:
            self._put(shard, [results[i] for i in shard.shots])
        return len(planned)

    def _put(self, shard: PlannedShard, results: list[RenderResult]) -> None:
        samples = [r.sample for r in results if r.sample is not None]
        captions = dataset_captions(self.identity).names
        files = pack(self.shard_format, shard.split, shard.number, samples, captions) if samples else {}
        self.store.put_files(files)
        record = Record(
            shard=shard.number,
            split=shard.split,
            keys=tuple(s.key for s in samples),
            files=tuple(FileRecord.of(name, data) for name, data in files.items()),
            pixels=hashlib.sha256(b"".join(r.pixels for r in results)).hexdigest(),
            words=words_digest([s.row for s in samples]),
            drawn_by=tuple(sorted({str(s.row["renderer"]) for s in samples})),
            packages=packages(),
            quarantined={key(r.i): r.reason for r in results if r.sample is None},
        )
        self.store.put_file(record_name(shard.number), record.to_bytes())


def packages() -> dict[str, str]:
    """Versions of the packages that the bytes depend on."""
    versions = {"vrm-synth": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
