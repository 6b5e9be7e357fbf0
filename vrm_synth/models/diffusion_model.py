"""Diffusion models: the five components of a latent diffusion pipeline, from a diffusers folder of safetensors.

    base = open_base("models/sd21-base", preset="sd21-base")
    base = open_base("owner/name@revision", offline=False)
    base = open_base("tiny")

No code or pickle in a folder is ever run, and nothing is downloaded unless `offline` is False.
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
from vrm_synth.models.base_presets import PRESETS, ModelLicense, Preset
from vrm_synth.models.library_logging import silence_libraries
from vrm_synth.models.tiny_base import make_tiny_base
from vrm_synth.models.torch_seed import torch_seed

PREDICTION_TYPES = ("epsilon", "v_prediction")
MAX_TIMESTEPS = 100_000  # a hundred times as many as such models have
COMPONENTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
FROZEN = ("vae", "text_encoder", "tokenizer")
_DOWNLOADED_FILES = ["*.json", "*.txt", "*.md", "LICENSE*", *(f"{c}/*.safetensors" for c in COMPONENTS)]
_CLASSES = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL"}


@dataclass(frozen=True)
class DiffusionModel:
    """A base model, or one with the U-Net of a training run's checkpoint.

    name: in ledgers and in the metadata of images.
    folder: the base's.
    unet, vae, text_encoder: on the CPU, float32, in evaluation mode.
    tokenizer: of the text encoder.
    scheduler_config: content of scheduler_config.json.
    license: of the base; None where neither the preset nor the folder tells it.
    file_sha256: file in the base's folder → SHA-256, of every file that was opened.
    identity: metadata of images beside the name: hashes, run, step, LoRAs.
    """

    name: str
    folder: Path
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    scheduler_config: dict[str, Any]
    license: ModelLicense | None
    file_sha256: Mapping[str, str]
    identity: dict[str, Any] = field(default_factory=dict)

    @property
    def prediction_type(self) -> str:
        """Prediction type of the U-Net: "epsilon" or "v_prediction"."""
        return str(self.scheduler_config.get("prediction_type", "epsilon"))

    @property
    def vae_scale(self) -> int:
        """Pixels per latent, along one side."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def side_multiple(self) -> int:
        """Pixels that width and height must be multiples of, so that the U-Net can halve them."""
        return int(self.vae_scale * 2 ** (len(self.unet.config.down_block_types) - 1))

    @property
    def side(self) -> int:
        """Default side of an image, in pixels."""
        return int(self.unet.config.sample_size * self.vae_scale)

    @property
    def vae_sha256(self) -> str:
        """One SHA-256 of the VAE's files."""
        return combined_sha256({k: v for k, v in self.file_sha256.items() if k.startswith("vae/")})


def open_base(
    source: str | Path,
    *,
    preset: str | None = None,
    offline: bool = True,
    scratch_seed: int | None = None,
    tiny_folder: Path | None = None,
) -> DiffusionModel:
    """Open a base model: a folder, "owner/repository@revision", or "tiny".

    preset: name of a preset whose values the model must have, and which tells its license.
    offline: if False, a repository that is not in the hub's local cache is downloaded.
    scratch_seed: seed of new U-Net weights, used instead of the folder's.
    tiny_folder: where "tiny" is created; by default a temporary folder that lives as long as the result.

    Raises ModelError.
    """
    expected = _find_preset(preset)
    folder, temporary = _model_folder(str(source), offline, tiny_folder)
    name = TINY if str(source) == TINY else _model_name(str(source), folder)
    if name == TINY and expected is None:
        expected = PRESETS[TINY]
    silence_libraries()
    configs = {c: weight_files.read_json(folder / c / "config.json") for c in ("vae", "text_encoder")}
    configs["scheduler"] = weight_files.read_json(folder / "scheduler" / "scheduler_config.json")
    configs["unet"] = _unet_config(folder, expected, scratch_seed)
    check_configs(configs, folder, expected)
    modules = {
        "vae": _load_component(AutoencoderKL, folder, "vae"),
        "text_encoder": _load_component(CLIPTextModel, folder, "text_encoder"),
        "unet": _load_component(UNet2DConditionModel, folder, "unet")
        if scratch_seed is None
        else init_unet(configs["unet"], scratch_seed),
    }
    components = (*FROZEN, "unet") if scratch_seed is None else FROZEN
    opened = [path for component in components for path in _component_files(folder, component)]
    file_sha256 = {path.relative_to(folder).as_posix(): weight_files.sha256(path) for path in opened}
    base = DiffusionModel(
        name=name,
        folder=folder,
        tokenizer=_load_tokenizer(folder, configs["text_encoder"]),
        scheduler_config=configs["scheduler"],
        license=(expected and expected.license) or _card_license(folder),
        file_sha256=file_sha256,
        identity={"base_sha256": combined_sha256(file_sha256)},
        **modules,
    )
    if temporary is not None:
        weakref.finalize(base, temporary.cleanup)
    return base


