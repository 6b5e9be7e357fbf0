"""Plan of a dataset: which shots are in which shard, a function of the recipe and the shard size alone.

Shots are numbered; each `shard_size` of them in a row are a block, which is drawn as one. A block has a shard in each
split, for the shots of it that belong there, so that a shard holds shots of one split and nothing has to be known of
other blocks: shard s is of block s // splits. Which split shot i is in follows from (recipe, i), or from its avatar.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from vrm_synth.core.errors import DatasetError
from vrm_synth.core.rng import rng
from vrm_synth.shot import Recipe, source_at
from vrm_synth.shot.planner import first_view

REST = "train"  # the split of whatever no other split takes
SHARD_SIZE = 1000


@dataclass(frozen=True)
class PlannedShard:
    """A shard of the plan.

    number: of the shard in its dataset.
    split: name of its split.
    shots: numbers of its shots, rising.
    """

    number: int
    split: str
    shots: tuple[int, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of its samples."""
        return tuple(key(i) for i in self.shots)


@dataclass(frozen=True)
class Plan:
    """The shards of a recipe."""

    recipe: Recipe
    shard_size: int = SHARD_SIZE

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits, that of the rest first."""
        return (REST, *(name for name in self.recipe.splits if name != REST))

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return math.ceil(self.recipe.count / self.shard_size)

    def shots(self, block: int) -> range:
        """The shots of a block."""
        return range(block * self.shard_size, min((block + 1) * self.shard_size, self.recipe.count))

    def avatar_group(self, i: int) -> tuple[int, str]:
        """The block of shot i and the source of its avatar."""
        return i // self.shard_size, source_at(self.recipe, i)

    def group_shots(self, group: tuple[int, str]) -> list[int]:
        """The shots of one avatar in one block, rising. group: of `avatar_group`."""
        block, source = group
        return [i for i in self.shots(block) if source_at(self.recipe, i) == source]

    def numbers(self, block: int) -> range:
        """The shards of a block."""
        return range(block * len(self.splits), (block + 1) * len(self.splits))

    def shards(self, block: int) -> tuple[PlannedShard, ...]:
        """The shards of a block, with their shots; some may have none."""
        splits = self.splits
        by_split: dict[str, list[int]] = {name: [] for name in splits}
        held_out = held_out_avatars(self.recipe)
        for i in self.shots(block):
            by_split[split_at(self.recipe, i, held_out)].append(i)
        return tuple(
            PlannedShard(n, name, tuple(by_split[name])) for n, name in zip(self.numbers(block), splits, strict=True)
        )


def key(i: int) -> str:
    """Key of the sample of shot i: six digits."""
    return f"{i:06d}"


def split_at(recipe: Recipe, i: int, held_out: Mapping[str, str]) -> str:
    """The split of shot i. held_out: of held_out_avatars()."""
    if not recipe.splits:
        return REST
    if recipe.split_by == "avatar":
        return held_out.get(source_at(recipe, i), REST)
    at = float(rng(recipe.seed, "split", first_view(recipe, i)).random())  # views of one body stay together
    for name, share in recipe.splits.items():
        if at < share:
            return name
        at -= share
    return REST


def held_out_avatars(recipe: Recipe) -> dict[str, str]:
    """Avatar → split, of those that are not the rest's: each split has its share of them, one at least.

    Raises DatasetError where that would leave none for the rest.
    """
    if not recipe.splits or recipe.split_by != "avatar":
        return {}
    sources = list(dict.fromkeys(recipe.avatars))
    order = [sources[int(k)] for k in rng(recipe.seed, "split of avatars").permutation(len(sources))]
    counts = {name: max(1, round(share * len(order))) for name, share in recipe.splits.items()}
    if sum(counts.values()) >= len(order):
        raise DatasetError(
            "too few avatars to split by avatar", got=len(order), allowed=f"more than {sum(counts.values())}"
        )
    return {order.pop(): name for name, count in counts.items() for _ in range(count)}
