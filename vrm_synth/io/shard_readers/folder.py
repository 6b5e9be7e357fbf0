"""Image folders: the lines of metadata.jsonl, and the samples of ours."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.file_names import METADATA_LINES
from vrm_synth.io.shard_readers.sample import MAX_TEXT_BYTES, DatasetSample, read_line, sample_from_files
from vrm_synth.io.store import Store


def metadata_lines(file: BinaryIO, max_bytes: int) -> Iterator[tuple[int, bytes]]:
    """(number from 1, line) of a JSON lines file, blank lines left out, in constant memory.

    A line of more than `max_bytes` comes cut, of max_bytes + 1 bytes, and the rest of it is skipped.
    """
    number = 0
    while line := file.readline(max_bytes + 1):
        number += 1
        if line.isspace():
            continue
        yield number, line
        while line and not line.endswith(b"\n"):
            line = file.readline(max_bytes + 1)


def read_folder(store: Store, stem: str) -> Iterator[DatasetSample]:
    """Read the samples of an image folder's shard, in the order of its metadata.jsonl.

    stem: the shard's folder in the store, "train/00000". Raises DatasetError.
    """
    name = f"{stem}/{METADATA_LINES}"
    suffixes_on_disk: dict[str, list[str]] = {}
    for path in store.list(stem):
        key, _, suffix = PurePosixPath(path).name.partition(".")
        if PurePosixPath(path).name != METADATA_LINES:
            suffixes_on_disk.setdefault(key, []).append(suffix)
    seen: set[str] = set()
    for number, line in metadata_lines(io.BytesIO(store.read(name)), MAX_TEXT_BYTES):
        where = f"{name}:{number}"
        key, suffixes, row = read_line(line, where)
        if key in seen:
            raise DatasetError("a key that comes again", got=key, allowed="each once", where=where)
        seen.add(key)
        every_suffix = dict.fromkeys((*suffixes, *suffixes_on_disk.get(key, ())))
        files = {suffix: store.read(f"{stem}/{key}.{suffix}") for suffix in every_suffix}
        yield sample_from_files(key, {**files, "json": to_json(row).encode()}, where)
