"""A base model: the five parts of a latent diffusion pipeline, from a diffusers folder of safetensors.

    base = open_base("models/sd21-base", preset="sd21-base")
    base = open_base("owner/name@revision", offline=False)
    base = open_base("tiny")

No file is ever run or unpickled, and nothing is fetched unless `offline` is False.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from vrm_synth.core.errors import ModelError
from vrm_synth.models import weight_files
from vrm_synth.models.base_location import TINY, check_source, is_repository
from vrm_synth.models.base_presets import PRESETS, License, Preset
from vrm_synth.models.quiet import quiet
from vrm_synth.models.tiny import make_tiny

PREDICTIONS = ("epsilon", "v_prediction")
MOST_TIMESTEPS = 100_000  # a hundred times as many as such models have
COMPONENTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
FROZEN = ("vae", "text_encoder", "tokenizer")
_FETCHED = ["*.json", "*.txt", "*.md", "LICENSE*", *(f"{c}/*.safetensors" for c in COMPONENTS)]
_CLASSES = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL"}


@dataclass(frozen=True)
class Base:
    """name: what ledgers and pictures call it. folder: where it lies. unet, vae, text_encoder: on the CPU, in
    evaluation mode; tokenizer; scheduler_config: as the folder's file has it.

    license: None where neither the preset nor the folder says. hashes: file below the folder → SHA-256, of what was
    opened. identity: what pictures say of it beside its name.
    """

    name: str
    folder: Path
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    scheduler_config: dict[str, Any]
    license: License | None
    hashes: Mapping[str, str]
    identity: dict[str, Any] = field(default_factory=dict)

    @property
    def prediction(self) -> str:
        """What the U-Net says: "epsilon" or "v_prediction"."""
        return str(self.scheduler_config.get("prediction_type", "epsilon"))

    @property
    def vae_scale(self) -> int:
        """Pixels a side of one latent."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def side_multiple(self) -> int:
        """What width and height must be multiples of, so that the U-Net can halve them."""
        return int(self.vae_scale * 2 ** (len(self.unet.config.down_block_types) - 1))

    @property
    def side(self) -> int:
        """Pixels of the square that the model was made for."""
        return int(self.unet.config.sample_size * self.vae_scale)

    @property
    def vae_sha256(self) -> str:
        """One hash of the VAE's files."""
        return combined({k: v for k, v in self.hashes.items() if k.startswith("vae/")})


def open_base(
    source: str | Path,
    *,
    preset: str | None = None,
    offline: bool = True,
    scratch: int | None = None,
    made: Path | None = None,
) -> Base:
    """The base model `source`: a folder, "owner/repository@revision", or "tiny".

    preset: what it must be (PRESETS), which also tells its license. scratch: a seed for new U-Net weights instead of
    the folder's. made: where "tiny" is made, by default a folder that lives as long as the result. Raises ModelError.
    """
    known = _preset(preset)
    folder, temporary = _folder(str(source), offline, made)
    name = TINY if str(source) == TINY else _name(str(source), folder)
    if name == TINY and known is None:
        known = PRESETS[TINY]
    quiet()
    configs = {c: weight_files.read_json(folder / c / "config.json") for c in ("vae", "text_encoder")}
    configs["scheduler"] = weight_files.read_json(folder / "scheduler" / "scheduler_config.json")
    configs["unet"] = _unet_config(folder, known, scratch)
    check(configs, folder, known)
    opened = {
        "vae": _load(AutoencoderKL, folder, "vae"),
        "text_encoder": _load(CLIPTextModel, folder, "text_encoder"),
        "unet": _load(UNet2DConditionModel, folder, "unet") if scratch is None else new_unet(configs["unet"], scratch),
    }
    hashed = [p for c in (*FROZEN, *(("unet",) if scratch is None else ())) for p in _files(folder, c)]
    hashes = {p.relative_to(folder).as_posix(): weight_files.sha256(p) for p in hashed}
    base = Base(
        name=name,
        folder=folder,
        tokenizer=_tokenizer(folder, configs["text_encoder"]),
        scheduler_config=configs["scheduler"],
        license=(known and known.license) or _stated_license(folder),
        hashes=hashes,
        identity={"base_sha256": combined(hashes)},
        **opened,
    )
    if temporary is not None:
        weakref.finalize(base, temporary.cleanup)
    return base


