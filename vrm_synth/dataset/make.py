"""Recipe → dataset: the gate, then block by block into shards.

Shots are drawn one by one, by whatever engine; here they are gathered until a block is whole, packed into its shards
and put into the store, each shard's completion record last. What a shard consists of follows from the recipe, so that
neither the number of workers nor their order leaves a trace, and the same command again makes just what is missing.
A process that dies costs the shot that it was at another try; what becomes of shots and avatars that kill is
deaths.py's.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vrm_synth.dataset.claim import check_claimable, outgrown, predecessor
from vrm_synth.dataset.finish import finish, is_complete, reopen
from vrm_synth.dataset.layout import METRICS, identity
from vrm_synth.dataset.pending import missing_of
from vrm_synth.dataset.plan import Plan
from vrm_synth.dataset.render_task import (
    LICENSE,
    FailedShot,
    RenderResult,
    RenderTask,
    avatar_id,
    check_output_format,
    home_of,
    is_built_in,
)
from vrm_synth.dataset.settings import DatasetSettings
from vrm_synth.dataset.shards.block_writer import Shards
from vrm_synth.dataset.usable_avatars import usable_avatars
from vrm_synth.execution.crash_policy import IN_A_ROW, OF_AVATAR, OF_SHOT, CrashPolicy
from vrm_synth.execution.process_pool import Task, work
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.store import Store
from vrm_synth.shot import Recipe, source_at
from vrm_synth.vrm.model import Avatar

WINDOW = 64  # blocks that an engine is given at a time: their shots, not those of all, are held in memory


class Engine(Protocol):
    """workers.work, or another that does a task with shots."""

    def __call__(
        self, task: Task[int, Any], groups: Iterable[Sequence[int]], /, *, skip: Callable[[int], bool]
    ) -> Generator[Any, None, None]: ...


@dataclass
class Progress:
    """What has happened so far; for bars and metrics. seconds: of the run; laps: of all processes, by stage, and of
    this one's packing and putting ("put")."""

    pictures: int = 0
    retries: int = 0
    quarantined: int = 0
    deaths: int = 0
    shards: int = 0
    most_open: int = 0
    seconds: float = 0.0
    laps: dict[str, float] = field(default_factory=dict)


