"""A training run's checkpoint as a model.

RUN/checkpoints/step-000123/
  unet.safetensors | lora.safetensors   what was trained, single precision
  ema.safetensors                       its running mean, under the same names
  optimizer.safetensors, state.json
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file

from vrm_synth.core.errors import ModelError
from vrm_synth.models import files
from vrm_synth.models.base import Base, open_base

STATE = "state.json"
_STEP = re.compile(r"step-(\d{6,12})")


def checkpoints(run: Path) -> list[Path]:
    """The run's finished checkpoints, oldest first."""
    folder = run / "checkpoints"
    if not folder.is_dir():
        return []
    found = [(int(m[1]), p) for p in folder.iterdir() if (m := _STEP.fullmatch(p.name)) and (p / STATE).is_file()]
    return [p for _, p in sorted(found)]


def find_checkpoint(run: Path, name: str | None = None) -> Path:
    """One checkpoint: by name ("step-000100"), "best", or the newest. Raises ModelError."""
    there = checkpoints(run)
    if not there:
        raise ModelError("no checkpoint yet", allowed="a run of vrm-synth train", where=run)
    if name is None:
        return there[-1]
    if name == "best":
        return best(there)
    wanted = f"step-{int(name):06d}" if name.isdecimal() else name
    for path in there:
        if path.name == wanted:
            return path
    raise ModelError("no such checkpoint", got=name, allowed=", ".join(["best", *(p.name for p in there)]), where=run)


def best(there: list[Path]) -> Path:
    """The one with the least loss on pictures that are not trained on; of a run without such, the least mean loss since
    the one before it. The older of equals."""
    return min(there, key=lambda p: (_loss(files.read_json(p / STATE)), p.name))


def _loss(state: dict[str, Any]) -> float:
    validation = state.get("validation")
    return float(state.get("mean_loss", float("inf")) if validation is None else validation["loss"])


def open_run(run: Path, checkpoint: str | None = None, *, ema: bool = True, offline: bool = True) -> Base:
    """The base with a checkpoint's U-Net in it; ema: its running mean, where the run keeps one. Raises ModelError."""
    place = find_checkpoint(run, checkpoint)
    state = files.read_json(place / STATE)
    model = state["model"]
    base = open_run_base(run, model, offline=offline)
    use_ema = ema and (place / "ema.safetensors").is_file()
    name = "unet" if model["lora"] is None else "lora"
    file = place / ("ema.safetensors" if use_ema else f"{name}.safetensors")
    verify(place, state, file.name)
    unet = add_lora(base.unet, model["lora"]) if model["lora"] is not None else base.unet
    load_into(unet, file)
    if model["lora"] is not None:
        from peft.tuners.tuners_utils import BaseTunerLayer

        for module in list(unet.modules()):
            if isinstance(module, BaseTunerLayer):
                module.merge()
        unet = _without_lora(unet)
    identity = {"run": run.resolve().name, "step": state["step"], "weights_sha256": state["sha256"][file.name]}
    unet = unet.eval().requires_grad_(False)
    return replace(
        base,
        unet=unet,
        name=run.resolve().name,
        scheduler_config=model["scheduler"],
        identity={**base.identity, **identity, "ema": use_ema},
    )


def open_run_base(run: Path, model: dict[str, Any], *, offline: bool = True) -> Base:
    """The base that a run began with. model: as state.json has it. Raises ModelError where it is another by now."""
    source = model["base"]
    folder = run / source if source == "base" else source
    base = open_base(folder, preset=model["preset"], offline=offline, scratch=model["scratch"])
    changed = sorted(k for k, v in model["hashes"].items() if base.hashes.get(k) != v)
    if changed:
        what = "the base is not the one that the run began with"
        raise ModelError(what, got=changed[0], allowed="the same files", where=folder)
    return base


def verify(place: Path, state: dict[str, Any], name: str) -> None:
    """Whether a checkpoint's file has the bytes that were written. Raises ModelError."""
    if files.sha256(place / name) != state["sha256"].get(name):
        raise ModelError("checkpoint is damaged", got=name, allowed="another checkpoint", where=place)


def load_into(unet: UNet2DConditionModel, file: Path) -> None:
    """Copy a file's tensors into the U-Net's parameters of the same names. Raises ModelError."""
    own = dict(unet.named_parameters())
    shapes = files.tensors(file)
    wrong = sorted(k for k, shape in shapes.items() if k not in own or tuple(own[k].shape) != shape)
    if wrong or not shapes:
        raise ModelError("checkpoint does not fit the base", got=wrong[:1], where=file)
    with torch.no_grad():
        for name, tensor in load_file(str(file)).items():
            own[name].copy_(tensor)


def add_lora(unet: UNet2DConditionModel, lora: dict[str, Any], seed: int = 0) -> UNet2DConditionModel:
    """Put a LoRA's (or DoRA's) new weights into the U-Net, which follow from the seed.

    lora: rank, alpha, dora, targets.
    """
    from peft import LoraConfig

    config = LoraConfig(
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        use_dora=lora["dora"],
        target_modules=list(lora["targets"]),
        init_lora_weights="gaussian",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet.add_adapter(config)
    return unet


def _without_lora(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """The plain U-Net with what was merged."""
    plain = UNet2DConditionModel.from_config(unet.config)
    own = plain.state_dict()
    merged = {k.replace(".base_layer.", "."): v for k, v in unet.state_dict().items()}
    plain.load_state_dict({k: merged[k] for k in own})
    return plain