def combined(hashes: Mapping[str, str]) -> str:
    """One SHA-256 of files' names and hashes."""
    return hashlib.sha256("".join(f"{v}  {k}\n" for k, v in sorted(hashes.items())).encode()).hexdigest()


def new_unet(config: Mapping[str, Any], seed: int) -> UNet2DConditionModel:
    """A U-Net of new weights, which follow from the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return UNet2DConditionModel.from_config(dict(config))


# ------------------------------------------------------------ where it is


def _preset(name: str | None) -> Preset | None:
    if name is not None and name not in PRESETS:
        raise ModelError("no such preset", got=name, allowed=", ".join(PRESETS))
    return None if name is None else PRESETS[name]


def _folder(source: str, offline: bool, made: Path | None) -> tuple[Path, tempfile.TemporaryDirectory[str] | None]:
    if source == TINY:
        if made is not None:
            return make_tiny(made), None
        temporary = tempfile.TemporaryDirectory(prefix="vrm-synth-tiny-")
        return make_tiny(Path(temporary.name) / "tiny"), temporary
    check_source(source)
    return _snapshot(source, offline) if is_repository(source) else Path(source).resolve(), None


def _snapshot(source: str, offline: bool) -> Path:
    from huggingface_hub import snapshot_download

    repository, _, revision = source.partition("@")
    try:
        return Path(snapshot_download(repository, revision=revision, local_files_only=offline, allow_patterns=_FETCHED))
    except Exception as e:  # its family of errors is wide and changes with its versions
        hint = "--online to fetch it" if offline else "a repository and revision that exist"
        raise ModelError("base model is not at hand", got=str(e), allowed=hint, where=source) from e


def _name(source: str, folder: Path) -> str:
    return source if is_repository(source) else folder.name


def _stated_license(folder: Path) -> License | None:
    """From the front matter of the folder's card, where it has one."""
    card = folder / "README.md"
    if not card.is_file() or card.stat().st_size > weight_files.LONGEST_JSON:
        return None
    head = card.read_text(encoding="utf-8", errors="replace").partition("\n---")[0]
    found = re.search(r"^license(?:_name)?: *['\"]?([\w.+ -]{1,100}?)['\"]? *$", head, re.MULTILINE)
    return License(found[1]) if found and head.startswith("---") else None


# ------------------------------------------------------------ what it must be


def check(configs: Mapping[str, Mapping[str, Any]], where: object, preset: Preset | None = None) -> None:
    """Whether the parts fit one another, and the preset. Raises ModelError."""
    for part, name in _CLASSES.items():
        got = configs[part].get("_class_name", name)
        if got != name:
            raise ModelError(f"the {part} is of another kind", got=got, allowed=name, where=where)
    unet, vae, text = configs["unet"], configs["vae"], configs["text_encoder"]
    pairs = [
        ("the U-Net's cross_attention_dim is not the text encoder's width", unet.get("cross_attention_dim"),
         text.get("hidden_size")),
        ("the U-Net's in_channels are not the VAE's", unet.get("in_channels", 4), vae.get("latent_channels", 4)),
        ("the U-Net's out_channels are not the VAE's", unet.get("out_channels", 4), vae.get("latent_channels", 4)),
    ]  # fmt: skip
    for what, got, allowed in pairs:
        if got != allowed:
            raise ModelError(what, got=got, allowed=allowed, where=where)
    prediction = configs["scheduler"].get("prediction_type", "epsilon")
    if prediction not in PREDICTIONS:
        allowed = " or ".join(PREDICTIONS)
        raise ModelError("unknown prediction_type", got=prediction, allowed=allowed, where=where)
    timesteps = configs["scheduler"].get("num_train_timesteps", 1000)
    if type(timesteps) is not int or not 1 <= timesteps <= MOST_TIMESTEPS:
        raise ModelError(
            "num_train_timesteps out of range", got=timesteps, allowed=f"1 to {MOST_TIMESTEPS}", where=where
        )
    if preset is not None:
        _check_preset(configs, preset, prediction, where)


