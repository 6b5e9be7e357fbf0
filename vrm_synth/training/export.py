"""Export of a checkpoint: a diffusers folder, or a LoRA file, each with a model card.

Frozen parts are copied byte for byte; export.json has every file's hash and origin. The card carries the base's own
license and what it asks of derived models: training on CC0 pictures does not lift it.
"""

from __future__ import annotations

import inspect
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import DDIMScheduler, SchedulerMixin
from diffusers.utils import convert_state_dict_to_diffusers
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file

from vrm_synth import __version__
from vrm_synth.core.errors import ModelError
from vrm_synth.io.atomic_files import file_errors, to_json
from vrm_synth.models import DiffusionModel, open_run, weight_files
from vrm_synth.models.checkpoint_files import Checkpoint, Log, open_checkpoint
from vrm_synth.models.diffusion_model import FROZEN
from vrm_synth.models.run_checkpoint import add_lora_adapter, load_weights, open_run_base

RECORD = "export.json"
CARD = "README.md"


def export(
    run: Path,
    out: Path,
    checkpoint: str | None = None,
    *,
    ema: bool = True,
    merged: bool = False,
    license: str | None = None,
    base: str | None = None,
    offline: bool = True,
    log: Log = lambda text: None,
) -> Mapping[str, Any]:
    """Write a run's model into the new folder `out`; returns the contents of export.json.

    checkpoint: its name, "best", or None for the newest.
    ema: export the EMA, where the run has one.
    merged: for a LoRA run, a whole diffusers folder with the LoRA merged in, instead of the LoRA file.
    license: the base's, where the run does not know it.
    base: where the run's base lies now, if not where it did.
    offline: fetch nothing from the hub.
    log: called with one line where the newest checkpoint is damaged and an older one is taken.

    Raises ModelError; then `out` does not exist.
    """
    if out.exists():
        raise ModelError("exists already", allowed="a new name", where=out)
    opened = open_checkpoint(run, checkpoint, ema=ema, log=log)
    state = opened.state
    base_license = _base_license(_ledger(opened)["base"], license, run)
    out.parent.mkdir(parents=True, exist_ok=True)
    with file_errors(out, "written"), tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
        folder = Path(temporary) / "model"
        folder.mkdir()
        scheduler = None
        if state["model"]["lora"] is not None and not merged:
            scheduler = _write_lora(opened, open_run_base(run, opened.model, base=base, offline=offline), folder)
        else:
            _write_pipeline(open_run(run, opened.folder.name, ema=ema, base=base, offline=offline), folder)
        (folder / CARD).write_text(card(state, base_license, run.resolve().name, scheduler), encoding="utf-8")
        hashes = {
            p.relative_to(folder).as_posix(): weight_files.sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()
        }
        record = {"vrm_synth": __version__, "run": run.resolve().name, "step": state["step"], "ema": ema,
                  "license": base_license, "ledger": state["ledger"], "sha256": hashes}  # fmt: skip
        (folder / RECORD).write_text(to_json(record, indent=1) + "\n", encoding="utf-8")
        folder.rename(out)
    return record


