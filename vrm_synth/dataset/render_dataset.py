"""Render a dataset from a recipe into a folder or a URL, for the commands and the Python API.

The modules that render are imported after the workers' server has started: it imports them, too, meanwhile.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.dataset_handle import FinishedDataset
from vrm_synth.dataset.identity.claim import check_claimable
from vrm_synth.dataset.settings import DatasetSettings
from vrm_synth.execution.worker_environment import start_worker_server, worker_count
from vrm_synth.io.open_store import open_store
from vrm_synth.shot import Recipe, load_recipe

if TYPE_CHECKING:
    from vrm_synth.caption.captioner import Captioner
    from vrm_synth.dataset.render_blocks import Progress, RecipeDataset
    from vrm_synth.execution.ray_cluster import Cluster

# (stage, done, total): stage is "avatars" while they are checked, then "images". Called with done = 0 first.
ProgressCallback = Callable[[str, int, int], object]


@dataclass(frozen=True)
class RenderReport:
    """The result of a run of `render_missing`.

    dataset: the dataset.
    finished: whether it is complete; other machines may have shards to make.
    made: whether any shard was missing when the run began.
    progress: counts and seconds of the run.
    """

    dataset: FinishedDataset
    finished: bool
    made: bool
    progress: Progress


def render_dataset(
    recipe: Recipe | str | Path,
    out: str | Path,
    *,
    workers: int | None = None,
    shard: tuple[int, int] | None = None,
    settings: DatasetSettings | None = None,
    progress: ProgressCallback | None = None,
    captioners: Mapping[str, Captioner] | None = None,
) -> FinishedDataset:
    """Render the pictures of a recipe that are missing in `out`, and finish the dataset when all shards are there.

    recipe: a recipe, or the path of its YAML file.
    out: a folder, or a URL ("s3://bucket/pictures"): new, empty, or one that the same recipe was rendered into.
    workers: processes; None for one per core.
    shard: (i, n) makes the shards of job i of n alone; other jobs, on any machine, make the others.
    progress: called with the stage ("avatars", "images"), how many are done and how many there are.
    captioners: column → captioner of your own, a function (facts, seed) → caption, for columns beside the recipe's.

    Raises RecipeError, AvatarError, LicenseError, UnusableAvatarsError, DatasetError, RenderError. Whatever shards are
    whole when it ends stay, and the same call makes the rest.
    """
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe)
    report = render_missing(
        recipe, str(out), workers=workers, shard=shard, settings=settings, progress=progress, captioners=captioners
    )
    return report.dataset


def render_missing(
    recipe: Recipe,
    out: str,
    *,
    workers: int | None = None,
    shard: tuple[int, int] | None = None,
    settings: DatasetSettings | None = None,
    ray: Cluster | None = None,
    progress: ProgressCallback | None = None,
    note: Callable[[str], object] = lambda line: None,
    captioners: Mapping[str, Captioner] | None = None,
) -> RenderReport:
    """Render as `render_dataset` does; returns a report of the run.

    ray: the cluster whose actors are the workers, instead of processes of this machine; note: called with one line
    about each thing that a user should know of while it runs.
    """
    settings = settings or DatasetSettings()
    progress = progress or (lambda stage, done, total: None)
    _check_captioners(captioners or {}, recipe)
    first, jobs = _check_job(shard)
    if ray is not None and "://" not in out:
        out = os.path.abspath(out)  # an actor's working folder is another
    store = open_store(out)
    check_claimable(store)
    if ray is not None:
        workers = worker_count(workers, recipe.count)
    else:  # they start while the avatars are checked
        workers = start_worker_server(workers, recipe.count, "vrm_synth.dataset.render_blocks")
    from vrm_synth.builtin_avatar.open_avatar import open_avatar
    from vrm_synth.dataset.render_blocks import RecipeDataset, write_metrics
    from vrm_synth.licensing.evidence import load_evidence

    if settings.evidence is None:
        settings = replace(settings, evidence=load_evidence(settings.license_manifest))
    check_progress = _Counter(progress, "avatars", len(set(recipe.avatars)))
    dataset = RecipeDataset(recipe, store, open_avatar, settings, check_progress.advance, note)
    missing = dataset.missing()
    blocks = [block for block in missing if block % jobs == first]
    others = [block for block in missing if block % jobs != first]
    made = _render_blocks(dataset, blocks, workers, ray, progress, note)
    if blocks:
        write_metrics(store, made, workers)
    if captioners and not dataset.missing(others):  # of rows that are there: any function will do, in this process
        from vrm_synth.dataset.caption_dataset import write_column

        for column, captioner in captioners.items():
            write_column(store, column, captioner=captioner)
    finished = dataset.finish(others)  # which another job may have made meanwhile
    return RenderReport(FinishedDataset(store, out), finished, bool(blocks), made)


def _render_blocks(
    dataset: RecipeDataset,
    blocks: Sequence[int],
    workers: int,
    ray: Cluster | None,
    progress: ProgressCallback,
    note: Callable[[str], object],
) -> Progress:
    counter = _Counter(progress, "images", sum(len(dataset.plan.shots(block)) for block in blocks))
    if ray is not None:
        from vrm_synth.dataset.render_blocks_on_ray import render_blocks_on_ray

        return render_blocks_on_ray(dataset, blocks, workers, ray, counter.advance, note)

    from vrm_synth.execution.process_pool import run_task

    return dataset.render_blocks(blocks, functools.partial(run_task, workers=workers), counter.advance, note)


def _check_captioners(captioners: Mapping[str, Captioner], recipe: Recipe) -> None:
    """Raise DatasetError for a column that cannot be one, or is the recipe's, before anything is rendered."""
    from vrm_synth.dataset.caption_columns import check_column

    for column in captioners:
        check_column(column)
        if column in recipe.captions:
            raise DatasetError("a column of the recipe's captions", got=column, allowed="another name")


def _check_job(shard: tuple[int, int] | None) -> tuple[int, int]:
    index, jobs = shard or (0, 1)
    if not 0 <= index < jobs:
        raise DatasetError("not a job of the run", got=f"{index}/{jobs}", allowed="(i, n) with i from 0 to n - 1")
    return index, jobs


class _Counter:
    """Calls a progress callback each time one more is done."""

    def __init__(self, progress: ProgressCallback, stage: str, total: int):
        self._progress, self._stage, self._total, self._done = progress, stage, total, 0
        progress(stage, 0, total)

    def advance(self) -> None:
        """One more is done."""
        self._done += 1
        self._progress(self._stage, self._done, self._total)
