"""Recipe → dataset: the gate, then block by block into shards.

Shots are drawn one by one, by whatever engine; here they are gathered until a block is whole, packed into its shards
and put into the store, each shard's completion record last. What a shard consists of follows from the recipe, so that
neither the number of workers nor their order leaves a trace, and the same command again makes just what is missing.
A process that dies costs the shot that it was at another try; a shot that two have died of is quarantined.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vrm_synth.avatar.assets import Standing, gate
from vrm_synth.avatar.evidence import Evidence
from vrm_synth.avatar.model import Avatar
from vrm_synth.avatar.runtime import PRESETS
from vrm_synth.core.errors import RecipeError
from vrm_synth.dataset.cache import AvatarCache
from vrm_synth.dataset.draw import Drawing, Drawn, Look, Lost, avatar_id, check_look, home_of, is_built_in
from vrm_synth.dataset.files import to_json
from vrm_synth.dataset.finish import finish
from vrm_synth.dataset.layout import METRICS, claim, identity
from vrm_synth.dataset.plan import SHARD_SIZE, Plan
from vrm_synth.dataset.resume import missing_of
from vrm_synth.dataset.shards import Shards
from vrm_synth.dataset.store import Store
from vrm_synth.dataset.workers import Task, work
from vrm_synth.render import RendererName
from vrm_synth.shot import Recipe

WINDOW = 64  # blocks that an engine is given at a time: their shots, not those of all, are held in memory
DEATHS = 2  # processes that may die of one shot

Engine = Callable[[Task[int, Any], Iterable[Sequence[int]]], Generator[Any, None, None]]


@dataclass(frozen=True)
class Settings:
    """How a dataset is made. evidence: the licence manifest by SHA-256; devices: EGL indices that workers share;
    memory: bytes of avatars that a process keeps; mips: a folder for mip chains."""

    look: Look = field(default_factory=Look)
    shard_size: int = SHARD_SIZE
    renderer: RendererName = "gl"
    devices: tuple[int, ...] = (0,)
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    memory: int = 1 << 30
    mips: Path | None = None


@dataclass
class Progress:
    """What has happened so far; for bars and metrics. seconds: of the run; laps: of all processes, by stage, and of
    this one's packing and putting ("put")."""

    pictures: int = 0
    retries: int = 0
    quarantined: int = 0
    deaths: int = 0
    shards: int = 0
    most_open: int = 0
    seconds: float = 0.0
    laps: dict[str, float] = field(default_factory=dict)


