"""What a training run is: run.yaml.

    base: tiny                    # or a diffusers folder, or owner/repository@revision
    steps: 1000
    data:
      sources: [out/pictures]

Everything else has a default, written beside each field below; a preset has its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from vrm_synth.models.base_location import REPOSITORY, TINY
from vrm_synth.models.base_presets import PRESETS
from vrm_synth.train.data.config import MOST_BUCKETS, DataConfig, Share, ShortText, Side
from vrm_synth.yaml_models.strict_yaml import RefusedError

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
# What may differ between a run and its continuation: nothing that has been drawn follows from it.
FREE = ("steps", "checkpoint_every", "keep", "preview_every", "prepare")

Positive = Annotated[float, Field(gt=0, le=1e6)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000, strict=True)]


def _base(value: Any, info: ValidationInfo) -> Any:
    """A folder's path starts from the folder of the file that names it (context "base")."""
    if not isinstance(value, str | Path) or not str(value):
        raise RefusedError("not a base model", "a diffusers folder, owner/repository@revision, or tiny")
    text = str(value)
    if text == TINY or text in PRESETS or (REPOSITORY.fullmatch(text) and not Path(text).exists()):
        return text
    return str(((info.context or {}).get("base", Path()) / Path(text).expanduser()).absolute())


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EmaConfig(_Strict):
    """The running mean of the weights: what is sampled from and exported."""

    # Its decay at the end; it grows to that as (1 + step) / (10 + step).
    decay: Annotated[float, Field(ge=0, lt=1)] = 0.9999


class LoraConfig(_Strict):
    """Small weights beside the frozen ones, instead of all of the U-Net's."""

    rank: Annotated[int, Field(ge=1, le=1024, strict=True)] = 16
    # The change is scaled by alpha / rank.
    alpha: Positive = 16.0
    # Weight-decomposed (DoRA, arXiv:2402.09353): directions and lengths apart.
    dora: bool = False
    # Which of the U-Net's layers, by the ends of their names.
    targets: Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=64)] = ATTENTION


class StageConfig(_Strict):
    """A part of a run with pictures of its own size."""

    # The step that it ends before; the last stage has none.
    until: Count | None = None
    size: Side
    buckets: Annotated[int, Field(ge=1, le=MOST_BUCKETS, strict=True)] = 1
    offset_noise: Share = 0.0


class ValidationConfig(_Strict):
    """Pictures that are not trained on, whose loss every checkpoint has: the least of it is the best one's."""

    # Of the sources that have it; another than they are trained on.
    split: ShortText
    # How many of them, in whole batches. They stay in memory: at 512² a quarter of a MiB each.
    pictures: Annotated[int, Field(ge=1, le=4096, strict=True)] = 256


