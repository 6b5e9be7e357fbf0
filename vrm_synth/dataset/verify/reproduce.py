"""Compare a sample with its own metadata: its captions, its size, and its picture and passes rendered once more.

On the driver that drew it a picture comes again to the pixel; a lossy file holds what its encoder makes of those
pixels. Elsewhere edges fall otherwise: a share of MAX_OFF of the pixels may differ, and all by MAX_MEAN on average,
ten times what any of 275 random shots has between llvmpipe and Chromium's rasteriser (docs/measured.md: 0.02 % of
pixels by more than 8/255, 0.02/255 on average). A camera moved by a centimetre changes 0.35 % and more (median 3.7 %),
a head turned by six degrees 0.56 % and more, a light of a tenth more power 0.86/255 on
average (median).

Facts are held to the picture on redraw alone: their angles within MAX_DEGREES, everything else as it is. On the driver
that drew it no group of facts (a field of Facts: view, hair, garments …) may differ; on another, whose edges fall
otherwise, MAX_OTHER_FACTS of a picture, which a count of pixels near a threshold decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import AvatarError, ShotError, VrmSynthError
from vrm_synth.dataset.caption_columns import DatasetCaptions
from vrm_synth.dataset.render_shot import render_shot
from vrm_synth.dataset.sample_facts import appearance_of, facts_of
from vrm_synth.dataset.sample_passes import buffers_of, recipe_of, sample_passes
from vrm_synth.dataset.verify.expected import DERIVED
from vrm_synth.facts.facts import Facts
from vrm_synth.facts.vocabulary import unknown_words
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.dataset_columns import CAPTION, FACTS, SAMPLE_COLUMNS
from vrm_synth.io.shard_readers import DatasetSample
from vrm_synth.render import renderer_of
from vrm_synth.render.base import RenderBackend
from vrm_synth.shot import Recipe, Shot
from vrm_synth.shot.plan_of_shot import plan_of_shot
from vrm_synth.shot.planner import PlannedShot
from vrm_synth.vrm.avatar import Avatar

OFF = 8  # of 255, in a channel: more is another colour
MAX_OFF = 0.002  # share of such pixels, where another driver draws
MAX_MEAN = 0.2  # of 255, there
MAX_DEGREES = 0.5  # between the angles of facts
MAX_OTHER_FACTS = 1  # groups of facts that may differ where another driver draws


@dataclass(frozen=True)
class PixelComparison:
    """The difference of two pictures of one size.

    off: share of pixels that differ by more than OFF in a channel.
    mean: average difference, of 255.
    worst: largest difference, of 255.
    """

    off: float
    mean: float
    worst: int

    @property
    def is_close(self) -> bool:
        """True if the difference is no more than that between two drivers."""
        return self.off <= MAX_OFF and self.mean <= MAX_MEAN


def check_sample(sample: DatasetSample, size: tuple[int, int], captions: DatasetCaptions) -> Iterator[str]:
    """The contradictions between a sample and its metadata: nothing is drawn.

    size: (width, height) of its picture, pixels. captions: of the dataset; those of a captioner of the user's own are
    held to the record's hashes alone.
    """
    try:
        shot = Shot.from_json(dict(sample.row["shot"]))
    except ShotError as e:
        yield f"its shot is none: {e}"
        return
    try:
        facts = Facts.from_json(sample.row.get(FACTS))
    except ShotError as e:
        yield f"its facts are none: {e}"
        return
    yield from (f"facts of no vocabulary: {word}" for word in unknown_words(facts))
    if shot.id != sample.key:
        yield f"it holds the shot {shot.id}"
    if shot.size != size:
        yield f"{size[0]}×{size[1]} pixels, where its shot has {shot.size[0]}×{shot.size[1]}"
    if sample.row.get(CAPTION) != sample.caption:
        yield "caption and metadata differ"
    try:
        again = captions.captions(facts, shot.choices.wording, sample.key)
    except (VrmSynthError, KeyError) as e:
        yield f"its facts make no captions: {e}"
        return
    for name, text in again.items():
        if sample.row.get(name, text) != text:
            yield f"a {name} that is not its facts': {sample.row[name]!r}"
    for name in sorted(sample.row.keys() - {*SAMPLE_COLUMNS, *captions.names}):
        yield f"a column that the dataset has not: {name}"


def avatar_of_sample(sample: DatasetSample, open_avatar: Callable[[str], Avatar]) -> Avatar:
    """The avatar that a sample shows. open_avatar: what a shot names → Avatar.

    Raises AvatarError where it cannot be read, or is not the file that the sample names by its SHA-256.
    """
    name, expected = str(sample.row["shot"]["avatar"]), sample.row.get("avatar_sha256")
    avatar = open_avatar(name)
    if avatar.sha256 != expected:
        raise AvatarError("the avatar is another file now", got=avatar.sha256, allowed=expected, where=name)
    return avatar


@dataclass(frozen=True, eq=False)
class RenderedAgain:
    """A sample's shot, rendered once more.

    rgba: (H, W, 4) uint8, straight alpha.
    extras: suffix → file of its passes; None where the renderer has no geometry buffer.
    annotations: of its row; None without.
    facts: of the picture; None where the dataset does not say by which appearance they were found.
    """

    rgba: NDArray[np.uint8]
    extras: Mapping[str, bytes] | None
    annotations: Mapping[str, Any] | None
    facts: Facts | None = None


def render_again(
    sample: DatasetSample, backend: RenderBackend, avatar: Avatar, settings: Mapping[str, Any]
) -> RenderedAgain:
    """Render the sample's shot again. settings: `recipe` of its dataset.json.

    Raises VrmSynthError where it cannot be drawn.
    """
    recipe, shot = recipe_of(settings), Shot.from_json(dict(sample.row["shot"]))
    appearance = appearance_of(recipe, avatar, shot.figure.avatar)
    buffers = buffers_of(recipe, renderer_of(backend.device), appearance.groups.labels)
    # The recipes of a derived dataset, and with them poses and words for avatars, are its sources'.
    planned = None if DERIVED in settings else _plan(sample, recipe, avatar, shot, settings)
    posed, frame = render_shot(backend, avatar, shot, posed=None if planned is None else planned.posed, buffers=buffers)
    facts = None if planned is None else facts_of(planned, appearance, posed, frame)
    if frame.geometry is None:
        return RenderedAgain(frame.rgba, None, None, facts)
    return RenderedAgain(frame.rgba, *sample_passes(recipe, shot.figure.avatar, posed, shot.view(), frame), facts)


def _plan(
    sample: DatasetSample, recipe: Recipe, avatar: Avatar, shot: Shot, settings: Mapping[str, Any]
) -> PlannedShot:
    """The plan of a sample's shot, as its recipe had it. Raises ShotError."""
    choices, views = shot.choices, settings.get("views_per_pose", 1)
    try:
        pose = recipe.pose(choices.pose) if choices.pose else None
        is_deciding = views == 1 or (sample.row["i"] % views == 0 and sample.row["attempt"] == 0)
    except (KeyError, TypeError) as e:
        raise ShotError("not a shot of this recipe", got=str(e), where=sample.key) from e
    planned = plan_of_shot(avatar, shot, pose.mirror() if pose and choices.mirrored else pose)
    return planned if is_deciding else replace(planned, gaze="")


