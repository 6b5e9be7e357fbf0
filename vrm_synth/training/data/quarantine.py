"""Quarantine of rows that training leaves out: counted by reason, and named in a file. No data is moved or removed."""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from vrm_synth.io.atomic_files import file_errors, make_folder, to_json

NAME = "quarantine.jsonl"  # in a run's folder


def summary(counts: Mapping[str, int]) -> str:
    """One line with how much is not used and why; "" where everything is used. counts: reason → rows."""
    several = [f"{n:,} {reason}" for reason, n in sorted(counts.items(), key=lambda c: (-c[1], c[0])) if n]
    return f"Not used: {sum(counts.values()):,} ({'; '.join(several)})" if several else ""


class Quarantine:
    """Record of rows that are left out. Each is named once, even by several runs that share the file.

    path: a .jsonl of {source, key, reason, detail}, to which several processes may write; None to count only.

    Attributes:
    counts: reason → rows.
    """

    def __init__(self, path: Path | None):
        self._path = path
        self._lock = threading.Lock()
        self._added: set[tuple[str, str, str]] = set()
        self.counts: Counter[str] = Counter()
        self._cut = False  # the file ends in half a line, of a process that was killed
        self._written = self._read()

    def add(self, source: str, key: str, reason: str, detail: str) -> None:
        """Add a row. Raises DatasetError where the file cannot be written."""
        entry = source, key, reason
        with self._lock:
            if entry in self._added:
                return
            self._added.add(entry)
            self.counts[reason] += 1
            if self._path is None or entry in self._written:
                return
            line = to_json({"source": source, "key": key, "reason": reason, "detail": detail}) + "\n"
            line, self._cut = "\n" * self._cut + line, False
            make_folder(self._path.parent)
            with file_errors(self._path, "written"):
                handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
                try:
                    os.write(handle, line.encode())  # in one call: other ranks append, too
                finally:
                    os.close(handle)

    def add_counts(self, counts: Mapping[str, int]) -> None:
        """Add rows by reason (reason → rows) without naming them."""
        with self._lock:
            self.counts.update({reason: n for reason, n in counts.items() if n})

    def _read(self) -> set[tuple[str, str, str]]:
        if self._path is None or not self._path.exists():
            return set()
        entries = set()
        with file_errors(self._path, "read"), self._path.open("rb") as lines:
            for line in lines:
                self._cut = not line.endswith(b"\n")
                try:
                    row = json.loads(line)
                    entries.add((row["source"], row["key"], row["reason"]))
                except (ValueError, KeyError, TypeError):
                    continue  # half a line: its row will be written again
        return entries
