"""Open a training run's checkpoint as a model; checkpoint_files.py finds it."""

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
from vrm_synth.models.base_location import base_candidates
from vrm_synth.models.checkpoint_files import Log, open_checkpoint
from vrm_synth.models.diffusion_model import DiffusionModel, open_base
from vrm_synth.models.torch_seed import torch_seed


def open_run(
    run: Path,
    checkpoint: str | None = None,
    *,
    ema: bool = True,
    base: str | None = None,
    offline: bool = True,
    log: Log = lambda text: None,
) -> DiffusionModel:
    """Open the run's base model with a checkpoint's U-Net; a LoRA is merged into it.

    checkpoint: as `find_checkpoint` takes it.
    ema: use the EMA weights where the run has them.
    base: where the run's base is now, if it was moved.
    log: called with one line where the newest checkpoint is damaged and an older one is used.

    Raises ModelError.
    """
    opened_checkpoint = open_checkpoint(run, checkpoint, ema=ema, log=log)
    model = opened_checkpoint.model
    opened = open_run_base(run, model, base=base, offline=offline)
    unet = add_lora_adapter(opened.unet, model["lora"]) if model["lora"] is not None else opened.unet
    load_weights(unet, opened_checkpoint.weights)
    if model["lora"] is not None:
        from peft.tuners.tuners_utils import BaseTunerLayer

        for module in list(unet.modules()):
            if isinstance(module, BaseTunerLayer):
                module.merge()
        unet = _without_lora(unet)
    digest = opened_checkpoint.state["sha256"][opened_checkpoint.weights.name]
    identity = {"run": run.resolve().name, "step": opened_checkpoint.state["step"], "weights_sha256": digest}
    unet = unet.eval().requires_grad_(False)
    return replace(
        opened,
        unet=unet,
        name=run.resolve().name,
        scheduler_config=model["scheduler"],
        identity={**opened.identity, **identity, "ema": opened_checkpoint.ema},
    )


def open_run_base(
    run: Path, model: Mapping[str, Any], *, base: str | None = None, offline: bool = True
) -> DiffusionModel:
    """Open the base that a run started from.

    model: the entry of that name in state.json.
    base: where the base is now, if it was moved.

    Raises ModelError where it is missing, or has other hashes than the run recorded.
    """
    candidates, errors = base_candidates(run, model) if base is None else [base], []
    for source in candidates:
        try:
            opened = open_base(source, preset=model["preset"], offline=offline, scratch_seed=model["scratch"])
        except ModelError as e:
            errors.append(e)
            continue
        changed = sorted(k for k, v in model["hashes"].items() if opened.file_sha256.get(k) != v)
        if not changed:
            return replace(opened, name=str(model["name"]))
        what = "the base is not the one that the run started from"
        errors.append(ModelError(what, got=changed[0], allowed="the same files", where=source))
    first = errors[0]
    allowed = first.allowed if base is not None else f"{first.allowed or 'a base'}; or --base with its present place"
    raise ModelError(first.what, got=first.got, allowed=allowed, where=first.where)


def load_weights(unet: UNet2DConditionModel, file: Path) -> None:
    """Copy a file's tensors into the U-Net's parameters of the same names. Raises ModelError."""
    parameters = dict(unet.named_parameters())
    shapes = weight_files.tensor_shapes(file)
    wrong = sorted(k for k, shape in shapes.items() if k not in parameters or tuple(parameters[k].shape) != shape)
    if wrong or not shapes:
        raise ModelError("checkpoint does not fit the base", got=wrong[:1], where=file)
    with torch.no_grad():
        for name, tensor in load_file(str(file)).items():
            parameters[name].copy_(tensor)


def add_lora_adapter(unet: UNet2DConditionModel, lora: dict[str, Any], seed: int = 0) -> UNet2DConditionModel:
    """Add a new LoRA or DoRA adapter to the U-Net, initialized from the seed.

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
    with torch_seed(seed):
        unet.add_adapter(config)
    return unet


def _without_lora(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """A plain U-Net with the merged weights of one that has an adapter."""
    plain = UNet2DConditionModel.from_config(unet.config)
    names = plain.state_dict()
    merged = {k.replace(".base_layer.", "."): v for k, v in unet.state_dict().items()}
    plain.load_state_dict({k: merged[k] for k in names})
    return plain
