"""Render a sample of a dataset's shots again and compare pictures, passes and facts with those that it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vrm_synth.core.errors import ExtraError, VrmSynthError
from vrm_synth.core.rng import rng
from vrm_synth.dataset.verify.expected import ExpectedShard
from vrm_synth.dataset.verify.report import Fault, ShardCheck
from vrm_synth.dataset.verify.reproduce import (
    MAX_OTHER_FACTS,
    avatar_of_sample,
    check_passes_again,
    compare_facts,
    compare_pixels,
    render_again,
)
from vrm_synth.facts.facts import Facts
from vrm_synth.io.dataset_columns import FACTS
from vrm_synth.io.image_decoder import decode_rgba
from vrm_synth.io.image_encodings import ENCODINGS
from vrm_synth.io.shard_readers import DatasetSample, read_shard
from vrm_synth.io.store import Store
from vrm_synth.render import RenderBackend, renderer_of
from vrm_synth.vrm.avatar import Avatar


@dataclass(frozen=True)
class RedrawReport:
    """The result of rendering a shot again.

    fault: None where the picture is the same.
    undrawable: why it was not rendered, where the dataset is not to blame (the avatar's file is elsewhere); else "".
    """

    fault: Fault | None = None
    undrawable: str = ""


def redraw_some(
    store: Store,
    identity: Mapping[str, Any],
    sound: Sequence[ShardCheck],
    most: int,
    backend: RenderBackend,
    open_avatar: Callable[[str], Avatar],
) -> Iterator[RedrawReport]:
    """Render at most `most` shots again, drawn at random but the same each time, and compare them."""
    settings = identity["recipe"]
    keys = sorted(key for c in sound for key in c.keys)
    chosen = {keys[n] for n in rng(0, "verify").permutation(len(keys))[:most].tolist()}
    for c in sound:
        if chosen & set(c.keys):
            for s in read_shard(store, settings["format"], c.expected.split, c.expected.number):
                if s.key in chosen:
                    yield _compare(s, c.expected, settings, backend, open_avatar)


def _compare(
    s: DatasetSample,
    expected: ExpectedShard,
    settings: Mapping[str, Any],
    backend: RenderBackend,
    open_avatar: Callable[[str], Avatar],
) -> RedrawReport:
    name = f"{expected.stem}/{s.key}"
    if (recorded := renderer_of(str(s.row.get("renderer")))) != (current := renderer_of(backend.device)):
        return RedrawReport(undrawable=f"{recorded} drew it, and not {current}: --renderer {recorded} draws it again")
    try:
        decode_rgba(s.picture, name)
    except ExtraError as e:
        return RedrawReport(undrawable=str(e))
    try:
        avatar = avatar_of_sample(s, open_avatar)
    except (VrmSynthError, OSError) as e:
        return RedrawReport(undrawable=str(e))
    try:
        again = render_again(s, backend, avatar, settings)
    except VrmSynthError as e:
        return RedrawReport(Fault(name, f"cannot be drawn again: {e}", expected.number))
    # A lossy file is compared with what its encoder makes of the same pixels. Mixed encodings come from merging.
    drawn, lossy = again.rgba, ENCODINGS.get(settings["encoding"])
    if lossy is not None and not lossy.lossless:
        drawn = decode_rgba(lossy.encode(drawn))
    difference = compare_pixels(decode_rgba(s.picture), drawn)
    same_driver = s.row.get("renderer") == backend.device
    if difference.worst == 0 or (not same_driver and difference.is_close):
        others = [*check_passes_again(s, again)] if same_driver else []
        facts = compare_facts(Facts.from_json(s.row[FACTS]), again.facts) if again.facts else ()
        others += [f"facts.{n}" for n in facts if len(facts) > (0 if same_driver else MAX_OTHER_FACTS)]
        other = ", ".join(others)
        return RedrawReport(Fault(name, f"other when drawn again: {other}", expected.number) if other else None)
    where = "on the driver that drew it" if same_driver else f"on {backend.device}"
    extent = f"{difference.off:.2%} of pixels differ, by up to {difference.worst}"
    message = f"another picture when drawn again {where}: {extent}"
    return RedrawReport(Fault(name, message, expected.number))
