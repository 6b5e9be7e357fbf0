"""A dataset by Ray: a block of shots is drawn, packed and put into the store by one actor, in one call.

Pictures never leave the process that drew them; what reaches the driver is what a bar and a report need. A block
that its process died of is given to another `TRIES` times in all. Then its shots are drawn one by one, and gathered
here, which is how the engine of this machine works (dataset/make.py): each death then has a shot's number, and a
shot that two processes have died of is quarantined, while all the others are kept.
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
from vrm_synth.dataset.layout import PROBE
from vrm_synth.dataset.make import Dataset, Progress
from vrm_synth.dataset.render_task import RenderResult, RenderTask
from vrm_synth.dataset.shards.block_writer import Shards
from vrm_synth.execution.ray_cluster import HERE, Cluster, connected, work
from vrm_synth.io.store import Store

TELL = 0.2  # seconds; an event costs Ray 2.5 ms, longer than a GPU draws a picture
TRIES = 2


class ShotReport(NamedTuple):
    """Shot i is through, after so many attempts; why: "" or why it is quarantined."""

    i: int
    attempts: int
    why: str


@dataclass(frozen=True)
class BlockReport:
    """A block is in the store, in so many shards."""

    block: int
    shards: int


@dataclass(frozen=True)
class LostBlock:
    """A process died while it was at a block."""

    block: int
    how: str


Event = tuple[ShotReport, ...] | BlockReport | LostBlock


@dataclass(frozen=True)
class BlockTask:
    """The task of making a dataset's blocks, by their numbers. probe: the name of a file that the driver has put."""

    drawing: RenderTask
    shards: Shards
    probe: str

    def on(self, device: int) -> BlockTask:
        """The same on one EGL device."""
        return replace(self, drawing=replace(self.drawing, devices=(device,)))

    @contextlib.contextmanager
    def opened(self) -> Iterator[Callable[[int], Iterator[Event]]]:
        """Block → what is told of it. Raises DatasetError where the dataset is not the one that the driver sees."""
        store = self.shards.store
        if not store.exists(self.probe):
            allowed = "a folder that every node shares, or a URL"
            raise DatasetError("a node does not see this dataset", allowed=allowed, where=str(store))
        with self.drawing.opened() as draw:
            yield functools.partial(self._make, draw)

    def _make(self, draw: Callable[[int], Iterable[RenderResult]], block: int) -> Iterator[Event]:
        drawn: dict[int, RenderResult] = {}
        told: list[ShotReport] = []
        last = time.monotonic()
        for group in self.shards.groups(self.shards.plan.shots(block)):
            for i in group:
                (drawn[i],) = draw(i)
                told.append(ShotReport(i, drawn[i].attempts, drawn[i].why))
                if time.monotonic() - last > TELL:
                    yield tuple(told)
                    told, last = [], time.monotonic()
        yield tuple(told)
        yield BlockReport(block, self.shards.put(block, drawn))

    def lost(self, block: int, how: str) -> tuple[LostBlock]:
        """Whoever makes the dataset decides what becomes of it."""
        return (LostBlock(block, how),)


def make(
    dataset: Dataset,
    blocks: Sequence[int],
    actors: int,
    cluster: Cluster = HERE,
    done: Callable[[], object] = lambda: None,
    note: Callable[[str], object] = lambda text: None,
) -> Progress:
    """Dataset.make by Ray: the same bytes. Raises what that raises, and RenderError where Ray cannot be had."""
    start = time.monotonic()
    dataset.begin(blocks)
    run = _Run(dataset, actors, cluster, done, note)
    with connected(cluster, actors), _probe(dataset.store) as run.probe:
        left = list(blocks)
        for _ in range(TRIES):
            left = run.whole(left)
        run.shot_by_shot(left)
    run.progress.seconds = time.monotonic() - start
    return run.progress


@contextlib.contextmanager
def _probe(store: Store) -> Iterator[str]:
    """The name of an empty file in the dataset's folder, for as long as a run is at work: by it a node sees that its
    folder is the driver's. Not dataset.json, which comes with the first shard."""
    name = f"{PROBE}{secrets.token_hex(8)}"
    store.put_file(name, b"")
    try:
        yield name
    finally:
        store.delete(name)


class _Run:
    """A run's state: what has been told of so far."""

    def __init__(
        self,
        dataset: Dataset,
        actors: int,
        cluster: Cluster,
        done: Callable[[], object],
        note: Callable[[str], object],
    ):
        self._dataset, self._actors, self._cluster, self._done, self._note = dataset, actors, cluster, done, note
        self._seen: set[int] = set()  # shots that `done` was called for whose blocks are not in the store
        self.probe = ""
        self.progress = Progress()

    def whole(self, blocks: Sequence[int]) -> list[int]:
        """Make blocks in one call each; returns those that their process died of."""
        task = BlockTask(self._dataset.drawing, self._dataset.shards, self.probe)
        lost: list[int] = []
        told: dict[int, ShotReport] = {}
        with contextlib.closing(work(task, [blocks], self._actors, self._cluster, self._note)) as events:
            for event in events:
                if isinstance(event, LostBlock):
                    lost.append(event.block)
                    self.progress.deaths += 1
                    self._note(f"block {event.block}: the process that made it died ({event.how})")
                elif isinstance(event, BlockReport):
                    self._put(event, told)
                else:
                    told |= {t.i: t for t in event}
                    for t in event:
                        self._tell(t.i)
        return sorted(lost)

    def shot_by_shot(self, blocks: Sequence[int]) -> None:
        """Make blocks whose shots are drawn by actors and gathered here."""
        if not blocks:
            return
        engine = functools.partial(work, actors=self._actors, cluster=self._cluster, note=self._note)
        again = iter(sorted(self._seen))

        def done() -> None:
            if next(again, None) is None:  # those of `again` have been counted
                self._done()

        made = self._dataset.make(blocks, engine, done, self._note)
        for name in ("pictures", "retries", "quarantined", "deaths", "shards"):
            setattr(self.progress, name, getattr(self.progress, name) + getattr(made, name))
        self.progress.most_open = made.most_open

    def _tell(self, i: int) -> None:
        if i not in self._seen:
            self._seen.add(i)
            self._done()

    def _put(self, put: BlockReport, told: dict[int, ShotReport]) -> None:
        self.progress.shards += put.shards
        for i in self._dataset.plan.shots(put.block):
            self._seen.discard(i)
            t = told.pop(i)
            self.progress.pictures += not t.why
            self.progress.quarantined += bool(t.why)
            self.progress.retries += t.attempts - 1
            if t.why:
                self._note(f"shot {i:06d} is quarantined: {t.why}")
