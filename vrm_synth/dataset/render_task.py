"""Render one shot of a recipe into a sample: plan it, render it, check the picture, encode it; retry where it fails.

RenderTask is the Task (execution/task_protocol.py) of rendering a recipe. A shot that cannot be rendered is tried
`ATTEMPTS` times, each attempt another picture of the same avatar (shot = f(recipe, i, attempt)), and is then reported
as quarantined: a dataset never holds a fault and never lacks a sample silently.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.caption.captioner import captions
from vrm_synth.caption.settings import CaptionSettings
from vrm_synth.core.errors import AvatarError, DatasetError, ShotError
from vrm_synth.dataset.avatar_cache import AvatarCache
from vrm_synth.dataset.image_checks import find_fault
from vrm_synth.dataset.plan import key
from vrm_synth.dataset.render_shot import render_shot
from vrm_synth.dataset.sample_facts import appearance_of, facts_of
from vrm_synth.dataset.sample_passes import buffers_of, mask_by_alpha, sample_passes
from vrm_synth.dataset.settings import OutputFormat
from vrm_synth.io.dataset_columns import CAPTION, FACTS, names, sample_row
from vrm_synth.io.image_decoder import decode_rgba
from vrm_synth.io.image_encodings import ENCODINGS, check_encoding
from vrm_synth.io.shard_readers import DatasetSample
from vrm_synth.io.store import LocalStore, Store
from vrm_synth.pose.evaluate import LookAtAngles, gaze_of
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render import RenderBackend, RendererName, open_backend
from vrm_synth.render.base import Frame
from vrm_synth.shot import Recipe, Shot, plan_shot, source_at
from vrm_synth.shot.avatar_sources import is_built_in
from vrm_synth.vrm import Avatar

ATTEMPTS = 4
LICENSE = names("license")  # columns of a row; its name, too, is hashed into the render id
STAGES = ("load", "plan", "draw", "encode")


@dataclass(frozen=True)
class RenderResult:
    """The result of shot i.

    i: number of the shot in its recipe.
    sample: None where the shot is quarantined.
    pixels: SHA-256 of the decoded picture.
    attempts: how many it took.
    reason: why it is quarantined, "" where it is not.
    stage_seconds: seconds by stage of the last attempt, for metrics.
    """

    i: int
    sample: DatasetSample | None
    pixels: bytes = b""
    attempts: int = 1
    reason: str = ""
    stage_seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CrashedShot:
    """A worker process died while it was at a shot.

    i: number of the shot.
    exit_reason: how the process ended ("SIGKILL").
    """

    i: int
    exit_reason: str


@dataclass(frozen=True)
class RenderTask:
    """Render shots of a recipe by their numbers.

    home: the folder that avatars' paths in metadata are relative to; None for file names alone.
    licenses: avatar source → its columns LICENSE.
    output: shard format and encoding.
    renderer: its name.
    devices: EGL device indices, of which each process takes one.
    cache_bytes: size of the avatars that a process keeps in memory.
    mips: as `open_backend` takes it.
    hashes: avatar source → SHA-256 that its file must have, where it is known.
    added_captions: columns of captions that were added to the dataset, beside the recipe's.
    """

    recipe: Recipe
    home: Path | None
    licenses: Mapping[str, Mapping[str, str]]
    output: OutputFormat = field(default_factory=OutputFormat)
    renderer: RendererName = "gl"
    devices: tuple[int, ...] = (0,)
    cache_bytes: int = 1 << 30
    mips: Path | None = None
    hashes: Mapping[str, str] = field(default_factory=dict)
    added_captions: Mapping[str, CaptionSettings] = field(default_factory=dict)

    @property
    def captions(self) -> Mapping[str, CaptionSettings]:
        """Every column of captions."""
        return {**self.recipe.captions, **self.added_captions}

    def on_device(self, device: int) -> RenderTask:
        """The same task on one EGL device."""
        return replace(self, devices=(device,))

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[int], Iterator[RenderResult]]]:
        """A function from a shot's number to its one result."""
        open_one = AvatarCache(open_avatar, self.cache_bytes)
        device = self.devices[_process_index() % len(self.devices)]
        with contextlib.closing(open_backend(self.renderer, device, self.mips)) as backend:
            yield lambda i: iter([render_sample(self, backend, open_one, i)])

    def on_crash(self, i: int, exit_reason: str) -> tuple[CrashedShot]:
        """Report the crash; the caller decides what happens to the shot."""
        return (CrashedShot(i, exit_reason),)


def _process_index() -> int:
    """The number of processes that this one's parent started before it."""
    _, _, number = multiprocessing.current_process().name.rpartition("-")
    return int(number) - 1 if number.isdecimal() else 0


def render_sample(task: RenderTask, backend: RenderBackend, open_one: Callable[[str], Avatar], i: int) -> RenderResult:
    """Render shot i by the first attempt that passes the checks. Raises RenderError where nothing can be drawn."""
    reason = ""
    for attempt in range(ATTEMPTS):
        try:
            return replace(_attempt(task, backend, open_one, i, attempt), attempts=attempt + 1)
        except (_FaultError, ShotError) as e:
            reason = str(e)
        except AvatarError as e:  # no attempt shows another avatar
            return RenderResult(i, None, attempts=attempt + 1, reason=str(e))
    return RenderResult(i, None, attempts=ATTEMPTS, reason=reason)


