"""What a training run reads, and how: the `data` part of run.yaml.

    data:
      sources: [out/pictures]
      size: 512

Everything else has a default, written beside each field below.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from vrm_synth.yaml_models.strict_yaml import RefusedError

MOST_BUCKETS = 6  # each is one compiled graph
SMALLEST_SIDE, LONGEST_SIDE, STEP = 64, 2048, 64  # pixels; 64 is eight latents of eight pixels, which U-Nets halve

Share = Annotated[float, Field(ge=0, le=1, strict=True)]
Side = Annotated[int, Field(ge=SMALLEST_SIDE, le=LONGEST_SIDE, multiple_of=STEP, strict=True)]
ShortText = Annotated[str, Field(min_length=1, max_length=500)]


def _path(value: Any, info: ValidationInfo) -> Any:
    """Paths start from the folder of the file that names them (context "base")."""
    if not isinstance(value, str | Path) or not str(value):
        raise RefusedError("not a path", "a folder, a .tar or a .parquet")
    return str((info.context or {}).get("base", Path()) / Path(value).expanduser())


Place = Annotated[str, BeforeValidator(_path)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceConfig(_Strict):
    """One set of captioned pictures."""

    # A folder (of pictures with metadata.jsonl or .txt captions, of .tar or of .parquet shards), or one shard.
    path: Place
    # What the run's ledger and errors call it; by default the folder's name.
    name: ShortText | None = None
    # Share of the training samples, beside the other sources' weights.
    weight: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    # Of a dataset with splits.
    split: ShortText = "train"
    # Required where the pictures' own metadata does not say: an SPDX name or a sentence, for ledger and model card.
    license: ShortText | None = None
    attribution: ShortText | None = None
    # The column or member that holds the sentence, and the one that holds the tags, a list or "a, b, c".
    caption: ShortText = "caption"
    tags: ShortText = "tags"
    # Chance that a sample that has both is captioned by its tags.
    tag_share: Share = 0.0
    # Chance that a picture is mirrored, left and right in its caption changing places; captions whose left and
    # right cannot be told apart from other senses stay as they are, and so do their pictures.
    mirror: Share = 0.0


class DataConfig(_Strict):
    """All that the samples of a run follow from, beside its seed and global batch."""

    sources: Annotated[tuple[SourceConfig, ...], Field(min_length=1, max_length=64)]
    # Pixels of a square's side; buckets of other shapes have about its area.
    size: Side = 512
    # How many shapes pictures may have at most: those that fit the pictures at hand best; 1 is the square.
    buckets: Annotated[int, Field(ge=1, le=MOST_BUCKETS, strict=True)] = MOST_BUCKETS
    # How a picture becomes its bucket's shape: its middle is cut out, or the whole is laid on the background.
    # Cutting a tall picture to a square takes heads and feet off, whatever the caption says.
    fit: Literal["crop", "pad"] = "crop"
    # Where transparent pictures are laid on.
    background: Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")] = "#ffffff"
    # Chance that a caption is dropped: what guidance learns from.
    drop_captions: Share = 0.1
    # Shuffle the parts of tag captions, all but the first keep_tags.
    shuffle_tags: bool = False
    keep_tags: Annotated[int, Field(ge=0, le=100, strict=True)] = 1
    # Captions beyond the text encoder's length: out with their pictures, or cut by the tokenizer.
    overlong: Literal["quarantine", "truncate"] = "quarantine"
    # Latents and tables of the sources; by default RUN/cache. Several runs may share it, at the same time, too.
    cache: Place | None = None
    # What latents are kept in.
    cache_dtype: Literal["float16", "bfloat16", "float32"] = "float16"

    @field_validator("sources", mode="before")
    @classmethod
    def _a_path_is_a_source(cls, value: Any) -> Any:
        several = value if isinstance(value, list | tuple) else [value]
        return tuple({"path": s} if isinstance(s, str | Path) else s for s in several)

    @model_validator(mode="after")
    def _names_differ(self) -> DataConfig:
        names = [source_name(s) for s in self.sources]
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise RefusedError(f"two sources are called {twice}", "a name of its own for each", ("sources",))
        return self


def source_name(source: SourceConfig) -> str:
    """What ledger and errors call it."""
    return source.name or Path(source.path).name or "data"
