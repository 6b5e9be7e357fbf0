"""What a dataset that is there is to consist of, by its dataset.json alone: rendered ones follow their recipe's plan,
derived ones the numbers that were picked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.layout import IDENTITY
from vrm_synth.dataset.plan import Plan
from vrm_synth.dataset.shards.writers import FORMATS, index_name
from vrm_synth.shot import Recipe

DERIVED = "derived"


@dataclass(frozen=True)
class ExpectedShard:
    """A shard that is to be there. count: of its samples, those that could not be made included; keys: their names,
    None where only the record tells."""

    number: int
    split: str
    count: int
    keys: tuple[str, ...] | None = None

    @property
    def stem(self) -> str:
        """What the names of all its files begin with, its record's apart."""
        return f"{self.split}/{self.number:05d}"

    def owns(self, name: str) -> bool:
        """Whether a file of that name is one of the shard."""
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
    """Of a recipe's dataset."""

    plan: Plan

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return self.plan.blocks

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return self.plan.blocks * len(self.plan.splits)

    @property
    def samples(self) -> int:
        """How many samples there are, those that could not be made included."""
        return self.plan.recipe.count

    def expected(self, block: int) -> tuple[ExpectedShard, ...]:
        """The shards of a block."""
        return tuple(ExpectedShard(s.number, s.split, len(s.shots), s.keys) for s in self.plan.shards(block))


@dataclass(frozen=True)
class DerivedDataset:
    """Of a subset, a merged or a converted dataset: splits of so many samples, each cut into shards; one a block."""

    splits: Mapping[str, int]
    shard_size: int

    @property
    def blocks(self) -> int:
        """As many as shards."""
        return self.shards

    @property
    def shards(self) -> int:
        """How many shards there are."""
        return sum(math.ceil(n / self.shard_size) for n in self.splits.values())

    @property
    def samples(self) -> int:
        """How many samples there are."""
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
    """What dataset.json has one expect. Raises DatasetError where it is none of ours."""
    settings = identity["recipe"]
    try:
        size = settings["shard_size"]
        if settings["format"] not in FORMATS or not isinstance(size, int) or size < 1:
            raise ValueError(f"format {settings['format']}, shard_size {size}")
        if DERIVED in settings:
            return DerivedDataset({str(k): int(v) for k, v in settings["splits"].items()}, size)
        return RenderedDataset(Plan(_planned(settings), size))
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        raise DatasetError("not a dataset's identity", got=f"{type(e).__name__}: {e}", where=IDENTITY) from e


def _planned(settings: Mapping[str, Any]) -> Recipe:
    """As much of the recipe as the plan takes; its avatars by their hashes, for their files may be elsewhere."""
    avatars = tuple(f"{a['id']} {a['sha256']}" for a in settings["avatars"])
    if not avatars or not isinstance(settings["count"], int) or not isinstance(settings["seed"], int):
        raise ValueError("no avatars, count or seed")
    return Recipe.model_construct(
        avatar_lists=(avatars,),
        count=settings["count"],
        seed=settings["seed"],
        splits={str(k): float(v) for k, v in settings["splits"].items()},
        split_by=settings["split_by"],
    )