def compare_facts(recorded: Facts, drawn: Facts) -> tuple[str, ...]:
    """The groups of facts, fields of Facts, that differ by more than MAX_DEGREES of an angle."""
    a, b = recorded.to_json(), drawn.to_json()
    return tuple(name for name in a if not _alike(a[name], b[name]))


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return all(_alike(a[k], b[k]) for k in a)
    if isinstance(a, float) and isinstance(b, float):
        return abs((a - b + 180.0) % 360.0 - 180.0) <= MAX_DEGREES
    return bool(a == b)


def check_passes_again(sample: DatasetSample, again: RenderedAgain) -> Iterator[str]:
    """The passes and annotations of a sample that are others when drawn again on the same driver."""
    if again.extras is None:
        return
    for suffix in sorted(sample.extras.keys() | again.extras.keys()):
        if sample.extras.get(suffix) != again.extras.get(suffix):
            yield suffix
    if to_json(sample.row.get("annotations")) != to_json(again.annotations):
        yield "annotations"


def compare_pixels(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> PixelComparison:
    """Compare two pictures over black; pictures of two sizes differ in everything."""
    if a.shape != b.shape:
        return PixelComparison(1.0, 255.0, 255)
    difference = np.abs(_over_black(a) - _over_black(b))
    worst = difference.max(axis=-1)
    return PixelComparison(float((worst > OFF).mean()), float(difference.mean()), round(float(worst.max())))


def _over_black(rgba: NDArray[np.uint8]) -> NDArray[np.float32]:
    # The colour of a transparent pixel is nobody's business, and a lossy file's is anything.
    wide = rgba.astype(np.float32)
    wide[..., :3] *= wide[..., 3:] / 255
    return wide
