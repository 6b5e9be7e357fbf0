"""Configuration of a training run: run.yaml.

    base: tiny                    # or a diffusers folder, or owner/repository@revision
    steps: 1000
    data:
      sources: [out/pictures]

Every other key has a default, written beside its field below; presets have defaults of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from vrm_synth.models.base_location import REPOSITORY, TINY
from vrm_synth.models.base_presets import PRESETS
from vrm_synth.training.data.data_config import MAX_BUCKETS, DataConfig, Share, ShortText, Side
from vrm_synth.yaml_models.strict_yaml import RefusedError

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
# Settings that may change when a run is resumed: nothing that has been drawn follows from them.
MAY_CHANGE = ("steps", "checkpoint_every", "keep", "preview_every", "prepare")

Positive = Annotated[float, Field(gt=0, le=1e6)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000, strict=True)]


def _resolve_base(value: Any, info: ValidationInfo) -> Any:
    """The base, a folder's path made absolute: relative paths start from the YAML file's folder (context "base")."""
    if not isinstance(value, str | Path) or not str(value):
        raise RefusedError("not a base model", "a diffusers folder, owner/repository@revision, or tiny")
    text = str(value)
    if text == TINY or text in PRESETS or (REPOSITORY.fullmatch(text) and not Path(text).exists()):
        return text
    return str(((info.context or {}).get("base", Path()) / Path(text).expanduser()).absolute())


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EmaConfig(_Strict):
    """Exponential moving average (EMA) of the weights, which is what is sampled from and exported."""

    # Final decay; it grows to that as (1 + step) / (10 + step).
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.9999


class LoraConfig(_Strict):
    """Low-rank adapters (LoRA) on the frozen U-Net, trained instead of its own weights."""

    rank: Annotated[int, Field(ge=1, le=1024, strict=True)] = 16
    # The adapters' output is scaled by alpha / rank.
    alpha: Positive = 16.0
    # Weight-decomposed (DoRA, arXiv:2402.09353): direction and magnitude are trained apart.
    dora: bool = False
    # The U-Net's layers that get adapters, by the ends of their names.
    targets: Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=64)] = ATTENTION


class StageConfig(_Strict):
    """A stage of a run, with its own picture size."""

    # The first step after it; the last stage has none.
    until: Count | None = None
    size: Side
    buckets: Annotated[int, Field(ge=1, le=MAX_BUCKETS, strict=True)] = 1
    offset_noise: Share = 0.0


class ValidationConfig(_Strict):
    """Pictures kept back from training. Every checkpoint has their loss; the best has the least."""

    # Split of the sources that have it; not one that is trained on.
    split: ShortText
    # How many of them, in whole batches. They stay in memory: at 512² a quarter of a MiB each.
    pictures: Annotated[int, Field(ge=1, le=4096, strict=True)] = 256


class RunConfig(_Strict):
    """A whole run. The same configuration on the same machine gives the same weights, however often it is resumed."""

    # A diffusers folder, owner/repository@revision, or tiny.
    base: Annotated[str, BeforeValidator(_resolve_base)]
    # Requirements on the base and defaults for the run: vrm-synth train --presets.
    preset: ShortText | None = None
    # License of the base, where neither preset nor folder says.
    base_license: ShortText | None = None
    # scratch: new random weights for the U-Net.
    init: Literal["base", "scratch"] = "base"
    data: DataConfig
    # Updates of the whole run; a larger number than before resumes it.
    steps: Count
    # Seed of all randomness: order, noise, timesteps, new weights.
    seed: Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)] = 0
    # Pictures an update, over all ranks and micro-batches.
    batch: Annotated[int, Field(ge=1, le=1 << 16, strict=True)] = 16
    # Pictures at once on one device; by default all that a rank has.
    micro_batch: Annotated[int, Field(ge=1, le=1 << 16, strict=True)] | None = None
    lora: LoraConfig | None = None
    ema: EmaConfig | None = EmaConfig()

    # Optimizer: AdamW, or AdamW with 8-bit state (needs bitsandbytes and CUDA).
    optimizer: Literal["adamw", "adamw8bit"] = "adamw"
    learning_rate: Positive = 1e-5
    warmup: Annotated[int, Field(ge=0, le=1_000_000_000, strict=True)] = 0
    # After the warm-up: constant, or a half cosine down to 0 at step `decay_steps`, and 0 from there on.
    schedule: Literal["constant", "cosine"] = "constant"
    decay_steps: Count | None = None
    betas: tuple[Share, Share] = (0.9, 0.999)
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    epsilon: Positive = 1e-8
    max_grad_norm: Positive = 1.0

    # Objective. prediction: what the base's scheduler must have; a run from scratch may choose.
    prediction: Literal["epsilon", "v_prediction"] | None = None
    # Min-SNR-γ weighting (arXiv:2303.09556); 5 is its authors' choice.
    min_snr_gamma: Positive | None = None
    # Strength of noise that a whole channel has in common, which helps to learn very dark and bright pictures.
    offset_noise: Share = 0.0
    # Schedule rescaled to end in pure noise (arXiv:2305.08891); with v_prediction only.
    zero_terminal_snr: bool = False
    # Stratified timesteps: one from each of as many equal parts of the schedule as the batch has pictures.
    stratified: bool = True
    # Loss weight of the background, by the exact render mask; 1 weighs all alike.
    background_weight: Annotated[float, Field(gt=0, le=1)] = 1.0

    # Machine. auto: bfloat16 on CUDA, float32 elsewhere.
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    # torch.compile, one static graph for each bucket. By default on CUDA alone.
    compile: bool | None = None
    # Halves the activations' memory for about a quarter more time.
    gradient_checkpointing: bool = False
    # Precision in which the VAE computes latents.
    vae_precision: Literal["float32", "bfloat16"] = "float32"
    # Encode everything that the run will draw before the first step, in the order of the files.
    prepare: bool = True

    # Without it the best checkpoint is the one of the least mean training loss since the one before it.
    validation: ValidationConfig | None = None
    checkpoint_every: Count = 1000
    # How many of the last checkpoints are kept, beside the best.
    keep: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 2
    # Updates between previews (RUN/preview.html), a multiple of checkpoint_every; one is made at the end, too.
    preview_every: Count | None = None
    # Stages with their own sizes; without any the whole run has data.size and data.buckets.
    stages: Annotated[tuple[StageConfig, ...], Field(max_length=16)] = ()

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, value: Any) -> Any:
        name = value.get("preset") if isinstance(value, dict) else None
        if name is None and isinstance(value, dict) and value.get("base") == "tiny":
            name = "tiny"
        if name is None:
            return value
        if name not in PRESETS:
            raise RefusedError(f"no such preset: {name}", ", ".join(PRESETS), ("preset",))
        return merged(PRESETS[name].run, value)

    @model_validator(mode="after")
    def _check_consistency(self) -> RunConfig:
        """Refuse settings that contradict one another."""
        if self.micro_batch is not None and self.batch % self.micro_batch:
            raise RefusedError("micro_batch does not divide batch", f"a divisor of {self.batch}", ("micro_batch",))
        if self.preview_every is not None and self.preview_every % self.checkpoint_every:
            allowed = f"a multiple of checkpoint_every, {self.checkpoint_every}"
            raise RefusedError("a preview is made of a checkpoint", allowed, ("preview_every",))
        if (self.schedule == "cosine") != (self.decay_steps is not None):
            raise RefusedError("decay_steps belongs to schedule: cosine", "both or neither", ("schedule",))
        if self.decay_steps is not None and self.decay_steps <= self.warmup:
            allowed = f"more than warmup, {self.warmup}"
            raise RefusedError("the cosine ends before the warm-up does", allowed, ("decay_steps",))
        if self.lora is not None and self.init == "scratch":
            raise RefusedError("a LoRA needs weights to lie beside", "init: base", ("lora",))
        ends = [s.until for s in self.stages[:-1]]
        if any(e is None for e in ends) or (self.stages and self.stages[-1].until is not None):
            raise RefusedError("every stage but the last has an `until`", "steps, growing", ("stages",))
        if ends != sorted({e for e in ends if e is not None}):
            raise RefusedError("stages end one after the other", "steps, growing", ("stages",))
        return self

    def stage_ranges(self) -> list[tuple[range, StageConfig]]:
        """(steps, stage) of each stage up to `steps`; one for the whole run where no stages are configured."""
        if not self.stages:
            stage = StageConfig(size=self.data.size, buckets=self.data.buckets, offset_noise=self.offset_noise)
            return [(range(self.steps), stage)]
        ranges, start = [], 0
        for stage in self.stages:
            stop = self.steps if stage.until is None else min(stage.until, self.steps)
            if start < stop:
                ranges.append((range(start, stop), stage))
            start = stop
        return ranges


def merged(defaults: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two configurations, the second one's values winning; nested mappings are merged key by key."""
    result = dict(defaults)
    for key, value in overrides.items():
        default = result.get(key)
        nested = isinstance(default, Mapping) and isinstance(value, Mapping)
        result[key] = merged(default, value) if nested else value  # type: ignore[arg-type]
    return result


def to_yaml(config: RunConfig) -> str:
    """run.yaml's text: the whole configuration, defaults included."""
    text: str = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)
    return text


def first_difference(old: RunConfig, new: RunConfig) -> str | None:
    """The first setting, as "lora.rank", that makes `new` another run than `old`; None where it is the same run.

    Where files lie makes no difference.
    """
    a, b = _identity_settings(old), _identity_settings(new)
    for key in {**a, **b}:
        if a.get(key) != b.get(key):
            # A section that only one of them has is named as a whole.
            return key if key in a and key in b else key.partition(".")[0]
    return None


def _identity_settings(config: RunConfig) -> dict[str, Any]:
    """The settings that a resumed run must share: "section.key" → value."""
    settings = config.model_dump(mode="json", exclude={*MAY_CHANGE, "base"})
    for source in settings["data"]["sources"]:
        # Contents are compared by the data's manifest, the base by its hashes; no sample follows from the rest.
        for key in ("path", "license", "attribution"):
            source.pop(key)
    settings["data"].pop("cache")
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat.update({f"{key}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value})
    return flat