def _check_preset(configs: Mapping[str, Mapping[str, Any]], preset: Preset, prediction: str, where: object) -> None:
    for part, shape in (("unet", preset.unet), ("text_encoder", preset.text_encoder), ("vae", preset.vae)):
        for key, allowed in shape.items():
            got = configs[part].get(key, _DEFAULTS.get(key))
            if got != allowed:
                what = f"not a base of {preset.name}: its {part} has another {key}"
                raise ModelError(what, got=got, allowed=allowed, where=where)
    if preset.prediction not in (None, prediction):
        what = f"not a base of {preset.name}: its scheduler has another prediction_type"
        raise ModelError(what, got=prediction, allowed=preset.prediction, where=where)


# What configuration files may leave out, for it is the library's default.
_DEFAULTS = {
    "in_channels": 4,
    "out_channels": 4,
    "latent_channels": 4,
    "scaling_factor": 0.18215,
    "norm_num_groups": 32,
    "layers_per_block": 2,
    "max_position_embeddings": 77,
    "vocab_size": 49408,
}


def _unet_config(folder: Path, preset: Preset | None, scratch: int | None) -> dict[str, Any]:
    file = folder / "unet" / "config.json"
    if scratch is not None and not file.exists() and preset is not None and preset.unet:
        return {"sample_size": 64, **preset.unet}
    return weight_files.read_json(file)


def _load(kind: Any, folder: Path, part: str) -> Any:
    weights = weight_files.weights(folder / part)
    for file in weights.files:
        if file.suffix == ".safetensors":
            weight_files.tensors(file)
    try:
        module, found = kind.from_pretrained(
            str(folder), subfolder=part, use_safetensors=True, local_files_only=True, output_loading_info=True,
            torch_dtype=torch.float32, variant=weights.variant,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as e:
        raise ModelError(f"the {part} cannot be opened", got=str(e), where=folder / part) from e
    wrong = [*found["missing_keys"], *(k if isinstance(k, str) else k[0] for k in found["mismatched_keys"])]
    if wrong:
        what = f"the {part}'s weights do not fit its config.json"
        raise ModelError(what, got=f"{len(wrong)} missing or misshapen, {sorted(wrong)[0]}", where=folder / part)
    return module.eval().requires_grad_(False)


def _tokenizer(folder: Path, text: Mapping[str, Any]) -> CLIPTokenizer:
    place = folder / "tokenizer"
    try:
        tokenizer = CLIPTokenizer.from_pretrained(str(place), local_files_only=True)
    except Exception as e:  # its two implementations raise what they like
        raise ModelError("the tokenizer cannot be opened", got=str(e), where=place) from e
    if len(tokenizer) > text.get("vocab_size", 49408):
        what = "the tokenizer has more words than the text encoder"
        raise ModelError(what, got=len(tokenizer), allowed=text.get("vocab_size"), where=place)
    most = text.get("max_position_embeddings", 77)
    if tokenizer.model_max_length > most:
        what = "the tokenizer's captions are longer than the text encoder's"
        raise ModelError(what, got=tokenizer.model_max_length, allowed=most, where=place)
    return tokenizer


def _files(folder: Path, part: str) -> list[Path]:
    """What a component is made of: what export copies and hashes follow from."""
    return sorted(p for p in (folder / part).iterdir() if p.is_file() and p.suffix in (".json", ".txt", ".safetensors"))