class Dataset:
    """A recipe on its way into a store.

    open_avatar: source → Avatar; checked: called for each avatar that passed. Making one reads every avatar of the
    recipe once. Raises LicenceError for an avatar that may not be shown, DatasetError for a store that is taken,
    and whatever reading an avatar raises: nothing is drawn unless all of it may be.
    """

    def __init__(
        self,
        recipe: Recipe,
        store: Store,
        open_avatar: Callable[[str], Avatar],
        settings: Settings | None = None,
        checked: Callable[[], object] = lambda: None,
    ):
        settings = settings or Settings()
        check_look(settings.look, recipe)
        open_one = AvatarCache(open_avatar)
        credits: dict[str, dict[str, Any]] = {}
        expressions = set(PRESETS)
        for source in dict.fromkeys(recipe.avatars):
            avatar = open_one(source)
            standing = gate(avatar, settings.evidence, recipe.accept_licences)
            credits[source] = _credit(source, avatar, standing)
            expressions |= avatar.expressions.keys()
            checked()
        unknown = [name for name in recipe.expressions if name not in expressions]
        if unknown:
            known = ", ".join(sorted(expressions))
            raise RecipeError("no avatar of this recipe has the expression", got=unknown[0], allowed=known)
        self.plan = Plan(recipe, settings.shard_size)
        self.store = store
        self.shards = Shards(self.plan, store, settings.look.form)
        claim(store, identity(_settings(recipe, credits, settings), _told(recipe), list(credits.values())))
        home = home_of(store, settings.look.form)
        licences = {source: credit["licence"] for source, credit in credits.items()}
        self.drawing = Drawing(
            recipe, home, licences, settings.look, settings.renderer, settings.devices, settings.memory, settings.mips
        )

    def missing(self, blocks: Iterable[int] | None = None) -> list[int]:
        """The blocks, of these or of all, of which a shard is missing."""
        some = range(self.plan.blocks) if blocks is None else blocks
        numbers = [n for b in some for n in self.plan.numbers(b)]
        return sorted({n // len(self.plan.splits) for n in missing_of(self.store, numbers)})

    def make(
        self,
        blocks: Sequence[int],
        engine: Engine = work,
        done: Callable[[], object] = lambda: None,
        note: Callable[[str], object] = lambda text: None,
    ) -> Progress:
        """Draw these blocks and put their shards. done: called for each shot that is through; note: with a line of
        what somebody should know. What is whole when this ends, by its end, an error or an interruption, stays."""
        progress, start = Progress(), time.monotonic()
        for at in range(0, len(blocks), WINDOW):
            self._make_some(blocks[at : at + WINDOW], engine, progress, done, note)
        progress.seconds = time.monotonic() - start
        return progress

    def _make_some(
        self,
        blocks: Sequence[int],
        engine: Engine,
        progress: Progress,
        done: Callable[[], object],
        note: Callable[[str], object],
    ) -> None:
        gathered, deaths = _Blocks(self.plan), Counter[int]()
        left = [i for b in blocks for i in self.plan.shots(b)]
        while left:
            lost: list[int] = []
            with contextlib.closing(engine(self.drawing, self.shards.groups(left))) as drawn:
                for event in drawn:
                    if isinstance(event, Lost):
                        deaths[event.i] += 1
                        progress.deaths += 1
                        note(f"shot {event.i:06d}: the process that drew it died ({event.how})")
                        if deaths[event.i] < DEATHS:
                            lost.append(event.i)
                            continue
                        event = Drawn(event.i, None, why=f"{DEATHS} processes that drew it died")
                    self._take(event, gathered, progress, done, note)
            left = lost

    def finish(self) -> bool:
        """Table, card and sheet, where all shards are there; whether they are."""
        if self.missing():
            return False
        finish(self.store)
        return True

    def _take(
        self,
        drawn: Drawn,
        gathered: _Blocks,
        progress: Progress,
        done: Callable[[], object],
        note: Callable[[str], object],
    ) -> None:
        progress.pictures += drawn.sample is not None
        progress.retries += drawn.attempts - 1
        if drawn.sample is None:
            progress.quarantined += 1
            note(f"shot {drawn.i:06d} is quarantined: {drawn.why}")
        for stage, seconds in drawn.laps.items():
            progress.laps[stage] = progress.laps.get(stage, 0.0) + seconds
        whole = gathered.add(drawn)
        progress.most_open = max(progress.most_open, len(gathered))
        done()
        if whole is not None:
            start = time.perf_counter()
            progress.shards += self.shards.put(drawn.i // self.plan.shard_size, whole)
            progress.laps["put"] = progress.laps.get("put", 0.0) + time.perf_counter() - start


class _Blocks:
    """Shots that are through, until their block is whole."""

    def __init__(self, plan: Plan):
        self._plan = plan
        self._open: dict[int, dict[int, Drawn]] = {}

    def add(self, drawn: Drawn) -> dict[int, Drawn] | None:
        """The block's shots where this was the last of them."""
        block = drawn.i // self._plan.shard_size
        held = self._open.setdefault(block, {})
        held[drawn.i] = drawn
        return self._open.pop(block) if len(held) == len(self._plan.shots(block)) else None

    def __len__(self) -> int:
        return len(self._open)


def write_metrics(store: Store, progress: Progress, workers: int) -> None:
    """metrics.json of the last run: no part of the data, which knows no clocks."""
    told = {
        "pictures": progress.pictures,
        "seconds": round(progress.seconds, 2),
        "pictures_per_second": round(progress.pictures / progress.seconds, 2) if progress.seconds else None,
        "workers": workers,
        "pictures_per_second_by_stage": {
            stage: round(progress.pictures / seconds, 2) for stage, seconds in progress.laps.items() if seconds
        },
        "shards": progress.shards,
        "retries": progress.retries,
        "quarantined": progress.quarantined,
        "processes_died": progress.deaths,
        "most_blocks_open": progress.most_open,
    }
    store.put_file(METRICS, (to_json(told, indent=1) + "\n").encode())


def _settings(recipe: Recipe, credits: Mapping[str, Mapping[str, Any]], settings: Settings) -> dict[str, Any]:
    """Everything that the bytes follow from: the recipe, its avatars by their contents, what draws, how files look."""
    avatars = [{"id": credits[s]["id"], "sha256": credits[s]["sha256"]} for s in recipe.avatars]
    look = {"format": settings.look.form, "encoding": settings.look.encoding, "passes": list(settings.look.passes)}
    return {
        "avatars": avatars,
        **_dump(recipe),
        "renderer": settings.renderer,
        **look,
        "shard_size": settings.shard_size,
    }


def _told(recipe: Recipe) -> dict[str, Any]:
    """The recipe as one would write it: no defaults, of the avatars' paths only their files' names."""
    defaults = _dump(Recipe.model_validate({"avatars": ["demo"], "count": 1}))
    named = [s if is_built_in(s) else Path(s).name for s in recipe.avatars]
    chosen = {k: v for k, v in _dump(recipe).items() if k in ("count", "seed") or v != defaults[k]}
    return {"avatars": named, **chosen}


def _dump(recipe: Recipe) -> dict[str, Any]:
    return recipe.model_dump(mode="json", exclude={"avatar_lists", "accept_licences"})


def _credit(source: str, avatar: Avatar, found: Standing) -> dict[str, Any]:
    return {
        "id": avatar_id(source),
        "name": avatar.meta.name,
        "authors": list(avatar.meta.authors),
        "sha256": avatar.sha256,
        "licence": found.licence,
        "is_cc0": found.is_cc0,
        "evidence": found.source,
    }
