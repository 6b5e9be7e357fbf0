"""Configuration of training data: the `data` section of run.yaml.

    data:
      sources: [out/pictures]
      size: 512

Every other key has a default, written beside its field below.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from vrm_synth.yaml_models.strict_yaml import RefusedError

MAX_BUCKETS = 6  # each is one compiled graph
MIN_TRAINING_SIDE, MAX_TRAINING_SIDE, TRAINING_SIDE_STEP = (
    64,
    2048,
    64,
)  # pixels; 64 is eight latents of eight pixels, which U-Nets halve

Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Side = Annotated[int, Field(ge=MIN_TRAINING_SIDE, le=MAX_TRAINING_SIDE, multiple_of=TRAINING_SIDE_STEP, strict=True)]
ShortText = Annotated[str, Field(min_length=1, max_length=500)]


def _resolve_path(value: Any, info: ValidationInfo) -> Any:
    """A path; relative ones start from the YAML file's folder (context "base")."""
    if not isinstance(value, str | Path) or not str(value):
        raise RefusedError("not a path", "a folder, a .tar or a .parquet")
    return str((info.context or {}).get("base", Path()) / Path(value).expanduser())


PathText = Annotated[str, BeforeValidator(_resolve_path)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceConfig(_Strict):
    """One set of captioned pictures."""

    # A folder (of pictures with metadata.jsonl or .txt captions, of .tar or of .parquet shards), or one shard.
    path: PathText
    # Name in the ledger and in errors; by default the folder's.
    name: ShortText | None = None
    # Share of the training samples, relative to the other sources' weights.
    weight: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    # Split to read, of a dataset that has splits.
    split: ShortText = "train"
    # License of the pictures, an SPDX name or a sentence, for ledger and model card. Required where their own metadata
    # does not say.
    license: ShortText | None = None
    attribution: ShortText | None = None
    # The column or member that holds the sentence, and the one that holds the tags, a list or "a, b, c".
    caption: ShortText = "caption"
    tags: ShortText = "tags"
    # Probability that a sample that has both is captioned by its tags.
    tag_share: Share = 0.0
    # Probability that a picture is mirrored, with left and right swapped in its caption. Where they may mean something
    # else in the caption, the picture is never mirrored.
    mirror: Share = 0.0


class DataConfig(_Strict):
    """Everything that the samples of a run follow from, beside its seed and global batch."""

    sources: Annotated[tuple[SourceConfig, ...], Field(min_length=1, max_length=64)]
    # Side of the square bucket in pixels; buckets of other shapes have about its area.
    size: Side = 512
    # Most buckets (picture shapes); those that fit the pictures best are chosen. 1: the square alone.
    buckets: Annotated[int, Field(ge=1, le=MAX_BUCKETS, strict=True)] = MAX_BUCKETS
    # How a picture gets its bucket's shape: center crop, or the whole padded with the background color. Cropping a tall
    # picture to a square cuts off heads and feet, whatever the caption says.
    fit: Literal["crop", "pad"] = "crop"
    # Color behind transparent pictures.
    background: Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")] = "#ffffff"
    # Probability that a caption is dropped, for classifier-free guidance.
    drop_captions: Share = 0.1
    # Shuffle the parts of tag captions, all but the first keep_tags.
    shuffle_tags: bool = False
    keep_tags: Annotated[int, Field(ge=0, le=100, strict=True)] = 1
    # Captions longer than the text encoder's window: left out with their pictures, or cut by the tokenizer.
    overlong: Literal["quarantine", "truncate"] = "quarantine"
    # Folder of latents and row tables; by default RUN/cache. Several runs may share it, even at the same time.
    cache: PathText | None = None
    # Data type of cached latents.
    cache_dtype: Literal["float16", "bfloat16", "float32"] = "float16"

    @field_validator("sources", mode="before")
    @classmethod
    def _paths_to_sources(cls, value: Any) -> Any:
        several = value if isinstance(value, list | tuple) else [value]
        return tuple({"path": s} if isinstance(s, str | Path) else s for s in several)

    @model_validator(mode="after")
    def _check_names(self) -> DataConfig:
        names = [source_name(s) for s in self.sources]
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise RefusedError(f"two sources are called {twice}", "a name of its own for each", ("sources",))
        return self


def source_name(source: SourceConfig) -> str:
    """Name of a source in ledger and errors."""
    return source.name or Path(source.path).name or "data"