class _FaultError(Exception):
    """A picture that fails the checks."""


def _attempt(
    task: RenderTask, backend: RenderBackend, open_one: Callable[[str], Avatar], i: int, attempt: int
) -> RenderResult:
    source, clock = source_at(task.recipe, i), [time.perf_counter()]
    try:
        avatar = open_one(source)
    except AvatarError as e:  # it could be read when the run began, and what is made may not depend on when it cannot
        raise DatasetError(f"an avatar cannot be read any more: {e}") from e
    if avatar.sha256 != (expected := task.hashes.get(source, avatar.sha256)):
        raise DatasetError(
            "an avatar is another file than when the run began", got=avatar.sha256, allowed=expected, where=source
        )
    clock.append(time.perf_counter())
    planned = plan_shot(task.recipe, i, open_one, attempt)
    shot = gaze_in_angles(avatar, planned.shot)
    clock.append(time.perf_counter())
    appearance = appearance_of(task.recipe, avatar, source)
    buffers = buffers_of(task.recipe, task.renderer, appearance.groups.labels)
    posed, frame = render_shot(backend, avatar, shot, posed=planned.posed, buffers=buffers)
    clock.append(time.perf_counter())
    if not np.isfinite(posed.world_from_node).all():
        raise _FaultError("a pose that is not finite")
    if fault := find_fault(frame.rgba, shot.size):
        raise _FaultError(fault)
    facts = facts_of(planned, appearance, posed, frame)
    texts = captions(facts, task.captions, shot.choices.wording)
    encoding = ENCODINGS[task.output.encoding]
    picture = encoding.encode(frame.rgba)
    stored_rgba = frame.rgba if encoding.lossless else decode_rgba(picture)
    extras, annotations = _passes(task, backend, posed, shot, frame)
    row = sample_row(
        {
            **texts,
            "i": i,
            "seed": task.recipe.seed,
            "attempt": attempt,
            "avatar": avatar_id(source),
            "avatar_sha256": avatar.sha256,
            **task.licenses[source],
            "renderer": backend.device,
            "shot": shot.with_figure(avatar=path_from(task.home, source)).to_json(),
            FACTS: facts.to_json(),
            **({} if annotations is None else {"annotations": annotations}),
        },
        tuple(task.captions),
    )
    sample = DatasetSample(key(i), picture, encoding.suffix, row[CAPTION], row, extras)
    pixels = hashlib.sha256(np.ascontiguousarray(stored_rgba).tobytes()).digest()
    clock.append(time.perf_counter())
    stage_seconds = dict(zip(STAGES, (b - a for a, b in itertools.pairwise(clock)), strict=True))
    return RenderResult(i, sample, pixels, stage_seconds=stage_seconds)


def _passes(
    task: RenderTask, backend: RenderBackend, posed: PosedAvatar, shot: Shot, frame: Frame
) -> tuple[dict[str, bytes], dict[str, Any] | None]:
    """(suffix → file, value of the column `annotations` or None)."""
    if frame.geometry is not None:
        return sample_passes(task.recipe, shot.figure.avatar, posed, shot.view(), frame)
    if not task.recipe.passes:
        return {}, None
    return mask_by_alpha(backend.render(posed, replace(shot.view(), background=None))), None


def gaze_in_angles(avatar: Avatar, shot: Shot) -> Shot:
    """The shot with its gaze in angles where it was a point: a column of a dataset has one type."""
    figure = shot.figure
    if figure.look_at is None or isinstance(figure.look_at, LookAtAngles):
        return shot
    gaze = gaze_of(avatar, bones=figure.bones, hips_offset=figure.hips_offset, look_at=figure.look_at)
    return shot.with_figure(look_at=None if gaze is None else LookAtAngles(gaze.yaw, gaze.pitch))


def avatar_id(source: str) -> str:
    """The avatar's name in metadata: the file's name without suffix; of the built-in family its source."""
    return source if is_built_in(source) else Path(source).stem


def home_of(store: Store, shard_format: str) -> Path | None:
    """The folder that avatar paths in a dataset's metadata are relative to: that of a line of metadata, two folders
    down in an image folder, one in the others. None where the dataset does not lie on this disk."""
    if not isinstance(store, LocalStore):
        return None
    return store.folder.resolve().joinpath(*(("split", "shard") if shard_format == "imagefolder" else ("split",)))


def source_from(home: Path | None, name: str) -> str:
    """The inverse of `path_from`: a built-in avatar, or a file's whole path; the name itself without a home."""
    return name if home is None or is_built_in(name) else os.path.normpath(home / name)


def path_from(home: Path | None, source: str) -> str:
    """`source` as metadata in `home` names it: built-in avatars as they are, files by their relative path, or by their
    name alone where the dataset does not lie on this disk (None)."""
    if is_built_in(source):
        return source
    return Path(source).name if home is None else os.path.relpath(source, home.resolve())


def check_output_format(output: OutputFormat, recipe: Recipe) -> None:
    """Raise DatasetError for an encoding that is not installed, or that would lose the recipe's transparency."""
    if not ENCODINGS[output.encoding].alpha and "transparent" in recipe.background:
        raise DatasetError(
            "JPEG has no transparency", got="background: transparent", allowed="png, webp, or other backgrounds"
        )
    check_encoding(output.encoding)
