"""A training run's checkpoint as a model; checkpoints.py finds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file

from vrm_synth.core.errors import ModelError
from vrm_synth.models import weight_files
from vrm_synth.models.base import Base, open_base
from vrm_synth.models.base_location import places
from vrm_synth.models.checkpoints import Say, open_checkpoint


def open_run(
    run: Path,
    checkpoint: str | None = None,
    *,
    ema: bool = True,
    base: str | None = None,
    offline: bool = True,
    say: Say = lambda text: None,
) -> Base:
    """The base with a checkpoint's U-Net in it; ema: its running mean, where the run keeps one. base: where the run's
    base lies now, if not where it did. say: called with one line where the newest checkpoint is damaged and another is
    taken. Raises ModelError."""
    found = open_checkpoint(run, checkpoint, ema=ema, say=say)
    model = found.model
    opened = open_run_base(run, model, base=base, offline=offline)
    unet = add_lora(opened.unet, model["lora"]) if model["lora"] is not None else opened.unet
    load_into(unet, found.weights)
    if model["lora"] is not None:
        from peft.tuners.tuners_utils import BaseTunerLayer

        for module in list(unet.modules()):
            if isinstance(module, BaseTunerLayer):
                module.merge()
        unet = _without_lora(unet)
    digest = found.state["sha256"][found.weights.name]
    identity = {"run": run.resolve().name, "step": found.state["step"], "weights_sha256": digest}
    unet = unet.eval().requires_grad_(False)
    return replace(
        opened,
        unet=unet,
        name=run.resolve().name,
        scheduler_config=model["scheduler"],
        identity={**opened.identity, **identity, "ema": found.ema},
    )


def open_run_base(run: Path, model: Mapping[str, Any], *, base: str | None = None, offline: bool = True) -> Base:
    """The base that a run began with. model: as state.json has it; base: where it lies now, instead of where it did.
    Raises ModelError where it is not there, or another by now."""
    tried, failed = places(run, model) if base is None else [base], []
    for place in tried:
        try:
            opened = open_base(place, preset=model["preset"], offline=offline, scratch=model["scratch"])
        except ModelError as e:
            failed.append(e)
            continue
        other = sorted(k for k, v in model["hashes"].items() if opened.hashes.get(k) != v)
        if not other:
            return replace(opened, name=str(model["name"]))
        what = "the base is not the one that the run began with"
        failed.append(ModelError(what, got=other[0], allowed="the same files", where=place))
    first = failed[0]
    allowed = first.allowed if base is not None else f"{first.allowed or 'a base'}; or --base with where it lies now"
    raise ModelError(first.what, got=first.got, allowed=allowed, where=first.where)


def load_into(unet: UNet2DConditionModel, file: Path) -> None:
    """Copy a file's tensors into the U-Net's parameters of the same names. Raises ModelError."""
    own = dict(unet.named_parameters())
    shapes = weight_files.tensors(file)
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
