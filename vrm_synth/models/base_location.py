"""Where base models lie: which names can mean one, and the places where a run's base may be by now. Needs no torch."""

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
    """Raises ModelError where a name can mean no base model: neither a folder, owner/repository@revision, nor tiny."""
    if source == TINY or is_repository(source) or Path(source).is_dir():
        return
    if source in PRESETS:
        what = "a preset says what a base is, not where it lies"
        raise ModelError(what, got=source, allowed=f"--base FOLDER --preset {source}")
    raise ModelError("no such base model", got=source, allowed="a diffusers folder, owner/repository@revision, or tiny")


def is_repository(source: str) -> bool:
    """Whether it names a repository of the hub and not a folder."""
    return REPOSITORY.fullmatch(source) is not None and not Path(source).is_dir()


def kept_source(name: str, folder: Path, run: Path) -> dict[str, Any]:
    """What a run keeps to find its base again, for `places`: the hub's name with the commit that was opened, or the
    folder's path, absolute and from the run's folder. name, folder: the base's."""
    if folder == (run / "base").resolve():
        return {"base": "base"}
    if is_repository(name):
        return {"base": _pinned(name, folder)}
    return {"base": str(folder), "base_from_run": os.path.relpath(folder, run.resolve())}


def places(run: Path, model: Mapping[str, Any]) -> list[str]:
    """Where the base that a run began with may be, best first: what `open_base` takes. model: as state.json has it.

    Raises ModelError where there is no such place.
    """
    source, name = str(model["base"]), str(model["name"])
    if source == "base":
        found = [str(run / "base")]
    elif is_repository(source):
        return [source]
    else:
        beside = model.get("base_from_run")
        found = [source, *([os.path.normpath(run.resolve() / str(beside))] if beside else [])]
    found = [place for place in dict.fromkeys(found) if Path(place).is_dir()]
    if is_repository(name):  # of an older run, which kept the place in the hub's cache alone
        found.append(_pinned(name, Path(source)))
    if not found:
        allowed = "--base with where it lies now"
        raise ModelError("the base that the run began with is not there", got=source, allowed=allowed, where=run)
    return found


def _pinned(name: str, folder: Path) -> str:
    """The hub's name with the commit instead of a revision that moves; folder: a snapshot in its cache."""
    repository, _, revision = name.partition("@")
    return f"{repository}@{folder.name if _COMMIT.fullmatch(folder.name) else revision}"
