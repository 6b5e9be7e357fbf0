"""Repair a dataset: remove the broken shards, then make what is missing, as a resumed run does.

The completion mark goes first and the record of a shard before its files: whenever this ends, what is there is a
dataset that is not finished, and never one that only looks whole.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.finish import finish, reopen
from vrm_synth.dataset.identity.dataset_json import read_identity
from vrm_synth.dataset.render_blocks import RecipeDataset
from vrm_synth.dataset.render_task import home_of, source_from
from vrm_synth.dataset.settings import DatasetSettings, OutputFormat
from vrm_synth.dataset.verify.expected import DERIVED, expected_dataset
from vrm_synth.dataset.verify.report import VerifyReport
from vrm_synth.execution.process_pool import run_task
from vrm_synth.io.file_names import DATASET_JSON, index_name, record_name
from vrm_synth.io.store import Store
from vrm_synth.licensing.evidence import load_evidence
from vrm_synth.render import open_backend
from vrm_synth.shot import Recipe
from vrm_synth.shot.avatar_sources import is_built_in

NOT_OF_RECIPE = (
    "renderer",
    "format",
    "encoding",
    "shard_size",
    "avatars",
)  # of the settings, what no recipe has


def repair(
    store: Store,
    report: VerifyReport,
    workers: int = 1,
    device: int = 0,
    done: Callable[[], object] = lambda: None,
    note: Callable[[str], object] = lambda text: None,
) -> None:
    """Make the broken shards again, and finish anew; nothing else is touched.

    done: called for each shard that is made. Raises DatasetError where that cannot be done from here, before
    anything is removed, and whatever making raises.
    """
    identity = read_identity(store)
    if not report.broken:
        reopen(store)
        finish(store)
        return
    if DERIVED in identity["recipe"]:
        command = identity["recipe"][DERIVED]["by"]
        discard(store, report.broken)
        raise DatasetError(
            "broken shards of a derived dataset are removed; their sources make them again",
            got=f"{len(report.broken)} shards",
            allowed=f"the same vrm-synth {command} as before",
            where=store,
        )
    dataset = reopen_dataset(store, identity, report.sources, device)
    open_backend(dataset.task.renderer, device).close()  # before anything is removed that nobody here could make
    discard(store, report.broken)
    blocks = dataset.missing()
    dataset.render_blocks(blocks, functools.partial(run_task, workers=workers), note=note)
    for _ in report.broken:
        done()
    dataset.finish()


def discard(store: Store, broken: Sequence[int]) -> None:
    """Remove the completion mark, and records and files of the broken shards. Raises DatasetError."""
    reopen(store)
    numbers, plan = set(broken), expected_dataset(read_identity(store))
    for block in range(plan.blocks):
        for expected in plan.expected(block):
            if expected.number in numbers:
                store.delete(record_name(expected.number))
                for name in filter(expected.owns, (*store.list(expected.split), index_name(expected.number))):
                    store.delete(name)


def reopen_dataset(
    store: Store, identity: Mapping[str, Any], sources: Mapping[str, str], device: int = 0
) -> RecipeDataset:
    """The dataset as its maker opened it, from dataset.json and the names of avatars in its metadata.

    sources: an avatar's SHA-256 → its name in metadata. Raises DatasetError where an avatar's file cannot be told.
    """
    settings = identity["recipe"]
    home = home_of(store, settings["format"])
    avatars = [_source(a, sources, home) for a in settings["avatars"]]
    recipe = {k: v for k, v in settings.items() if k not in NOT_OF_RECIPE and v is not None}
    if recipe.get("views"):
        recipe = {k: v for k, v in recipe.items() if k not in ("crops", "azimuths", "elevations")}
    accepted = sorted({a["license"] for a in identity["avatars"] if not a["is_cc0"]})
    full_recipe = Recipe.model_validate(recipe | {"avatars": avatars, "accept_licenses": accepted})
    if settings.get("settle_seconds", 0) is None:
        full_recipe = full_recipe.model_copy(update={"settle_seconds": None})
    output = OutputFormat(settings["format"], settings["encoding"])
    evidence = load_evidence(None)
    dataset_settings = DatasetSettings(output, settings["shard_size"], settings["renderer"], (device,), evidence)
    return RecipeDataset(full_recipe, store, open_avatar, dataset_settings)


def _source(avatar: Mapping[str, Any], sources: Mapping[str, str], home: Path | None) -> str:
    if is_built_in(avatar["id"]):
        return str(avatar["id"])
    name = sources.get(avatar["sha256"])
    if name is None:
        raise DatasetError(
            "no whole shard tells where its avatar lies",
            got=avatar["id"],
            allowed="the same vrm-synth render as before, once the broken shards' records are deleted",
            where=DATASET_JSON,
        )
    source = source_from(home, name)
    if not is_built_in(source) and not Path(source).is_file():
        allowed = "the file in its place" if home else "a working folder that has it"
        raise DatasetError("an avatar that the broken shards show is not there", got=source, allowed=allowed)
    return source
