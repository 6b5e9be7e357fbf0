"""The shards that an existing dataset should contain, from its dataset.json alone: those of a rendered dataset follow
from its recipe's plan, those of a derived one from the number of samples picked per split."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.plan import Plan
from vrm_synth.io.file_names import DATASET_JSON, SHARD_FORMATS, index_name, shard_stem
from vrm_synth.shot import Recipe

DERIVED = "derived"


@dataclass(frozen=True)
class ExpectedShard:
    """A shard that should exist.

    number: of the shard.
    split: name of its split.
    count: of its samples, those that could not be made included.
    keys: of its samples; None where only its record has them.
    """

    number: int
    split: str
    count: int
    keys: tuple[str, ...] | None = None

    @property
    def stem(self) -> str:
        """Common start of the names of its files, other than its record."""
        return shard_stem(self.split, self.number)

    def owns(self, name: str) -> bool:
        """True if a file of that name is one of the shard's."""
        return name.startswith((f"{self.stem}.", f"{self.stem}/")) or name == index_name(self.number)


class ExpectedDataset(Protocol):
    """The shards of a dataset, block by block."""

    @property
    def blocks(self) -> int: ...

    @property
    def shards(self) -> int: ...

    @property
    def samples(self) -> int: ...

    def expected(self, block: int) -> tuple[ExpectedShard, ...]: ...


@dataclass(frozen=True)
class RenderedDataset:
    """A dataset rendered from a recipe."""

    plan: Plan

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return self.plan.blocks

    @property
    def shards(self) -> int:
        """Number of shards."""
        return self.plan.blocks * len(self.plan.splits)

    @property
    def samples(self) -> int:
        """Number of samples, those that could not be made included."""
        return self.plan.recipe.count

    def expected(self, block: int) -> tuple[ExpectedShard, ...]:
        """The shards of a block."""
        return tuple(ExpectedShard(s.number, s.split, len(s.shots), s.keys) for s in self.plan.shards(block))


@dataclass(frozen=True)
class DerivedDataset:
    """A subset, a merged or a converted dataset, with one shard per block.

    splits: name → number of samples.
    shard_size: samples per shard.
    """

    splits: Mapping[str, int]
    shard_size: int

    @property
    def blocks(self) -> int:
        """As many as shards."""
        return self.shards

    @property
    def shards(self) -> int:
        """Number of shards."""
        return sum(math.ceil(n / self.shard_size) for n in self.splits.values())

    @property
    def samples(self) -> int:
        """Number of samples."""
        return sum(self.splits.values())

    def expected(self, block: int) -> tuple[ExpectedShard, ...]:
        """The one shard of that number."""
        first = block
        for split, count in self.splits.items():
            shards = math.ceil(count / self.shard_size)
            if first < shards:
                return (ExpectedShard(block, split, min(self.shard_size, count - first * self.shard_size)),)
            first -= shards
        return ()


def expected_dataset(identity: Mapping[str, Any]) -> ExpectedDataset:
    """The dataset that a dataset.json describes. Raises DatasetError where it is none of ours."""
    settings = identity["recipe"]
    try:
        size = settings["shard_size"]
        if settings["format"] not in SHARD_FORMATS or not isinstance(size, int) or size < 1:
            raise ValueError(f"format {settings['format']}, shard_size {size}")
        if DERIVED in settings:
            return DerivedDataset({str(k): int(v) for k, v in settings["splits"].items()}, size)
        return RenderedDataset(Plan(_partial_recipe(settings), size))
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise DatasetError("not a dataset's identity", got=f"{type(e).__name__}: {e}", where=DATASET_JSON) from e


def _partial_recipe(settings: Mapping[str, Any]) -> Recipe:
    """The part of a recipe that the plan needs; avatars by their hashes, because their files may be elsewhere."""
    avatars = tuple(f"{a['id']} {a['sha256']}" for a in settings["avatars"])
    if not avatars or not isinstance(settings["count"], int) or not isinstance(settings["seed"], int):
        raise ValueError("no avatars, count or seed")
    views = settings.get("views_per_pose", 1)
    if not isinstance(views, int) or views < 1:
        raise ValueError(f"views_per_pose {views}")
    return Recipe.model_construct(
        avatar_lists=(avatars,),
        count=settings["count"],
        seed=settings["seed"],
        splits={str(k): float(v) for k, v in settings["splits"].items()},
        split_by=settings["split_by"],
        views_per_pose=views,
    )
