"""Ask a dataset about its pictures, and keep those that you want.

    vrm-synth demo -o out/first --count 24 --size 128
    python examples/curate.py out/first out/smiling "facts.face.expression = 'happy' and facts.face.gaze = 'viewer'"

Says how many pictures each pose has among those that the condition picks, then writes them as a dataset of their own:
what `vrm-synth subset` does, from Python.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from vrm_synth.dataset.derive import DeriveTask, SourceDataset, pick
from vrm_synth.dataset.summary.table import query_table
from vrm_synth.io.file_names import METADATA_TABLE
from vrm_synth.io.store import LocalStore


def main(folder: str, out: str, where: str) -> None:
    poses: Counter[str] = Counter()
    for batch in query_table(Path(folder) / METADATA_TABLE, where, ("pose",)):
        poses.update(batch["pose"].to_pylist())
    for pose, count in poses.most_common():
        print(f"{count:5} {pose}")
    source = SourceDataset.of(LocalStore(Path(folder)))
    picks = pick([source], where)
    DeriveTask((source,), picks, LocalStore(Path(out)), "subset", source.shard_format, where=where).make()
    print(f"{sum(picks.counts().values())} pictures in {out}")


if __name__ == "__main__":
    main(*sys.argv[1:])