class Dataset:
    """A recipe on its way into a store.

    open_avatar: source → Avatar; checked: called for each avatar that was looked at; note: with a line for each that
    is skipped. Making one reads every avatar of the recipe once, and nothing is written yet. Raises LicenseError for
    an avatar that may not be shown, AvatarError for one that cannot be read, UnusableAvatarsError for several,
    DatasetError for a store that is taken or cannot be written: nothing is drawn unless all of it may be.
    """

    def __init__(
        self,
        recipe: Recipe,
        store: Store,
        open_avatar: Callable[[str], Avatar],
        settings: DatasetSettings | None = None,
        checked: Callable[[], object] = lambda: None,
        note: Callable[[str], object] = lambda text: None,
    ):
        settings = settings or DatasetSettings()
        check_output_format(settings.output, recipe)
        check_claimable(store)  # before the avatars are read, which may take long
        usable = usable_avatars(
            recipe,
            open_avatar,
            settings.evidence or {},
            skip_unusable=settings.skip_unusable,
            checked=checked,
            note=note,
        )
        recipe, credits = usable.recipe, usable.credits
        self.plan = Plan(recipe, settings.shard_size)
        self.store = store
        mine = identity(_settings(recipe, credits, settings), _told(recipe), list(credits.values()))
        mine |= {"skipped": list(usable.skipped)} if usable.skipped else {}
        predecessor(store, mine)
        self.shards = Shards(self.plan, store, settings.output.shard_format, mine)
        home = home_of(store, settings.output.shard_format)
        licenses = {source: {k: c[k] for k in LICENSE} for source, c in credits.items()}
        hashes = {source: c["sha256"] for source, c in credits.items()}
        self.drawing = RenderTask(
            recipe,
            home,
            licenses,
            settings.output,
            settings.renderer,
            settings.devices,
            settings.cache_bytes,
            settings.mips,
            hashes,
        )

    def missing(self, blocks: Iterable[int] | None = None) -> list[int]:
        """The blocks, of these or of all, of which a shard is missing."""
        some = range(self.plan.blocks) if blocks is None else blocks
        numbers = [n for b in some for n in self.plan.numbers(b)]
        mine = self.shards.identity
        others = set(outgrown(predecessor(self.store, mine), mine)).intersection(numbers)
        return sorted({n // len(self.plan.splits) for n in others.union(missing_of(self.store, numbers))})

    def make(
        self,
        blocks: Sequence[int],
        engine: Engine = work,
        done: Callable[[], object] = lambda: None,
        note: Callable[[str], object] = lambda text: None,
    ) -> Progress:
        """Draw these blocks and put their shards. done: called for each shot that is through; note: with a line of
        what somebody should know. What is whole when this ends, by its end, an error or an interruption, stays."""
        progress, start = Progress(), time.monotonic()
        self.begin(blocks)
        for at in range(0, len(blocks), WINDOW):
            _DatasetTask(self, progress, done, note).make(blocks[at : at + WINDOW], engine)
        progress.seconds = time.monotonic() - start
        return progress

    def begin(self, blocks: Sequence[int]) -> None:
        """Take the mark of completion away before blocks are made; not yet where it is a smaller dataset's, which is
        whole until the first new shard is put."""
        there = predecessor(self.store, self.shards.identity) if blocks else None
        if there is not None and there["recipe_sha256"] == self.shards.identity["recipe_sha256"]:
            reopen(self.store)

    def finish(self, blocks: Iterable[int] | None = None) -> bool:
        """Table, card and sheet, where all shards are there; whether they are. blocks: where one may be missing."""
        if self.missing(blocks):
            return False
        if not is_complete(self.store):
            finish(self.store)
        return True


class _DatasetTask:
    """Some blocks of a dataset on their way: shots that are through, until their block is whole."""

    def __init__(self, dataset: Dataset, progress: Progress, done: Callable[[], object], note: Callable[[str], object]):
        self._plan, self._shards, self._drawing = dataset.plan, dataset.shards, dataset.drawing
        self._progress, self._done, self._note = progress, done, note
        self._deaths = CrashPolicy(dataset.plan)
        self._open: dict[int, dict[int, RenderResult]] = {}
        self._through: set[int] = set()

    def make(self, blocks: Sequence[int], engine: Engine) -> None:
        """Draw the blocks, again and again while shots are left that a process died of, or that wait for others."""
        left = [i for b in blocks for i in self._plan.shots(b)]
        while left:
            groups = self._shards.groups(left)
            with contextlib.closing(engine(self._drawing, groups, skip=self._deaths.doubtful)) as drawn:
                for event in drawn:
                    if isinstance(event, FailedShot):
                        self._bury(event)
                    else:
                        self._deaths.survived(event.i)
                        self._take(event)
            for i in left:
                if i not in self._through and self._deaths.given_up(i):
                    self._take(RenderResult(i, None, why=OF_AVATAR))
            left = [i for i in left if i not in self._through]

    def _bury(self, lost: FailedShot) -> None:
        self._progress.deaths += 1
        self._note(f"shot {lost.i:06d}: the process that drew it died ({lost.how})")
        if self._deaths.add(lost.i):
            self._take(RenderResult(lost.i, None, why=OF_SHOT))

    def _take(self, drawn: RenderResult) -> None:
        progress = self._progress
        self._through.add(drawn.i)
        progress.retries += drawn.attempts - 1
        if drawn.sample is None and drawn.why != OF_AVATAR:
            self._note(f"shot {drawn.i:06d} is quarantined: {drawn.why}")
        for stage, seconds in drawn.laps.items():
            progress.laps[stage] = progress.laps.get(stage, 0.0) + seconds
        block = drawn.i // self._plan.shard_size
        held = self._open.setdefault(block, {})
        held[drawn.i] = drawn
        progress.most_open = max(progress.most_open, len(self._open))
        self._done()
        if len(held) == len(self._plan.shots(block)):
            self._put(block, self._open.pop(block))

    def _put(self, block: int, whole: dict[int, RenderResult]) -> None:
        start, progress = time.perf_counter(), self._progress
        dropped = [i for i in whole if self._deaths.given_up(i)]
        whole |= {i: RenderResult(i, None, why=OF_AVATAR) for i in dropped}
        for source, n in Counter(source_at(self._plan.recipe, i) for i in dropped).items():
            what = f"avatar {avatar_id(source)} is given up in block {block}, processes died of {IN_A_ROW} of its shots"
            self._note(f"{what} in a row: {n} more of its shots there are quarantined")
        progress.shards += self._shards.put(block, whole)
        progress.quarantined += (quarantined := sum(d.sample is None for d in whole.values()))
        progress.pictures += len(whole) - quarantined
        progress.laps["put"] = progress.laps.get("put", 0.0) + time.perf_counter() - start


def write_metrics(store: Store, progress: Progress, workers: int) -> None:
    """metrics.json of the last run: no part of the data, which knows no clocks."""
    told = {
        "pictures": progress.pictures,
        "seconds": round(progress.seconds, 2),
        "pictures_per_second": round(progress.pictures / progress.seconds, 2) if progress.seconds else None,
        "workers": workers,
        "pictures_per_second_by_stage": {
            stage: round(progress.pictures / seconds, 2) for stage, seconds in progress.laps.items() if seconds
        },
        "shards": progress.shards,
        "retries": progress.retries,
        "quarantined": progress.quarantined,
        "processes_died": progress.deaths,
        "most_blocks_open": progress.most_open,
    }
    store.put_file(METRICS, (to_json(told, indent=1) + "\n").encode())


def _settings(recipe: Recipe, credits: Mapping[str, Mapping[str, Any]], settings: DatasetSettings) -> dict[str, Any]:
    """Everything that the bytes follow from: the recipe, its avatars by their contents, what draws, how files look."""
    avatars = [{"id": credits[s]["id"], "sha256": credits[s]["sha256"]} for s in recipe.avatars]
    output = settings.output
    files = {"format": output.shard_format, "encoding": output.encoding, "passes": list(output.passes)}
    return {
        "avatars": avatars,
        **_dump(recipe),
        "renderer": settings.renderer,
        **files,
        "shard_size": settings.shard_size,
    }


def _told(recipe: Recipe) -> dict[str, Any]:
    """The recipe as one would write it: no defaults, of the avatars' paths only their files' names."""
    defaults = _dump(Recipe.model_validate({"avatars": ["demo"], "count": 1}))
    named = [s if is_built_in(s) else Path(s).name for s in recipe.avatars]
    chosen = {k: v for k, v in _dump(recipe).items() if k in ("count", "seed") or v != defaults.get(k)}
    return {"avatars": named, **chosen}


def _dump(recipe: Recipe) -> dict[str, Any]:
    dumped = recipe.model_dump(mode="json", exclude={"avatar_lists", "accept_licenses"})
    if not recipe.own_poses:
        del dumped["own_poses"]  # a recipe without them is the one that it was before there were any
    return dumped
