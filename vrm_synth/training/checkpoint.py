"""Write and load checkpoints: atomic, of safetensors and JSON alone, laid out as models/checkpoint_files.py says.

state.json's `sha256` has the hash of every other file. `seed` and `step` are the whole random state of a run: every
draw follows from them (vrm_synth/core/rng.py), so there is no generator whose state would have to be saved.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from vrm_synth.core.errors import TrainError
from vrm_synth.io.atomic_files import file_errors, to_json
from vrm_synth.models import weight_files
from vrm_synth.models.checkpoint_files import (
    EMA,
    STATE,
    Log,
    best_checkpoint,
    check_sha256,
    list_checkpoints,
    newest_undamaged,
    read_state,
    weights_kind,
)

Tensors = Mapping[str, torch.Tensor]
OPTIMIZER = "optimizer.safetensors"
REQUIRED = ("log_bytes", "data_manifests", "world_size", "accumulation")  # keys of state.json that a resume reads


@dataclass(frozen=True)
class SavedCheckpoint:
    """A checkpoint that was read back.

    weights: the trained weights, by parameter name.
    ema: their EMA, by the same names; None without one.
    optimizer: optimizer state, by "parameter/state name".
    state: state.json.
    """

    weights: dict[str, torch.Tensor]
    ema: dict[str, torch.Tensor] | None
    optimizer: dict[str, torch.Tensor]
    state: dict[str, Any]


def save(
    run: Path, step: int, weights: Tensors, ema: Tensors | None, optimizer: Tensors, state: Mapping[str, Any]
) -> None:
    """Write a checkpoint. When this returns it is on the disk, even if the machine loses power. Raises DatasetError."""
    final = run / "checkpoints" / f"step-{step:06d}"
    unfinished = final.with_name(f".{final.name}.part")
    tensors = {f"{weights_kind(state)}.safetensors": weights, OPTIMIZER: optimizer}
    if ema is not None:
        tensors[EMA] = ema
    with file_errors(final, "written"):
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for name, by_name in tensors.items():
            save_file({k: v.detach().contiguous().cpu() for k, v in by_name.items()}, str(unfinished / name))
        hashes = {name: weight_files.sha256(unfinished / name) for name in tensors}
        (unfinished / STATE).write_text(
            to_json({"step": step, **state, "sha256": hashes}, indent=1) + "\n", encoding="utf-8"
        )
        for file in (*unfinished.iterdir(), unfinished):
            _fsync(file)
        if final.exists():  # of the same run and step, hence the same bytes
            shutil.rmtree(final)
        os.rename(unfinished, final)
        _fsync(final.parent)


def prune(run: Path, keep: int) -> None:
    """Delete all but the last `keep` checkpoints and the best."""
    existing = list_checkpoints(run)
    for deleted in (run / "checkpoints").glob(".*.gone"):  # left by a process that was killed while deleting
        shutil.rmtree(deleted)
    retained = {*existing[-keep:], *([best_checkpoint(existing)] if existing else [])}
    for path in existing:
        if path not in retained:
            deleted = path.with_name(f".{path.name}.gone")  # a partly deleted folder must not look like a checkpoint
            with file_errors(path, "deleted"):
                os.rename(path, deleted)
                shutil.rmtree(deleted)


def load_newest(run: Path, log: Log = lambda text: None) -> tuple[SavedCheckpoint | None, list[Path]]:
    """Load the newest undamaged checkpoint. Returns it (None where there is none yet) and the damaged newer ones.

    log: called with one line for each damaged checkpoint.

    Raises ModelError where several checkpoints are all damaged; where the only one is, the error of loading it
    (ModelError or TrainError).
    """
    return newest_undamaged(run, load, log) if list_checkpoints(run) else (None, [])


def set_aside(damaged: Path) -> None:
    """Rename a damaged checkpoint to damaged-step-000123 (-2, -3 …), so that it is kept but no longer loaded."""
    suffixes = itertools.chain([""], (f"-{n}" for n in itertools.count(2)))
    names = (f"damaged-{damaged.name}{suffix}" for suffix in suffixes)
    with file_errors(damaged, "renamed"):
        damaged.rename(next(p for p in map(damaged.with_name, names) if not p.exists()))


def load(folder: Path) -> SavedCheckpoint:
    """Read one checkpoint and verify its hashes. Raises ModelError, TrainError."""
    state = read_state(folder)
    try:
        names = list(state["sha256"])
        for name in names:
            check_sha256(folder, state, name)
        missing = [key for key in REQUIRED if key not in state]
        if missing:
            raise KeyError(missing[0])
        return SavedCheckpoint(
            load_file(str(folder / f"{weights_kind(state)}.safetensors")),
            load_file(str(folder / EMA)) if EMA in names else None,
            load_file(str(folder / OPTIMIZER)),
            state,
        )
    except (KeyError, TypeError, OSError, SafetensorError) as e:
        raise TrainError("checkpoint is damaged", got=repr(e), allowed="another checkpoint", where=folder) from e


def check_same_inputs(
    state: Mapping[str, Any],
    data_manifests: Sequence[str],
    val_manifest: str | None,
    base_hashes: Mapping[str, str],
    run: Path,
) -> None:
    """Raise TrainError where data or base differ from those that a checkpoint was trained on.

    state: the checkpoint's state.json.
    data_manifests: one for each stage; stages may have been added since the checkpoint.
    val_manifest: of the validation data, None without any.
    base_hashes: the base's files → SHA-256.
    """
    if any(a != b for a, b in zip(state["data_manifests"], data_manifests, strict=False)):
        what = "the data is not what the run began with"
        raise TrainError(what, allowed="the same sources, or a new run", where=run)
    if val_manifest != (state.get("validation") or {}).get("manifest"):
        what = "the pictures to validate by are not what the run began with"
        raise TrainError(what, allowed="the same split, or a new run", where=run)
    changed = sorted(k for k, v in state["model"]["hashes"].items() if base_hashes.get(k) != v)
    if changed:
        what = "the base is not what the run began with"
        raise TrainError(what, got=f"another {changed[0]}", allowed="the same files", where=run)


# ------------------------------------------------------------ the optimizer's state, as named tensors


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: list[str]) -> dict[str, torch.Tensor]:
    """Optimizer state by "parameter/state name". names: of its parameters, in its order."""
    out = {}
    for i, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            out[f"{names[i]}/{key}"] = value if isinstance(value, torch.Tensor) else torch.tensor(value)
    return out


def restore_optimizer(optimizer: torch.optim.Optimizer, names: list[str], saved: Tensors) -> None:
    """Load what `optimizer_tensors` gave. A tensor of a parameter's shape gets its strides, too: CUDA's fused AdamW
    refuses contiguous moments for channels_last weights, and 8-bit AdamW would mistake one weight's for another's."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    indices = {name: i for i, name in enumerate(names)}
    state: dict[int, dict[str, Any]] = {}
    for name_and_key, value in saved.items():
        name, _, key = name_and_key.rpartition("/")
        i = indices[name]
        state.setdefault(i, {})[key] = _like_parameter(value, parameters[i])
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _like_parameter(value: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor | int:
    if value.ndim == 0 and not value.is_floating_point():
        return int(value)  # an int before it was saved
    if value.shape != parameter.shape:
        return value
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