def combined_sha256(file_sha256: Mapping[str, str]) -> str:
    """One SHA-256 of files' names and hashes."""
    return hashlib.sha256("".join(f"{v}  {k}\n" for k, v in sorted(file_sha256.items())).encode()).hexdigest()


def init_unet(config: Mapping[str, Any], seed: int) -> UNet2DConditionModel:
    """A U-Net with new weights, which depend on the config and the seed only."""
    with torch_seed(seed):
        return UNet2DConditionModel.from_config(dict(config))


# ------------------------------------------------------------ find the folder


def _find_preset(name: str | None) -> Preset | None:
    if name is not None and name not in PRESETS:
        raise ModelError("no such preset", got=name, allowed=", ".join(PRESETS))
    return None if name is None else PRESETS[name]


def _model_folder(
    source: str, offline: bool, tiny_folder: Path | None
) -> tuple[Path, tempfile.TemporaryDirectory[str] | None]:
    """The model's folder, and the temporary folder that it lies in, if it does."""
    if source == TINY:
        if tiny_folder is not None:
            return make_tiny_base(tiny_folder), None
        temporary = tempfile.TemporaryDirectory(prefix="vrm-synth-tiny-")
        return make_tiny_base(Path(temporary.name) / "tiny"), temporary
    check_source(source)
    return _hub_snapshot(source, offline) if is_repository(source) else Path(source).resolve(), None


def _hub_snapshot(source: str, offline: bool) -> Path:
    """Folder of owner/repository@revision in the hub's local cache, downloaded unless offline. Raises ModelError."""
    from huggingface_hub import snapshot_download

    repository, _, revision = source.partition("@")
    try:
        return Path(
            snapshot_download(repository, revision=revision, local_files_only=offline, allow_patterns=_DOWNLOADED_FILES)
        )
    except Exception as e:  # the hub's errors are of many types, which change with its versions
        hint = "--online to download it" if offline else "a repository and revision that exist"
        raise ModelError("base model is not on this machine", got=str(e), allowed=hint, where=source) from e


def _model_name(source: str, folder: Path) -> str:
    return source if is_repository(source) else folder.name


def _card_license(folder: Path) -> ModelLicense | None:
    """License in the front matter of the folder's card, where it has one."""
    card = folder / "README.md"
    if not card.is_file() or card.stat().st_size > weight_files.MAX_JSON_BYTES:
        return None
    head = card.read_text(encoding="utf-8", errors="replace").partition("\n---")[0]
    match = re.search(r"^license(?:_name)?: *['\"]?([\w.+ -]{1,100}?)['\"]? *$", head, re.MULTILINE)
    return ModelLicense(match[1]) if match and head.startswith("---") else None


# ------------------------------------------------------------ check that the components fit


def check_configs(configs: Mapping[str, Mapping[str, Any]], folder: Path, preset: Preset | None = None) -> None:
    """Check that the components fit one another and the preset. Raises ModelError.

    configs: content of each component's config.json.
    folder: the model's, for errors.
    """
    for component, class_name in _CLASSES.items():
        got = configs[component].get("_class_name", class_name)
        if got != class_name:
            raise ModelError(f"the {component} is of another class", got=got, allowed=class_name, where=folder)
    unet, vae, text = configs["unet"], configs["vae"], configs["text_encoder"]
    pairs = [
        ("the U-Net's cross_attention_dim is not the text encoder's width", unet.get("cross_attention_dim"),
         text.get("hidden_size")),
        ("the U-Net's in_channels are not the VAE's", unet.get("in_channels", 4), vae.get("latent_channels", 4)),
        ("the U-Net's out_channels are not the VAE's", unet.get("out_channels", 4), vae.get("latent_channels", 4)),
    ]  # fmt: skip
    for what, got, allowed in pairs:
        if got != allowed:
            raise ModelError(what, got=got, allowed=allowed, where=folder)
    prediction_type = configs["scheduler"].get("prediction_type", "epsilon")
    if prediction_type not in PREDICTION_TYPES:
        allowed = " or ".join(PREDICTION_TYPES)
        raise ModelError("unknown prediction_type", got=prediction_type, allowed=allowed, where=folder)
    timesteps = configs["scheduler"].get("num_train_timesteps", 1000)
    if type(timesteps) is not int or not 1 <= timesteps <= MAX_TIMESTEPS:
        raise ModelError(
            "num_train_timesteps out of range", got=timesteps, allowed=f"1 to {MAX_TIMESTEPS}", where=folder
        )
    if preset is not None:
        _check_preset(configs, preset, prediction_type, folder)


