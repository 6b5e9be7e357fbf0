"""A run's checkpoints: found, and known to be whole. Needs no torch.

RUN/checkpoints/step-000123/
  unet.safetensors | lora.safetensors   what was trained, single precision
  ema.safetensors                       its running mean, under the same names
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
_OF_MODEL = {"base": str, "name": str, "hashes": dict, "scheduler": dict}

Say = Callable[[str], object]
T = TypeVar("T")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose weights have the bytes that were written.

    place: its folder; state: of state.json; weights: the file to use; ema: whether that is the running mean.
    """

    place: Path
    state: dict[str, Any]
    weights: Path
    ema: bool

    @property
    def model(self) -> dict[str, Any]:
        """What it says of the model: base, LoRA, schedule."""
        found: dict[str, Any] = self.state["model"]
        return found


def checkpoints(run: Path) -> list[Path]:
    """The run's finished checkpoints, oldest first."""
    folder = run / "checkpoints"
    if not folder.is_dir():
        return []
    found = [(int(m[1]), p) for p in folder.iterdir() if (m := _STEP.fullmatch(p.name)) and (p / STATE).is_file()]
    return [p for _, p in sorted(found)]


def find_checkpoint(run: Path, name: str | None = None) -> Path:
    """One checkpoint: by name ("step-000100", "100"), "best", or the newest (None, "latest"). Raises ModelError."""
    there = checkpoints(run)
    if not there:
        raise ModelError("no checkpoint yet", allowed="a run of vrm-synth train", where=run)
    if name in (None, "latest"):
        return there[-1]
    if name == "best":
        return best(there)
    wanted = f"step-{int(name):06d}" if name.isdecimal() else name
    for path in there:
        if path.name == wanted:
            return path
    allowed = ", ".join(["latest", "best", *(p.name for p in there)])
    raise ModelError("no such checkpoint", got=name, allowed=allowed, where=run)


def open_checkpoint(
    run: Path, name: str | None = None, *, ema: bool = True, say: Say = lambda text: None
) -> Checkpoint:
    """As `find_checkpoint` takes it; ema: its running mean, where the run keeps one. Where the newest was asked for and
    is damaged, the one before it is taken, and `say` called with a line about it. Raises ModelError."""
    if name not in (None, "latest"):
        return _opened(find_checkpoint(run, name), ema)
    find_checkpoint(run)
    return newest_whole(run, lambda place: _opened(place, ema), say)[0]


def newest_whole(run: Path, load: Callable[[Path], T], say: Say) -> tuple[T, list[Path]]:
    """The newest checkpoint that `load` takes, and the damaged ones after it. load: raises VrmSynthError for those.

    Raises ModelError where all are damaged.
    """
    there, damaged = checkpoints(run), []
    for place in reversed(there):
        try:
            found = load(place)
        except VrmSynthError as e:
            damaged.append(place)
            last = e
            continue
        for other in damaged:
            say(f"{other.name} is damaged: {place.name}, the one before it, is used.")
        return found, damaged
    if len(damaged) == 1:
        raise last
    got = ", ".join(p.name for p in damaged)
    raise ModelError("all checkpoints are damaged", got=got, allowed="a copy of one, or a new run", where=run)


def best(there: list[Path]) -> Path:
    """The one with the least loss on pictures that are not trained on; of a run without such, the least mean loss since
    the one before it. The older of equals; one that does not say is the last of all."""
    return min(there, key=lambda p: (_loss(p), p.name))


def _loss(place: Path) -> float:
    try:
        state = weight_files.read_json(place / STATE)
        validation = state.get("validation")
        loss = float(state["mean_loss"] if validation is None else validation["loss"])
    except (ModelError, KeyError, TypeError, ValueError):
        return math.inf
    return loss if math.isfinite(loss) else math.inf


def read_state(place: Path) -> dict[str, Any]:
    """Of a checkpoint, `model` in it checked. Raises ModelError."""
    state = weight_files.read_json(place / STATE)
    model = state.get("model")
    if not isinstance(model, dict) or not {"lora", "preset", "scratch"} <= set(model):
        raise ModelError("not a checkpoint's state", allowed="model with lora, preset and scratch", where=place / STATE)
    for key, kind in _OF_MODEL.items():
        if not isinstance(model.get(key), kind):
            what = "not a checkpoint's state"
            raise ModelError(what, got=f"model.{key}: {model.get(key)!r}", allowed=kind.__name__, where=place / STATE)
    if type(state.get("step")) is not int or not isinstance(state.get("sha256"), dict):
        raise ModelError("not a checkpoint's state", allowed="step and sha256", where=place / STATE)
    return state


def verify(place: Path, state: Mapping[str, Any], name: str) -> None:
    """Whether a checkpoint's file has the bytes that were written. Raises ModelError."""
    if weight_files.sha256(place / name) != state["sha256"].get(name):
        raise ModelError("checkpoint is damaged", got=name, allowed="another checkpoint", where=place)


def kind_of(state: Mapping[str, Any]) -> str:
    """What a run trains, as its file is called: "unet" or "lora"."""
    return "unet" if state["model"]["lora"] is None else "lora"


def _opened(place: Path, ema: bool) -> Checkpoint:
    state = read_state(place)
    use_ema = ema and EMA in state["sha256"]
    file = place / (EMA if use_ema else f"{kind_of(state)}.safetensors")
    verify(place, state, file.name)
    return Checkpoint(place, state, file, use_ema)