def _write_pipeline(base: DiffusionModel, folder: Path) -> None:
    """Write a diffusers pipeline: frozen parts copied, U-Net and scheduler written anew."""
    for component in FROZEN:
        (folder / component).mkdir()
        for name, digest in base.file_sha256.items():
            if name.startswith(f"{component}/"):
                shutil.copyfile(base.folder / name, folder / name)
                if weight_files.sha256(folder / name) != digest:
                    raise ModelError("the base changed while it was copied", got=name, where=base.folder)
        if component != "tokenizer":
            _drop_variant(folder / component)
    for license in sorted(base.folder.glob("LICEN[SC]E*")):
        shutil.copyfile(license, folder / license.name)
    with torch.no_grad():
        base.unet.save_pretrained(folder / "unet", safe_serialization=True)
    kind = _write_scheduler(base.scheduler_config, folder)
    text = [base.text_encoder.__class__.__name__, base.tokenizer.__class__.__name__]
    index = {
        "_class_name": "StableDiffusionPipeline",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", kind],
        "text_encoder": ["transformers", text[0]],
        # The name that both transformers 4 and 5 have.
        "tokenizer": ["transformers", text[1].removesuffix("Fast")],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(to_json(index, indent=2) + "\n", encoding="utf-8")


def _drop_variant(folder: Path) -> None:
    """Rename weights that exist only as a variant (fp16) to the names that diffusers reads by default."""
    weights = weight_files.find_weights(folder)
    if weights.variant is None:
        return
    for file in weights.files:
        renamed = file.rename(file.with_name(weights.without_variant(file.name)))
        if renamed.suffix == ".json":
            index = weight_files.read_json(renamed)
            shards = {tensor: weights.without_variant(shard) for tensor, shard in index["weight_map"].items()}
            renamed.write_text(to_json({**index, "weight_map": shards}, indent=2) + "\n", encoding="utf-8")


def scheduler_config(trained: Mapping[str, Any]) -> dict[str, Any]:
    """Scheduler config to sample a model with, for the noise schedule that it was trained on.

    It has the base's own class where that supports everything that the model was trained with, else DDIMScheduler,
    which does: PNDMScheduler, for one, ignores rescale_betas_zero_snr.
    """
    needed = ["prediction_type"] if trained.get("prediction_type", "epsilon") != "epsilon" else []
    if trained.get("rescale_betas_zero_snr"):
        needed += ["rescale_betas_zero_snr", "timestep_spacing"]
    kind = getattr(diffusers, str(trained.get("_class_name", "DDIMScheduler")), None)
    base_class = kind if isinstance(kind, type) and issubclass(kind, SchedulerMixin) else None
    if base_class is not None and set(needed) <= set(_parameters(base_class)):
        return dict(trained)
    supported = {k: v for k, v in trained.items() if k in _parameters(DDIMScheduler)}
    # DDIMScheduler's defaults clip latents as if they were pixels, and end at a noise level of no timestep.
    return {"_class_name": "DDIMScheduler", "set_alpha_to_one": False, **supported, "clip_sample": False}


def _parameters(kind: type) -> Iterable[str]:
    return inspect.signature(kind).parameters


def _write_scheduler(trained: Mapping[str, Any], folder: Path) -> str:
    """Write scheduler/ into a folder; returns the scheduler's class name."""
    written = {"_class_name": "DDIMScheduler", **scheduler_config(trained)}
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(to_json(written, indent=2) + "\n", encoding="utf-8")
    return str(written["_class_name"])


def _write_lora(opened: Checkpoint, base: DiffusionModel, folder: Path) -> str | None:
    """Write pytorch_lora_weights.safetensors as diffusers and peft read it, rank and alpha in its metadata.

    Where the LoRA was trained on another noise schedule than the base's, scheduler/ is written, too, and its class name
    returned.
    """
    lora = opened.model["lora"]
    unet = add_lora_adapter(base.unet, lora)
    load_weights(unet, opened.weights)
    layers = convert_state_dict_to_diffusers(get_peft_model_state_dict(unet))
    # Nothing beyond what the weights need: peft refuses settings that its version does not know, diffusers a file
    # without the patterns.
    metadata = {
        "r": lora["rank"],
        "lora_alpha": lora["alpha"],
        "use_dora": lora["dora"],
        "target_modules": sorted(lora["targets"]),
        "rank_pattern": {},
        "alpha_pattern": {},
    }
    from diffusers import StableDiffusionPipeline  # imported late: it warns of missing packages

    StableDiffusionPipeline.save_lora_weights(folder, layers, unet_lora_adapter_metadata=metadata)
    written = folder / "pytorch_lora_weights.safetensors"
    if len(load_file(str(written))) != len(layers):
        raise ModelError("not all of the LoRA was written", where=written)
    trained = opened.model["scheduler"]
    same = scheduler_config(trained) == {"prediction_type": "epsilon", **base.scheduler_config}
    return None if same else _write_scheduler(trained, folder)


# ------------------------------------------------------------ licenses


def _ledger(opened: Checkpoint) -> Mapping[str, Any]:
    ledger = opened.state.get("ledger")
    base = ledger.get("base") if isinstance(ledger, dict) else None
    if not isinstance(ledger, dict) or not isinstance(base, dict) or "license" not in base:
        raise ModelError(
            "the checkpoint has no ledger of licenses", allowed="one written by vrm-synth train", where=opened.folder
        )
    return ledger


def _base_license(base: Mapping[str, Any], requested: str | None, run: Path) -> dict[str, str]:
    recorded = base["license"]
    if recorded is None and requested is None:
        what = "the base's license is not known, and a derived model has to carry it"
        raise ModelError(what, allowed="--base-license NAME", where=run)
    if recorded is not None and requested is not None and recorded["name"] != requested:
        raise ModelError("the base has another license", got=requested, allowed=recorded["name"], where=run)
    return dict(recorded) if recorded is not None else {"name": str(requested), "terms": "", "url": ""}


def card(state: Mapping[str, Any], license: Mapping[str, str], name: str, scheduler: str | None = None) -> str:
    """Text of the model card, README.md: license, training pictures, use.

    state: the checkpoint's state.json.
    license: name, terms and url of the base's license.
    name: the model's.
    scheduler: class of the scheduler beside a LoRA file, where there is one.
    """
    ledger, lora = state["ledger"], state["model"]["lora"]
    base, scratch = ledger["base"], ledger["base"]["trained_from"] == "scratch"
    head = {"license": "other", "license_name": license["name"], "library_name": "diffusers", "tags": ["text-to-image"]}
    if license["name"] == "CC0-1.0":
        head = {**{k: v for k, v in head.items() if k != "license_name"}, "license": "cc0-1.0"}
    frozen = "VAE and text encoder" if scratch else "VAE, text encoder and the U-Net that training began with"
    lines = [
        "---",
        *(f"{k}: {json.dumps(v, ensure_ascii=False)}" for k, v in head.items()),
        "---",
        f"# {name}",
        "",
        f"{'A LoRA for' if lora else 'A latent diffusion model from'} **{_escape(base['name'])}**, "
        f"trained for {state['step']:,} steps with vrm-synth {__version__}"
        + (", its U-Net from scratch." if scratch else "."),
        "",
        "## License",
        "",
        f"{frozen} are {_escape(base['name'])}'s, under **{_escape(license['name'])}**, which this model carries on. "
        + " ".join(x for x in (license.get("terms", ""), license.get("url", "")) if x),
        "",
        "## Pictures it was trained on",
        "",
        "| source | pictures | licenses | attribution |",
        "|---|---|---|---|",
    ]
    for s in ledger["sources"]:
        licenses = ", ".join(f"{_escape(k)} ({v:,})" for k, v in s["licenses"].items())
        lines.append(f"| {_escape(s['name'])} | {s['pictures']:,} | {licenses} | {_escape(s['attribution'])} |")
    avatars = [a for s in ledger["sources"] for a in s["avatars"]]
    if avatars:
        lines += ["", "Avatars drawn in them:", ""]
        lines += [f"- {_escape(a.get('avatar', ''))}: {_escape(a.get('license', ''))}" for a in avatars]
    use = "pipe = StableDiffusionPipeline.from_pretrained(FOLDER, use_safetensors=True)"
    if lora:
        use = "pipe.load_lora_weights(FOLDER)  # pipe: a StableDiffusionPipeline of the base"
        if scheduler is not None:
            use += f'\npipe.scheduler = {scheduler}.from_pretrained(FOLDER, subfolder="scheduler")'
    imports = f"from diffusers import {', '.join(sorted({'StableDiffusionPipeline', *filter(None, [scheduler])}))}"
    lines += ["", "## Use", "", "```python", imports, "", use, "```", ""]
    return "\n".join(lines)


def _escape(value: object) -> str:
    """Escape untrusted text for Markdown: it can end no table cell, link or line."""
    plain = " ".join(str(value).split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#!" else c for c in plain)
