"""Render blocks of a recipe's dataset with Ray: one actor renders, packs and writes a whole block in one call.

Pictures never leave the process that rendered them; the driver gets what a progress bar and a report need. A block
that its process died of is tried MAX_BLOCK_TRIES times in all. Then its shots are rendered one by one and gathered
here, which is how the engine of this machine works (render_blocks.py): each crash then has a shot's number, and a shot
that two processes have died of is quarantined, while all the others are kept.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.render_blocks import Progress, RecipeDataset
from vrm_synth.dataset.render_task import RenderResult, RenderTask
from vrm_synth.dataset.shards.block_writer import BlockWriter
from vrm_synth.execution.crash_policy import MAX_BLOCK_TRIES
from vrm_synth.execution.ray_cluster import LOCAL_CLUSTER, Cluster, connected, run_task_on_ray
from vrm_synth.io.file_names import PROBE_PREFIX
from vrm_synth.io.store import Store

REPORT_INTERVAL = 0.2  # seconds; an event costs Ray 2.5 ms, longer than a GPU draws a picture


class ShotReport(NamedTuple):
    """A shot was rendered or quarantined.

    i: number of the shot.
    attempts: how many it took.
    reason: why it is quarantined, "" where it is not.
    """

    i: int
    attempts: int
    reason: str


@dataclass(frozen=True)
class BlockReport:
    """A block is in the store.

    block: its number.
    shards: how many shards were written.
    """

    block: int
    shards: int


@dataclass(frozen=True)
class CrashedBlock:
    """A worker process died while it was at a block.

    block: its number.
    exit_reason: how the process ended.
    """

    block: int
    exit_reason: str


Event = tuple[ShotReport, ...] | BlockReport | CrashedBlock


@dataclass(frozen=True)
class BlockTask:
    """Make blocks of a dataset by their numbers.

    render_task: renders their shots.
    writer: writes their shards.
    probe: name of a file that the driver has put into the dataset.
    """

    render_task: RenderTask
    writer: BlockWriter
    probe: str

    def on_device(self, device: int) -> BlockTask:
        """The same task on one EGL device."""
        return replace(self, render_task=self.render_task.on_device(device))

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[int], Iterator[Event]]]:
        """A function from a block to its events. Raises DatasetError where this node sees another folder than the
        driver."""
        store = self.writer.store
        if not store.exists(self.probe):
            allowed = "a folder that every node shares, or a URL"
            raise DatasetError("a node does not see this dataset", allowed=allowed, where=str(store))
        with self.render_task.open() as render:
            yield functools.partial(self._make_block, render)

    def _make_block(self, render: Callable[[int], Iterable[RenderResult]], block: int) -> Iterator[Event]:
        """Render a block's shots, avatar by avatar, and write its shards: yields reports of shots now and then, and
        one of the block at the end."""
        results: dict[int, RenderResult] = {}
        reports: list[ShotReport] = []
        last = time.monotonic()
        for same_avatar_shots in self.writer.groups(self.writer.plan.shots(block)):
            for i in same_avatar_shots:
                (results[i],) = render(i)  # one result a shot
                reports.append(ShotReport(i, results[i].attempts, results[i].reason))
                if time.monotonic() - last > REPORT_INTERVAL:
                    yield tuple(reports)
                    reports, last = [], time.monotonic()
        yield tuple(reports)
        yield BlockReport(block, self.writer.put(block, results))

    def on_crash(self, block: int, exit_reason: str) -> tuple[CrashedBlock]:
        """Report the crash; the caller decides what happens to the block."""
        return (CrashedBlock(block, exit_reason),)


def render_blocks_on_ray(
    dataset: RecipeDataset,
    blocks: Sequence[int],
    actors: int,
    cluster: Cluster = LOCAL_CLUSTER,
    done: Callable[[], object] = lambda: None,
    note: Callable[[str], object] = lambda text: None,
) -> Progress:
    """Render blocks with Ray: the same bytes as `RecipeDataset.render_blocks`. Raises what that raises, and RenderError
    where Ray cannot be had."""
    start = time.monotonic()
    dataset.begin(blocks)
    run = _Run(dataset, actors, cluster, done, note)
    with connected(cluster, actors), _probe(dataset.store) as run.probe:
        pending = list(blocks)
        for _ in range(MAX_BLOCK_TRIES):
            pending = run.make_blocks(pending)
        run.make_shot_by_shot(pending)
    run.progress.seconds = time.monotonic() - start
    return run.progress


@contextlib.contextmanager
def _probe(store: Store) -> Iterator[str]:
    """The name of an empty file in the dataset's folder, for as long as a run lasts: by it a node sees that its
    folder is the driver's. Not dataset.json, which comes with the first shard."""
    name = f"{PROBE_PREFIX}{secrets.token_hex(8)}"
    store.put_file(name, b"")
    try:
        yield name
    finally:
        store.delete(name)


class _Run:
    """The state of a run: its progress, and the shots that were counted."""

    def __init__(
        self,
        dataset: RecipeDataset,
        actors: int,
        cluster: Cluster,
        done: Callable[[], object],
        note: Callable[[str], object],
    ):
        self._dataset, self._actors, self._cluster, self._done, self._note = dataset, actors, cluster, done, note
        self._counted: set[int] = set()  # shots that `done` was called for whose blocks are not in the store
        self.probe = ""
        self.progress = Progress()

    def make_blocks(self, blocks: Sequence[int]) -> list[int]:
        """Make blocks in one call each; returns those that their process died of."""
        task = BlockTask(self._dataset.task, self._dataset.writer, self.probe)
        crashed: list[int] = []
        reports: dict[int, ShotReport] = {}
        with contextlib.closing(run_task_on_ray(task, [blocks], self._actors, self._cluster, self._note)) as events:
            for event in events:
                if isinstance(event, CrashedBlock):
                    crashed.append(event.block)
                    self.progress.crashes += 1
                    self._note(f"block {event.block}: the process that made it died ({event.exit_reason})")
                elif isinstance(event, BlockReport):
                    self._add_block(event, reports)
                else:
                    reports |= {report.i: report for report in event}
                    for report in event:
                        self._count(report.i)
        return sorted(crashed)

    def make_shot_by_shot(self, blocks: Sequence[int]) -> None:
        """Make blocks whose shots are rendered by actors and gathered here."""
        if not blocks:
            return
        engine = functools.partial(run_task_on_ray, actors=self._actors, cluster=self._cluster, note=self._note)
        counted = iter(sorted(self._counted))

        def done() -> None:
            if next(counted, None) is None:  # as many as were counted before are not counted again
                self._done()

        made = self._dataset.render_blocks(blocks, engine, done, self._note)
        for name in ("pictures", "retries", "quarantined", "crashes", "shards"):
            setattr(self.progress, name, getattr(self.progress, name) + getattr(made, name))
        self.progress.max_open_blocks = made.max_open_blocks

    def _count(self, i: int) -> None:
        if i not in self._counted:
            self._counted.add(i)
            self._done()

    def _add_block(self, block: BlockReport, reports: dict[int, ShotReport]) -> None:
        self.progress.shards += block.shards
        for i in self._dataset.plan.shots(block.block):
            self._counted.discard(i)
            report = reports.pop(i)
            self.progress.pictures += not report.reason
            self.progress.quarantined += bool(report.reason)
            self.progress.retries += report.attempts - 1
            if report.reason:
                self._note(f"shot {i:06d} is quarantined: {report.reason}")
