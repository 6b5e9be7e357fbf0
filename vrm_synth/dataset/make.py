"""Recipe → dataset: the gate, then shot by shot into the image folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vrm_synth.avatar.assets import Evidence, Standing, gate
from vrm_synth.avatar.model import Avatar
from vrm_synth.caption import english
from vrm_synth.dataset.cache import AvatarCache
from vrm_synth.dataset.encode import encode_png
from vrm_synth.dataset.imagefolder import ImageFolder
from vrm_synth.dataset.metadata import Line, Row
from vrm_synth.dataset.take import take
from vrm_synth.pose.evaluate import LookAtAngles, evaluate
from vrm_synth.render.base import Renderer, RendererName
from vrm_synth.shot import Recipe, Shot, shot_at, source_at


class Dataset:
    """A recipe on its way into a folder.

    evidence: the licence manifest by SHA-256; open_avatar: source → Avatar; renderer: the name of what will draw;
    checked: called for each avatar that passed. Making one reads every avatar of the recipe once. Raises
    LicenceError for an avatar that may not be shown, DatasetError for a folder that is taken, and whatever reading
    an avatar raises: nothing is drawn unless all of it may be.
    """

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        evidence: Mapping[str, Evidence],
        open_avatar: Callable[[str], Avatar],
        renderer: RendererName = "gl",
        checked: Callable[[], object] = lambda: None,
    ):
        self._recipe = recipe
        self._out = out
        self._open = AvatarCache(open_avatar)
        self._standings: dict[str, Standing] = {}
        credits: dict[str, dict[str, Any]] = {}
        for source in dict.fromkeys(recipe.avatars):
            avatar = self._open(source)
            found = self._standings[source] = gate(avatar, evidence, recipe.accept_licences)
            credits[source] = _credit(source, avatar, found)
            checked()
        self._folder = ImageFolder(out, _settings(recipe, credits, renderer), _told(recipe), list(credits.values()))

    def render(self, renderer: Renderer, indices: Iterable[int], done: Callable[[], object] = lambda: None) -> None:
        """Draw these shots, avatar by avatar; `done` is called when a picture is written.

        What is drawn when this ends, by its end, an error or an interruption, is in the folder's metadata.
        """
        lines: dict[int, Line] = {}
        order = {source: n for n, source in enumerate(self._recipe.avatars)}
        try:
            for i in sorted(indices, key=lambda i: (order[source_at(self._recipe, i)], i)):
                lines[i] = Line.of(self._draw(renderer, i))
                done()
        finally:
            if lines:
                self._folder.add(lines)

    def _draw(self, renderer: Renderer, i: int) -> Row:
        source = source_at(self._recipe, i)
        avatar = self._open(source)
        shot = gaze_in_angles(avatar, shot_at(self._recipe, i, self._open))
        _, frame = take(renderer, avatar, shot)
        return {
            "file_name": self._folder.write_picture(shot.id, encode_png(frame.rgba)),
            "caption": english(shot.labels),
            "i": i,
            "seed": self._recipe.seed,
            "avatar": avatar_id(source),
            "avatar_sha256": avatar.sha256,
            "licence": self._standings[source].licence,
            "renderer": renderer.device,
            "shot": replace(shot, avatar=path_from(self._out, source)).to_json(),
        }


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
