"""Files of a run's checkpoints: find them, read their state and check their hashes. Needs no torch.

RUN/checkpoints/step-000123/
  unet.safetensors | lora.safetensors   the trained weights, float32
  ema.safetensors                       their exponential moving average (EMA), under the same names
  optimizer.safetensors, state.json     state.json has the SHA-256 of the others
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from vrm_synth.core.errors import ModelError, VrmSynthError
from vrm_synth.models import weight_files

STATE = "state.json"
EMA = "ema.safetensors"
_STEP = re.compile(r"step-(\d{6,12})")
_MODEL_TYPES = {"base": str, "name": str, "hashes": dict, "scheduler": dict}

Log = Callable[[str], object]  # called with one line for the user
T = TypeVar("T")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose weights have the hash that state.json records.

    folder: the checkpoint's.
    state: content of state.json.
    weights: the file to load.
    ema: true if `weights` is the EMA.
    """

    folder: Path
    state: dict[str, Any]
    weights: Path
    ema: bool

    @property
    def model(self) -> dict[str, Any]:
        """The entry "model" of state.json: base, LoRA, scheduler config."""
        model: dict[str, Any] = self.state["model"]
        return model


def list_checkpoints(run: Path) -> list[Path]:
    """List the run's finished checkpoints, oldest first."""
    folder = run / "checkpoints"
    if not folder.is_dir():
        return []
    by_step = [(int(m[1]), p) for p in folder.iterdir() if (m := _STEP.fullmatch(p.name)) and (p / STATE).is_file()]
    return [p for _, p in sorted(by_step)]


def find_checkpoint(run: Path, name: str | None = None) -> Path:
    """Find a checkpoint: by name ("step-000100", "100"), "best", or the newest (None, "latest"). Raises ModelError."""
    finished = list_checkpoints(run)
    if not finished:
        raise _no_checkpoint(run)
    if name in (None, "latest"):
        return finished[-1]
    if name == "best":
        return best_checkpoint(finished)
    folder = f"step-{int(name):06d}" if name.isdecimal() else name
    for path in finished:
        if path.name == folder:
            return path
    allowed = ", ".join(["latest", "best", *(p.name for p in finished)])
    raise ModelError("no such checkpoint", got=name, allowed=allowed, where=run)


def open_checkpoint(
    run: Path, name: str | None = None, *, ema: bool = True, log: Log = lambda text: None
) -> Checkpoint:
    """Open a checkpoint, named as for `find_checkpoint`.

    ema: use the EMA weights where the run has them.
    log: called with a line where the newest checkpoint was requested, is damaged and an older one is used instead.

    Raises ModelError.
    """
    if name not in (None, "latest"):
        return _open(find_checkpoint(run, name), ema)
    return newest_undamaged(run, lambda folder: _open(folder, ema), log)[0]


def newest_undamaged(run: Path, load: Callable[[Path], T], log: Log) -> tuple[T, list[Path]]:
    """Load the newest undamaged checkpoint. Returns it and the damaged newer ones.

    load: raises VrmSynthError for a damaged checkpoint.

    Raises ModelError where there is no checkpoint and where several are all damaged; where the only one is, the error
    of `load`.
    """
    finished, damaged = list_checkpoints(run), []
    if not finished:
        raise _no_checkpoint(run)
    for folder in reversed(finished):
        try:
            loaded = load(folder)
        except VrmSynthError as e:
            damaged.append(folder)
            error = e
            continue
        for other in damaged:
            log(f"{other.name} is damaged: {folder.name}, an older checkpoint, is used.")
        return loaded, damaged
    if len(damaged) == 1:
        raise error
    got = ", ".join(p.name for p in damaged)
    raise ModelError("all checkpoints are damaged", got=got, allowed="a copy of one, or a new run", where=run)


def best_checkpoint(finished: list[Path]) -> Path:
    """The checkpoint with the lowest validation loss, or in a run without validation the lowest mean training loss
    since the checkpoint before it. Of equals the older one; a checkpoint without a loss comes last."""
    return min(finished, key=lambda p: (_loss(p), p.name))


def _no_checkpoint(run: Path) -> ModelError:
    return ModelError("no checkpoint yet", allowed="a run of vrm-synth train", where=run)


def _loss(folder: Path) -> float:
    try:
        state = weight_files.read_json(folder / STATE)
        validation = state.get("validation")
        loss = float(state["mean_loss"] if validation is None else validation["loss"])
    except (ModelError, KeyError, TypeError, ValueError):
        return math.inf
    return loss if math.isfinite(loss) else math.inf


def read_state(folder: Path) -> dict[str, Any]:
    """Read a checkpoint's state.json and check its entry "model". Raises ModelError."""
    file = folder / STATE
    state = weight_files.read_json(file)
    model = state.get("model")
    if not isinstance(model, dict) or not {"lora", "preset", "scratch"} <= set(model):
        raise ModelError(
            "not a checkpoint's state", allowed="model with lora, preset and scratch", where=folder / STATE
        )
    for key, expected in _MODEL_TYPES.items():
        if not isinstance(model.get(key), expected):
            what = "not a checkpoint's state"
            raise ModelError(
                what, got=f"model.{key}: {model.get(key)!r}", allowed=expected.__name__, where=folder / STATE
            )
    if type(state.get("step")) is not int or not isinstance(state.get("sha256"), dict):
        raise ModelError("not a checkpoint's state", allowed="step and sha256", where=file)
    return state


def check_sha256(folder: Path, state: Mapping[str, Any], name: str) -> None:
    """Check a file of a checkpoint against the hash in its state. Raises ModelError."""
    if weight_files.sha256(folder / name) != state["sha256"].get(name):
        raise ModelError("checkpoint is damaged", got=name, allowed="another checkpoint", where=folder)


def weights_kind(state: Mapping[str, Any]) -> str:
    """The stem of the file of trained weights: "unet" or "lora"."""
    return "unet" if state["model"]["lora"] is None else "lora"


def _open(folder: Path, ema: bool) -> Checkpoint:
    state = read_state(folder)
    use_ema = ema and EMA in state["sha256"]
    file = folder / (EMA if use_ema else f"{weights_kind(state)}.safetensors")
    check_sha256(folder, state, file.name)
    return Checkpoint(folder, state, file, use_ema)