class RunConfig(_Strict):
    """A whole run. The same configuration and machine give the same weights, in one go or in many."""

    # A diffusers folder, owner/repository@revision, or tiny.
    base: Annotated[str, BeforeValidator(_base)]
    # What the base must be, and defaults for the run: vrm-synth train --presets.
    preset: ShortText | None = None
    # Where neither preset nor folder says under which license the base is.
    base_license: ShortText | None = None
    # scratch: the U-Net begins with new weights.
    init: Literal["base", "scratch"] = "base"
    data: DataConfig
    # How many updates; a larger number goes on.
    steps: Count
    # All randomness follows from it: order, noise, timesteps, new weights.
    seed: Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)] = 0
    # Pictures an update, of all ranks and accumulated parts together.
    batch: Annotated[int, Field(ge=1, le=1 << 16, strict=True)] = 16
    # Pictures at once on one device; by default as many as a rank has.
    micro_batch: Annotated[int, Field(ge=1, le=1 << 16, strict=True)] | None = None
    lora: LoraConfig | None = None
    ema: EmaConfig | None = EmaConfig()

    # Optimiser: AdamW, or with its state in 8 bit (needs bitsandbytes and CUDA).
    optimizer: Literal["adamw", "adamw8bit"] = "adamw"
    learning_rate: Positive = 1e-5
    warmup: Annotated[int, Field(ge=0, le=1_000_000_000, strict=True)] = 0
    # After the warm-up: constant, or a half cosine down to nothing at step `decay_steps`, where it stays.
    schedule: Literal["constant", "cosine"] = "constant"
    decay_steps: Count | None = None
    betas: tuple[Share, Share] = (0.9, 0.999)
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    epsilon: Positive = 1e-8
    max_grad_norm: Positive = 1.0

    # Objective. prediction: what the base's scheduler must say; from scratch, what it shall.
    prediction: Literal["epsilon", "v_prediction"] | None = None
    # Min-SNR-γ weighting (arXiv:2303.09556); 5 is its authors' choice.
    min_snr_gamma: Positive | None = None
    # Strength of noise that a whole channel has in common, from which very dark and bright pictures are learnt.
    offset_noise: Share = 0.0
    # Schedule rescaled to end in pure noise (arXiv:2305.08891); with v_prediction only.
    zero_terminal_snr: bool = False
    # Timesteps of a batch spread evenly, one in each of as many strata.
    stratified: bool = True
    # Loss weight of what is not figure, by the exact render mask; 1 is none.
    background_weight: Annotated[float, Field(gt=0, le=1)] = 1.0

    # Machine. auto: bfloat16 on CUDA, float32 elsewhere.
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    # torch.compile, a static graph for each bucket. By default on CUDA alone.
    compile: bool | None = None
    # Half the memory of activations for a quarter more time.
    gradient_checkpointing: bool = False
    # What the VAE computes latents in.
    vae_precision: Literal["float32", "bfloat16"] = "float32"
    # Encode all that the run will draw before the first step, in the order of the files.
    prepare: bool = True

    # None: the best checkpoint is the one of the least mean loss since the one before it.
    validation: ValidationConfig | None = None
    checkpoint_every: Count = 1000
    # How many of the last checkpoints stay, and the best beside them.
    keep: Annotated[int, Field(ge=1, le=10_000, strict=True)] = 2
    # At every so many updates, and at the end, RUN/preview.html is made anew: a multiple of checkpoint_every.
    preview_every: Count | None = None
    # Pictures of growing size; none: all the run with data.size and data.buckets.
    stages: Annotated[tuple[StageConfig, ...], Field(max_length=16)] = ()

    @model_validator(mode="before")
    @classmethod
    def _preset_below(cls, value: Any) -> Any:
        name = value.get("preset") if isinstance(value, dict) else None
        if name is None and isinstance(value, dict) and value.get("base") == "tiny":
            name = "tiny"
        if name is None:
            return value
        if name not in PRESETS:
            raise RefusedError(f"no such preset: {name}", ", ".join(PRESETS), ("preset",))
        return merged(PRESETS[name].run, value)

    @model_validator(mode="after")
    def _fits_together(self) -> RunConfig:
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

    def parts(self) -> list[tuple[range, StageConfig]]:
        """(steps, stage) of the whole run; the last goes on as long as is asked."""
        if not self.stages:
            only = StageConfig(size=self.data.size, buckets=self.data.buckets, offset_noise=self.offset_noise)
            return [(range(self.steps), only)]
        out, start = [], 0
        for stage in self.stages:
            stop = self.steps if stage.until is None else min(stage.until, self.steps)
            if start < stop:
                out.append((range(start, stop), stage))
            start = stop
        return out


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two configurations, the second one's values winning; mappings are merged key by key."""
    out = dict(below)
    for key, value in above.items():
        under = out.get(key)
        both = isinstance(under, Mapping) and isinstance(value, Mapping)
        out[key] = merged(under, value) if both else value  # type: ignore[arg-type]
    return out


def to_yaml(config: RunConfig) -> str:
    """The whole configuration, defaults included, as run.yaml has it."""
    text: str = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)
    return text


def difference(old: RunConfig, new: RunConfig) -> str | None:
    """The first setting that makes `new` another run than `old`; where files lie makes none."""
    a, b = (_compared(c) for c in (old, new))
    # Of a part that only one of them has, the other has no keys.
    return next(
        (k.partition(".")[0] if k not in a or k not in b else k for k in {**a, **b} if a.get(k) != b.get(k)), None
    )


def _compared(config: RunConfig) -> dict[str, Any]:
    told = config.model_dump(mode="json", exclude={*FREE, "base"})
    for source in told["data"]["sources"]:
        # What lies there is compared by the data's manifest, the base by its hashes; no sample follows from the rest.
        for key in ("path", "license", "attribution"):
            source.pop(key)
    told["data"].pop("cache")
    return {f"{k}.{n}" if n else k: v for k, part in told.items() for n, v in _entries(part)}


def _entries(part: Any) -> list[tuple[str, Any]]:
    return list(part.items()) if isinstance(part, dict) else [("", part)]
