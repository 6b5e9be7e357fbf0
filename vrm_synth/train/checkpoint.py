"""Checkpoints: whole or not there, safetensors and JSON alone. Their layout stands in vrm_synth/models/checkpoints.py.

state.json's `sha256` names every other file's bytes; `seed` and `step` are all of a run's chance, for every draw
follows from them (vrm_synth/core/rng.py): there is no generator whose state could be lost.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from vrm_synth.core.errors import TrainError
from vrm_synth.io.atomic_files import file_errors, to_json
from vrm_synth.models import weight_files
from vrm_synth.models.checkpoints import (
    EMA,
    STATE,
    Log,
    best_checkpoint,
    check_sha256,
    checkpoints,
    newest_undamaged,
    read_state,
    weights_kind,
)

Tensors = Mapping[str, torch.Tensor]
NEEDED = ("log_bytes", "data_manifests", "world", "accumulation")  # of state.json, to go on from


@dataclass(frozen=True)
class Saved:
    """What a run goes on from. weights, ema, optimizer: by parameter's name; optimizer's are "name/what"."""

    weights: dict[str, torch.Tensor]
    ema: dict[str, torch.Tensor] | None
    optimizer: dict[str, torch.Tensor]
    state: dict[str, Any]


def save(
    run: Path, step: int, weights: Tensors, ema: Tensors | None, optimizer: Tensors, state: Mapping[str, Any]
) -> None:
    """Write a checkpoint; it is there when this returns, even if the machine loses power. Raises DatasetError."""
    final = run / "checkpoints" / f"step-{step:06d}"
    part = final.with_name(f".{final.name}.part")
    tensors = {f"{weights_kind(state)}.safetensors": weights, "optimizer.safetensors": optimizer}
    if ema is not None:
        tensors[EMA] = ema
    with file_errors(final, "written"):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name, some in tensors.items():
            save_file({k: v.detach().contiguous().cpu() for k, v in some.items()}, str(part / name))
        hashes = {name: weight_files.sha256(part / name) for name in tensors}
        (part / STATE).write_text(to_json({"step": step, **state, "sha256": hashes}, indent=1) + "\n", encoding="utf-8")
        for file in (*part.iterdir(), part):
            _sync(file)
        if final.exists():  # of the same run and step, hence the same
            shutil.rmtree(final)
        os.rename(part, final)
        _sync(final.parent)


def prune(run: Path, keep: int) -> None:
    """Delete all but the last `keep` checkpoints and the best."""
    there = checkpoints(run)
    for gone in (run / "checkpoints").glob(".*.gone"):  # of a process that was killed while it deleted
        shutil.rmtree(gone)
    kept = {*there[-keep:], *([best_checkpoint(there)] if there else [])}
    for path in there:
        if path not in kept:
            gone = path.with_name(f".{path.name}.gone")  # never half a checkpoint under its name
            with file_errors(path, "deleted"):
                os.rename(path, gone)
                shutil.rmtree(gone)


def newest(run: Path, say: Log = lambda text: None) -> tuple[Saved | None, list[Path]]:
    """The last checkpoint that is whole, None where there is none yet; and the damaged ones after it, which `say` names
    in a line each. Raises ModelError, TrainError where all are damaged."""
    return newest_undamaged(run, load, say) if checkpoints(run) else (None, [])


def set_aside(damaged: Path) -> None:
    """Rename a checkpoint to damaged-step-000123 (-2, -3 …), so that it neither counts as one nor is lost."""
    suffixes = itertools.chain([""], (f"-{n}" for n in itertools.count(2)))
    names = (f"damaged-{damaged.name}{suffix}" for suffix in suffixes)
    with file_errors(damaged, "renamed"):
        damaged.rename(next(p for p in map(damaged.with_name, names) if not p.exists()))


def load(place: Path) -> Saved:
    """One checkpoint, verified. Raises ModelError, TrainError."""
    state = read_state(place)
    try:
        names = list(state["sha256"])
        for name in names:
            check_sha256(place, state, name)
        missing = [key for key in NEEDED if key not in state]
        if missing:
            raise KeyError(missing[0])
        return Saved(
            load_file(str(place / f"{weights_kind(state)}.safetensors")),
            load_file(str(place / EMA)) if EMA in names else None,
            load_file(str(place / "optimizer.safetensors")),
            state,
        )
    except (KeyError, TypeError, OSError, SafetensorError) as e:
        raise TrainError("checkpoint is damaged", got=repr(e), allowed="another checkpoint", where=place) from e


# ------------------------------------------------------------ the optimiser's state, as named tensors


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: list[str]) -> dict[str, torch.Tensor]:
    """Its state by "name/what"; names: of its parameters, in its order."""
    out = {}
    for i, state in optimizer.state_dict()["state"].items():
        for what, value in state.items():
            out[f"{names[i]}/{what}"] = value if isinstance(value, torch.Tensor) else torch.tensor(value)
    return out


def restore_optimizer(optimizer: torch.optim.Optimizer, names: list[str], saved: Tensors) -> None:
    """The inverse of `optimizer_tensors`. What has a parameter's shape gets its strides: fused AdamW on CUDA takes no
    contiguous moments for channels_last weights, and 8-bit AdamW would take each for another weight's."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    numbers = {name: i for i, name in enumerate(names)}
    state: dict[int, dict[str, Any]] = {}
    for key, value in saved.items():
        name, _, what = key.rpartition("/")
        number = numbers[name]
        state.setdefault(number, {})[what] = _restored(value, parameters[number])
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _restored(value: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor | int:
    if value.ndim == 0 and not value.is_floating_point():
        return int(value)  # a count that was none before it was saved
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
