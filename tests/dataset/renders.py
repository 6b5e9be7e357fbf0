"""Helpers that render small datasets in the tests' own process, and read their files and rows back."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.dataset.render_blocks import RecipeDataset
from vrm_synth.dataset.settings import DatasetSettings
from vrm_synth.dataset.shards.record import read_records
from vrm_synth.dataset.shards.writers import rows_of
from vrm_synth.execution.process_pool import run_task
from vrm_synth.io.store import LocalStore
from vrm_synth.shot import load_recipe
from vrm_synth.vrm import Avatar

COUNT, SHARD = 10, 4  # shots of the recipe, shots per shard
STRICT = (
    "VRM Public License 1.0 (avatarPermission=onlyAuthor; commercialUsage=personalNonProfit; creditNotation=required; "
    "modification=prohibited)"
)

_open_once = functools.cache(open_avatar)


def open_cached(source: str) -> Avatar:
    """Open an avatar; the built-in one, which takes a second to build, only once per process."""
    return _open_once(source) if source == "demo" else open_avatar(source)


def claim(recipe_file: Path, out: Path, settings: DatasetSettings | None = None) -> RecipeDataset:
    """The dataset of a recipe in the folder `out`; nothing is rendered yet."""
    return RecipeDataset(
        load_recipe(recipe_file), LocalStore(out), open_cached, settings or DatasetSettings(shard_size=SHARD)
    )


def render(
    recipe_file: Path,
    out: Path,
    settings: DatasetSettings | None = None,
    blocks: Iterable[int] | None = None,
    workers: int = 1,
    done: Callable[[], object] = lambda: None,
    note: Callable[[str], object] = lambda text: None,
) -> Path:
    """Render the missing shards of a recipe's dataset, finish it if it is complete, and return its folder."""
    dataset = claim(recipe_file, out, settings)
    dataset.render_blocks(dataset.missing(blocks), functools.partial(run_task, workers=workers), done, note)
    dataset.finish()
    return out


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its relative path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def rows(folder: Path, shard_format: str = "imagefolder") -> list[dict[str, Any]]:
    """Every row of metadata, in the order of the shots."""
    store = LocalStore(folder)
    metadata = [row for r in read_records(store) if r.keys for _, row in rows_of(store, shard_format, r.split, r.shard)]
    return sorted(metadata, key=lambda row: row["i"])
