"""Names of base models, and where a run's base may be now. Needs no torch."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vrm_synth.core.errors import ModelError
from vrm_synth.models.base_presets import PRESETS

REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*@[\w./-]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
TINY = "tiny"


def check_source(source: str) -> None:
    """Raises ModelError unless a name is a folder, owner/repository@revision or tiny."""
    if source == TINY or is_repository(source) or Path(source).is_dir():
        return
    if source in PRESETS:
        what = "a preset is not a base model"
        raise ModelError(what, got=source, allowed=f"--base FOLDER --preset {source}")
    raise ModelError("no such base model", got=source, allowed="a diffusers folder, owner/repository@revision, or tiny")


def is_repository(source: str) -> bool:
    """Tell whether a name is a repository of the Hugging Face hub and not a folder."""
    return REPOSITORY.fullmatch(source) is not None and not Path(source).is_dir()


def base_reference(name: str, folder: Path, run: Path) -> dict[str, Any]:
    """The entries of state.json from which `base_candidates` finds a run's base again.

    Either the hub's name with the commit that was opened, or the folder's path, absolute and relative to the run.
    name, folder: the base model's.
    """
    if folder == (run / "base").resolve():
        return {"base": "base"}
    if is_repository(name):
        return {"base": _pinned(name, folder)}
    return {"base": str(folder), "base_from_run": os.path.relpath(folder, run.resolve())}


def base_candidates(run: Path, model: Mapping[str, Any]) -> list[str]:
    """List where the base that a run started from may be now, most likely first, as `open_base` takes it.

    model: the entry of that name in state.json.

    Raises ModelError where none exists.
    """
    source, name = str(model["base"]), str(model["name"])
    if source == "base":
        candidates = [str(run / "base")]
    elif is_repository(source):
        return [source]
    else:
        relative = model.get("base_from_run")
        candidates = [source, *([os.path.normpath(run.resolve() / str(relative))] if relative else [])]
    candidates = [folder for folder in dict.fromkeys(candidates) if Path(folder).is_dir()]
    if is_repository(name):  # an older run, which recorded only the folder in the hub's cache
        candidates.append(_pinned(name, Path(source)))
    if not candidates:
        allowed = "--base with its present place"
        raise ModelError("the base that the run started from is missing", got=source, allowed=allowed, where=run)
    return candidates


def _pinned(name: str, folder: Path) -> str:
    """The hub's name with the commit instead of a revision that may move; folder: a snapshot in the hub's cache."""
    repository, _, revision = name.partition("@")
    return f"{repository}@{folder.name if _COMMIT.fullmatch(folder.name) else revision}"