def _check_preset(configs: Mapping[str, Mapping[str, Any]], preset: Preset, prediction_type: str, folder: Path) -> None:
    for component, values in (("unet", preset.unet), ("text_encoder", preset.text_encoder), ("vae", preset.vae)):
        for key, allowed in values.items():
            got = configs[component].get(key, _DIFFUSERS_DEFAULTS.get(key))
            if got != allowed:
                what = f"not a base of {preset.name}: its {component} has another {key}"
                raise ModelError(what, got=got, allowed=allowed, where=folder)
    if preset.prediction_type not in (None, prediction_type):
        what = f"not a base of {preset.name}: its scheduler has another prediction_type"
        raise ModelError(what, got=prediction_type, allowed=preset.prediction_type, where=folder)


# Defaults of the library, for keys that config.json leaves out.
_DIFFUSERS_DEFAULTS = {
    "in_channels": 4,
    "out_channels": 4,
    "latent_channels": 4,
    "scaling_factor": 0.18215,
    "norm_num_groups": 32,
    "layers_per_block": 2,
    "max_position_embeddings": 77,
    "vocab_size": 49408,
}


def _unet_config(folder: Path, preset: Preset | None, scratch_seed: int | None) -> dict[str, Any]:
    """Config of the U-Net; for one from scratch the preset's, where the folder has none."""
    file = folder / "unet" / "config.json"
    if scratch_seed is not None and not file.exists() and preset is not None and preset.unet:
        return {"sample_size": 64, **preset.unet}
    return weight_files.read_json(file)


def _load_component(model_class: Any, folder: Path, component: str) -> Any:
    """Load a component with diffusers or transformers, float32 and frozen. Raises ModelError."""
    weights = weight_files.find_weights(folder / component)
    for file in weights.files:
        if file.suffix == ".safetensors":
            weight_files.tensor_shapes(file)
    try:
        module, loading_info = model_class.from_pretrained(
            str(folder), subfolder=component, use_safetensors=True, local_files_only=True, output_loading_info=True,
            torch_dtype=torch.float32, variant=weights.variant,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as e:
        raise ModelError(f"the {component} cannot be opened", got=str(e), where=folder / component) from e
    wrong = [
        *loading_info["missing_keys"],
        *(k if isinstance(k, str) else k[0] for k in loading_info["mismatched_keys"]),
    ]
    if wrong:
        what = f"the {component}'s weights do not fit its config.json"
        raise ModelError(what, got=f"{len(wrong)} missing or misshapen, {sorted(wrong)[0]}", where=folder / component)
    return module.eval().requires_grad_(False)


def _load_tokenizer(folder: Path, text_config: Mapping[str, Any]) -> CLIPTokenizer:
    """Load the tokenizer and check it against the text encoder's config. Raises ModelError."""
    tokenizer_folder = folder / "tokenizer"
    try:
        tokenizer = CLIPTokenizer.from_pretrained(str(tokenizer_folder), local_files_only=True)
    except Exception as e:  # its two implementations raise various types
        raise ModelError("the tokenizer cannot be opened", got=str(e), where=tokenizer_folder) from e
    if len(tokenizer) > text_config.get("vocab_size", 49408):
        what = "the tokenizer has more words than the text encoder"
        raise ModelError(what, got=len(tokenizer), allowed=text_config.get("vocab_size"), where=tokenizer_folder)
    limit = text_config.get("max_position_embeddings", 77)
    if tokenizer.model_max_length > limit:
        what = "the tokenizer's captions are longer than the text encoder's"
        raise ModelError(what, got=tokenizer.model_max_length, allowed=limit, where=tokenizer_folder)
    return tokenizer


def _component_files(folder: Path, component: str) -> list[Path]:
    """The files of a component, which are hashed and which export copies."""
    return sorted(
        p for p in (folder / component).iterdir() if p.is_file() and p.suffix in (".json", ".txt", ".safetensors")
    )
