"""Recipe → dataset: the gate, then shot by shot into the image folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from vrm_synth.avatar import open_avatar
from vrm_synth.avatar.assets import Evidence, Standing, gate
from vrm_synth.avatar.model import Avatar
from vrm_synth.avatar.runtime import PRESETS
from vrm_synth.caption import english
from vrm_synth.core.errors import RecipeError, RenderError
from vrm_synth.dataset.cache import AvatarCache
from vrm_synth.dataset.encode import encode_png
from vrm_synth.dataset.imagefolder import ImageFolder, write_picture
from vrm_synth.dataset.metadata import Line, Row
from vrm_synth.dataset.take import take
from vrm_synth.dataset.workers import work
from vrm_synth.pose.evaluate import LookAtAngles, evaluate
from vrm_synth.render import Renderer, RendererName, open_renderer
from vrm_synth.shot import Recipe, Shot, shot_at, source_at


class Dataset:
    """A recipe on its way into a folder.

    evidence: the licence manifest by SHA-256; open_avatar: source → Avatar; renderer: the name of what will draw,
    device: on which EGL device; checked: called for each avatar that passed. Making one reads every avatar of the
    recipe once. Raises LicenceError for an avatar that may not be shown, DatasetError for a folder that is taken,
    and whatever reading an avatar raises: nothing is drawn unless all of it may be.
    """

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        evidence: Mapping[str, Evidence],
        open_avatar: Callable[[str], Avatar],
        renderer: RendererName = "gl",
        device: int = 0,
        checked: Callable[[], object] = lambda: None,
    ):
        self._recipe = recipe
        self._open = AvatarCache(open_avatar)
        credits: dict[str, dict[str, Any]] = {}
        expressions = set(PRESETS)
        for source in dict.fromkeys(recipe.avatars):
            avatar = self._open(source)
            credits[source] = _credit(source, avatar, gate(avatar, evidence, recipe.accept_licences))
            expressions |= avatar.expressions.keys()
            checked()
        unknown = [name for name in recipe.expressions if name not in expressions]
        if unknown:
            known = ", ".join(sorted(expressions))
            raise RecipeError("no avatar of this recipe has the expression", got=unknown[0], allowed=known)
        self._folder = ImageFolder(out, _settings(recipe, credits, renderer), _told(recipe), list(credits.values()))
        licences = {source: credit["licence"] for source, credit in credits.items()}
        self._task = Drawing(recipe, out, licences, renderer, device)

    def render(self, renderer: Renderer, indices: Iterable[int], done: Callable[[], object] = lambda: None) -> None:
        """Draw these shots with this renderer, avatar by avatar; `done` is called when a picture is written.

        What is drawn when this ends, by its end, an error or an interruption, is in the folder's metadata.
        """
        self._keep((draw(self._task, renderer, self._open, i) for group in self._groups(indices) for i in group), done)

    def render_with_workers(
        self, workers: int, indices: Iterable[int], done: Callable[[], object] = lambda: None
    ) -> None:
        """The same with that many processes: the folder's bytes do not depend on their number."""
        self._keep(work(self._task, self._groups(indices), workers), done)

    def _groups(self, indices: Iterable[int]) -> list[list[int]]:
        by_source: dict[str, list[int]] = {source: [] for source in self._recipe.avatars}
        for i in sorted(indices):
            by_source[source_at(self._recipe, i)].append(i)
        return list(by_source.values())

    def _keep(self, drawn: Generator[tuple[int, Line], None, None], done: Callable[[], object]) -> None:
        lines: dict[int, Line] = {}
        try:
            with contextlib.closing(drawn):  # its workers end before the folder is brought up to date
                for i, line in drawn:
                    lines[i] = line
                    done()
        finally:
            if lines:
                self._folder.add(lines)


@dataclass(frozen=True)
class Drawing:
    """The task of drawing shots of a recipe, by their numbers, into a dataset's folder.

    licences: by source; renderer, device: as open_renderer takes them. Any error ends it.
    """

    recipe: Recipe
    out: Path
    licences: Mapping[str, str]
    renderer: RendererName
    device: int

    @contextlib.contextmanager
    def opened(self) -> Iterator[Callable[[int], Iterator[tuple[int, Line]]]]:
        """Shot's number → (number, line of metadata), once its picture is written."""
        open_one = AvatarCache(open_avatar, room=0)
        with contextlib.closing(open_renderer(self.renderer, self.device)) as renderer:
            yield lambda i: iter([draw(self, renderer, open_one, i)])

    def lost(self, i: int, how: str) -> NoReturn:
        """Raises RenderError: a dataset has no gaps."""
        raise RenderError("the worker process died while drawing it", got=how, where=f"shot {i:06d}")


def draw(task: Drawing, renderer: Renderer, open_one: Callable[[str], Avatar], i: int) -> tuple[int, Line]:
    """Shot i from its plan to its file; returns i and its line of metadata."""
    source = source_at(task.recipe, i)
    avatar = open_one(source)
    shot = gaze_in_angles(avatar, shot_at(task.recipe, i, open_one))
    _, frame = take(renderer, avatar, shot)
    row: Row = {
        "file_name": write_picture(task.out, shot.id, encode_png(frame.rgba)),
        "caption": english(shot.labels),
        "i": i,
        "seed": task.recipe.seed,
        "avatar": avatar_id(source),
        "avatar_sha256": avatar.sha256,
        "licence": task.licences[source],
        "renderer": renderer.device,
        "shot": replace(shot, avatar=path_from(task.out, source)).to_json(),
    }
    return i, Line.of(row)


def gaze_in_angles(avatar: Avatar, shot: Shot) -> Shot:
    """The same picture, its gaze in angles where it was a point: a column of a dataset has one type."""
    if shot.look_at is None or isinstance(shot.look_at, LookAtAngles):
        return shot
    gaze = evaluate(avatar, bones=shot.bones, hips_offset=shot.hips_offset, look_at=shot.look_at).look_at
    return replace(shot, look_at=None if gaze is None else LookAtAngles(gaze.yaw, gaze.pitch))


def avatar_id(source: str) -> str:
    """What metadata calls an avatar: a file's name without its ending; of the built-in family its source."""
    return source if is_built_in(source) else Path(source).stem


def is_built_in(source: str) -> bool:
    """Whether a source names the built-in avatar rather than a file."""
    return source == "demo" or source.startswith("demo:")


def path_from(folder: Path, source: str) -> str:
    """`source` as a shot that lies in `folder` names it: built-in avatars as they are, files relatively."""
    return source if is_built_in(source) else os.path.relpath(source, folder.resolve())


def _settings(recipe: Recipe, credits: Mapping[str, Mapping[str, Any]], renderer: RendererName) -> dict[str, Any]:
    """Everything that the pictures follow from: the recipe, its avatars by their contents, what draws."""
    avatars = [{"id": credits[s]["id"], "sha256": credits[s]["sha256"]} for s in recipe.avatars]
    return {"avatars": avatars, **_dump(recipe), "renderer": renderer}


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
