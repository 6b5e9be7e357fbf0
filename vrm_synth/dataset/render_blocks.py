"""Render blocks of a recipe's dataset, shot by shot: worker processes draw shots, this process writes the shards.

The avatars are checked first. Shots are rendered one by one, by any engine; here they are gathered until a block is
complete, packed into its shards and put into the store, each shard's completion record last. With Ray workers write
whole blocks themselves (render_blocks_on_ray.py). What a shard consists of follows from the recipe, so that neither
the number of workers nor their order leaves a trace, and the same command again makes just what is missing. What
becomes of shots and avatars that kill a worker is decided by execution/crash_policy.py.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vrm_synth.dataset.caption_columns import ADDED, settings_of
from vrm_synth.dataset.finish import finish, is_complete, reopen
from vrm_synth.dataset.identity.claim import check_claimable, outgrown, resumable_identity
from vrm_synth.dataset.identity.dataset_json import identity
from vrm_synth.dataset.plan import Plan
from vrm_synth.dataset.render_task import (
    LICENSE,
    CrashedShot,
    RenderResult,
    RenderTask,
    avatar_id,
    check_output_format,
    home_of,
)
from vrm_synth.dataset.sample_passes import check_passes, with_manifest_parts
from vrm_synth.dataset.settings import DatasetSettings
from vrm_synth.dataset.shards.block_writer import BlockWriter
from vrm_synth.dataset.shards.pending import missing_of
from vrm_synth.dataset.usable_avatars import usable_avatars
from vrm_synth.execution.crash_policy import (
    AVATAR_GIVEN_UP,
    MAX_CONSECUTIVE_SHOTS,
    SHOT_QUARANTINED,
    ShotCrashPolicy,
)
from vrm_synth.execution.process_pool import run_task
from vrm_synth.execution.task_protocol import Task
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.file_names import METRICS_JSON
from vrm_synth.io.store import Store
from vrm_synth.shot import Recipe, source_at
from vrm_synth.shot.avatar_sources import is_built_in
from vrm_synth.vrm.avatar import Avatar

WINDOW = 64  # blocks that an engine is given at a time: their shots, not those of all, are held in memory


class Engine(Protocol):
    """Runs a task with shots: `process_pool.run_task`, `ray_cluster.run_task_on_ray`."""

    def __call__(
        self, task: Task[int, Any], groups: Iterable[Sequence[int]], /, *, skip: Callable[[int], bool]
    ) -> Generator[Any, None, None]: ...


@dataclass
class Progress:
    """Counts of a run so far, for progress bars and metrics.

    pictures, retries, quarantined: shots rendered, further attempts that they took, shots that could not be made.
    crashes: worker processes that died.
    shards: shards put into the store.
    max_open_blocks: the most blocks that were held in memory at a time.
    seconds: of the run.
    stage_seconds: of all workers, by stage, and of packing and writing in this process ("put").
    """

    pictures: int = 0
    retries: int = 0
    quarantined: int = 0
    crashes: int = 0
    shards: int = 0
    max_open_blocks: int = 0
    seconds: float = 0.0
    stage_seconds: dict[str, float] = field(default_factory=dict)


class RecipeDataset:
    """A recipe that is rendered into a store.

    open_avatar: source → Avatar; checked: called for each avatar that was checked; note: with one line about each that
    is skipped. Making one reads every avatar of the recipe once, and nothing is written yet. Raises LicenseError for
    an avatar that may not be shown, AvatarError for one that cannot be read, UnusableAvatarsError for several,
    DatasetError for a store that is taken or cannot be written: nothing is rendered unless all of it may be.
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
        check_passes(recipe, settings.renderer)
        check_claimable(store)  # before the avatars are read, which may take long
        usable = usable_avatars(
            recipe,
            open_avatar,
            settings.evidence or {},
            skip_unusable=settings.skip_unusable,
            checked=checked,
            note=note,
        )
        credits = usable.credits
        recipe = with_manifest_parts(usable.recipe, credits, settings.evidence or {})
        self.plan = Plan(recipe, settings.shard_size)
        self.store = store
        content = identity(_settings(recipe, credits, settings), _as_written(recipe), list(credits.values()))
        content |= {"skipped": list(usable.skipped)} if usable.skipped else {}
        existing = resumable_identity(store, content)
        added = {} if existing is None else existing.get(ADDED, {})
        content |= {ADDED: added} if added else {}
        self.writer = BlockWriter(self.plan, store, settings.output.shard_format, content)
        self.task = RenderTask(
            recipe,
            home_of(store, settings.output.shard_format),
            {source: {column: c[column] for column in LICENSE} for source, c in credits.items()},
            settings.output,
            settings.renderer,
            settings.devices,
            settings.cache_bytes,
            settings.mips,
            {source: c["sha256"] for source, c in credits.items()},
            settings_of(added),
        )

    def missing(self, blocks: Iterable[int] | None = None) -> list[int]:
        """The blocks, of these or of all, of which a shard is missing."""
        some = range(self.plan.blocks) if blocks is None else blocks
        numbers = [n for b in some for n in self.plan.numbers(b)]
        content = self.writer.identity
        others = set(outgrown(resumable_identity(self.store, content), content)).intersection(numbers)
        return sorted({n // len(self.plan.splits) for n in others.union(missing_of(self.store, numbers))})

    def render_blocks(
        self,
        blocks: Sequence[int],
        engine: Engine = run_task,
        done: Callable[[], object] = lambda: None,
        note: Callable[[str], object] = lambda text: None,
    ) -> Progress:
        """Render these blocks and put their shards into the store.

        done: called for each shot that is rendered or quarantined; note: with one line about what a user should know.
        Blocks that are complete when this ends, normally, by an error or by an interruption, are kept.
        """
        progress, start = Progress(), time.monotonic()
        self.begin(blocks)
        for at in range(0, len(blocks), WINDOW):
            _BlockGatherer(self, progress, done, note).render(blocks[at : at + WINDOW], engine)
        progress.seconds = time.monotonic() - start
        return progress

    def begin(self, blocks: Sequence[int]) -> None:
        """Take the mark of completion away before blocks are made; not yet where it is a smaller dataset's, which is
        whole until the first new shard is put."""
        existing = resumable_identity(self.store, self.writer.identity) if blocks else None
        if existing is not None and existing["recipe_sha256"] == self.writer.identity["recipe_sha256"]:
            reopen(self.store)

    def finish(self, blocks: Iterable[int] | None = None) -> bool:
        """Write table, card and contact sheet, if all shards are there; returns whether they are.

        blocks: those where a shard may be missing.
        """
        if self.missing(blocks):
            return False
        if not is_complete(self.store):
            finish(self.store)
        return True


class _BlockGatherer:
    """Gathers the shots of some blocks until each block is complete, then writes it."""

    def __init__(
        self, dataset: RecipeDataset, progress: Progress, done: Callable[[], object], note: Callable[[str], object]
    ):
        self._plan, self._writer, self._task = dataset.plan, dataset.writer, dataset.task
        self._progress, self._done, self._note = progress, done, note
        self._policy = ShotCrashPolicy(dataset.plan.avatar_group, dataset.plan.group_shots)
        self._open_blocks: dict[int, dict[int, RenderResult]] = {}
        self._finished: set[int] = set()

    def render(self, blocks: Sequence[int], engine: Engine) -> None:
        """Render the blocks, in rounds, while shots are left that a process died of or that wait for others."""
        pending = [i for b in blocks for i in self._plan.shots(b)]
        while pending:
            groups = self._writer.groups(pending)
            with contextlib.closing(engine(self._task, groups, skip=self._policy.should_wait)) as events:
                for event in events:
                    if isinstance(event, CrashedShot):
                        self._add_crash(event)
                    else:
                        self._policy.on_success(event.i)
                        self._add(event)
            for i in pending:
                if i not in self._finished and self._policy.is_given_up(i):
                    self._add(RenderResult(i, None, reason=AVATAR_GIVEN_UP))
            pending = [i for i in pending if i not in self._finished]

    def _add_crash(self, crash: CrashedShot) -> None:
        self._progress.crashes += 1
        self._note(f"shot {crash.i:06d}: the process that drew it died ({crash.exit_reason})")
        if self._policy.on_crash(crash.i):
            self._add(RenderResult(crash.i, None, reason=SHOT_QUARANTINED))

    def _add(self, result: RenderResult) -> None:
        progress = self._progress
        self._finished.add(result.i)
        progress.retries += result.attempts - 1
        if result.sample is None and result.reason != AVATAR_GIVEN_UP:
            self._note(f"shot {result.i:06d} is quarantined: {result.reason}")
        for stage, seconds in result.stage_seconds.items():
            progress.stage_seconds[stage] = progress.stage_seconds.get(stage, 0.0) + seconds
        block = result.i // self._plan.shard_size
        results = self._open_blocks.setdefault(block, {})
        results[result.i] = result
        progress.max_open_blocks = max(progress.max_open_blocks, len(self._open_blocks))
        self._done()
        if len(results) == len(self._plan.shots(block)):
            self._write(block, self._open_blocks.pop(block))

    def _write(self, block: int, results: dict[int, RenderResult]) -> None:
        start, progress = time.perf_counter(), self._progress
        dropped = [i for i in results if self._policy.is_given_up(i)]
        results |= {i: RenderResult(i, None, reason=AVATAR_GIVEN_UP) for i in dropped}
        for source, n in Counter(source_at(self._plan.recipe, i) for i in dropped).items():
            self._note(
                f"avatar {avatar_id(source)} is given up in block {block}, processes died of {MAX_CONSECUTIVE_SHOTS} of"
                f" its shots in a row: {n} more of its shots there are quarantined"
            )
        progress.shards += self._writer.put(block, results)
        progress.quarantined += (quarantined := sum(r.sample is None for r in results.values()))
        progress.pictures += len(results) - quarantined
        progress.stage_seconds["put"] = progress.stage_seconds.get("put", 0.0) + time.perf_counter() - start


def write_metrics(store: Store, progress: Progress, workers: int) -> None:
    """Write metrics.json of the last run: no part of the data, which has no clocks in it."""
    metrics = {
        "pictures": progress.pictures,
        "seconds": round(progress.seconds, 2),
        "pictures_per_second": round(progress.pictures / progress.seconds, 2) if progress.seconds else None,
        "workers": workers,
        "pictures_per_second_by_stage": {
            stage: round(progress.pictures / seconds, 2) for stage, seconds in progress.stage_seconds.items() if seconds
        },
        "shards": progress.shards,
        "retries": progress.retries,
        "quarantined": progress.quarantined,
        "processes_died": progress.crashes,
        "most_blocks_open": progress.max_open_blocks,
    }
    store.put_file(METRICS_JSON, (to_json(metrics, indent=1) + "\n").encode())


def _settings(recipe: Recipe, credits: Mapping[str, Mapping[str, Any]], settings: DatasetSettings) -> dict[str, Any]:
    """Everything that the bytes follow from: the recipe, the hashes of its avatars, the renderer, the output format."""
    avatars = [{"id": credits[s]["id"], "sha256": credits[s]["sha256"]} for s in recipe.avatars]
    output = settings.output
    files = {"format": output.shard_format, "encoding": output.encoding}
    return {
        "avatars": avatars,
        **_dump(recipe),
        "renderer": settings.renderer,
        **files,
        "shard_size": settings.shard_size,
    }


def _as_written(recipe: Recipe) -> dict[str, Any]:
    """The recipe as one would write it: no defaults, of the avatars' paths only their files' names."""
    defaults = _dump(Recipe.model_validate({"avatars": ["demo"], "count": 1}))
    named = [s if is_built_in(s) else Path(s).name for s in recipe.avatars]
    chosen = {k: v for k, v in _dump(recipe).items() if k in ("count", "seed") or v != defaults.get(k)}
    return {"avatars": named, **chosen}


def _dump(recipe: Recipe) -> dict[str, Any]:
    dumped = recipe.model_dump(mode="json", exclude={"avatar_lists", "accept_licenses"})
    if not recipe.own_poses:
        del dumped["own_poses"]  # a recipe without them is the one that it was before there were any
    if not recipe.parts:
        del dumped["parts"]  # likewise
    return dumped
