"""Facts → tags of anime models, in one order. The tags are in wording/tags.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from vrm_synth.appearance.words import all_colors, all_items, all_kinds
from vrm_synth.caption.choice import Choice
from vrm_synth.caption.head_turn import head_turn
from vrm_synth.caption.phrase_cover import covered, without_doubles
from vrm_synth.caption.safe_text import tag_text
from vrm_synth.caption.wording_files import TagWording, tag_wording
from vrm_synth.facts.facts import Facts, Item


def tags(facts: Facts, choose: Choice) -> str:
    """The tags, each once, in the order of tags.yaml. choose: where it is brief, "red skirt" needs no "skirt"."""
    w = tag_wording()
    if facts.count < 1:
        return ", ".join([*w.nobody, *_background(facts, w)])
    kind = all_kinds()[facts.character.kind].tags if facts.character.kind else ()
    found = (
        *_who(facts, w, kind),
        *_looks(facts, w, kind, choose.brief),
        *_face(facts, w),
        *_pose(facts, w),
        *_view(facts, w),
    )
    scene = (*w.light.get(facts.scene.light, ()), *_background(facts, w))
    return ", ".join(_each_once((*found, *scene)))


def _each_once(found: Sequence[str]) -> list[str]:
    """The tags without doubles, "clenched hand" beside "clenched hands" among them."""
    several = {f"{t}s" for t in found} & set(found)
    return [t for t in dict.fromkeys(found) if f"{t}s" not in several]


def _who(facts: Facts, w: TagWording, kind: tuple[str, ...]) -> Iterator[str]:
    if facts.count > 1:
        yield from w.several.get(kind[0], ()) if kind else ()
        yield from kind[1:]
        return
    yield from kind[:1]
    yield from w.solo
    yield from kind[1:]


def _looks(facts: Facts, w: TagWording, kind: tuple[str, ...], brief: bool) -> Iterator[str]:
    hair, colors = facts.hair, all_colors()
    yield from w.hair_length.get(hair.length, ())
    yield from (colors[c].hair.tag for c in hair.colors if colors[c].hair.tag)
    yield from w.two_hair_colors if len(hair.colors) > 1 else ()
    yield from w.hair_style.get(hair.style, ())
    yield from (colors[c].eyes.tag for c in facts.eye_colors if colors[c].eyes.tag)
    yield from w.two_eye_colors if len(facts.eye_colors) > 1 else ()
    yield from w.skin.get(facts.skin.tone, ())
    if facts.skin.tone in ("brown", "dark") and kind and kind[0] in w.dark_skin:
        yield w.dark_skin[kind[0]]
    if facts.skin.color and not facts.skin.tone and _has_skin(facts):
        yield from w.skin_color
        yield from filter(None, [colors[facts.skin.color].skin.tag])
    for item in (*facts.garments, *facts.accessories):
        found = list(_item(item))
        yield from _without_implied(found) if brief else found


def _has_skin(facts: Facts) -> bool:
    """True for people, and for whatever wears an object for a head, whose body tags tell of as skin."""
    kind = facts.character.kind
    return not kind or all_kinds()[kind].surface == "skin" or "object head" in all_kinds()[kind].tags


def _without_implied(found: Sequence[str]) -> list[str]:
    """Without what another of the tags says with more: "skirt" beside "red skirt"."""
    return [t for t in found if not any(other.endswith(f" {t}") for other in found)]


def _item(item: Item) -> Iterator[str]:
    """The thing's tags, the one with its color first; of two colors the larger, as two would mean two things."""
    words = all_items()[item.kind]
    color = all_colors()[item.colors[0]].tag if item.colors else ""
    if color and words.color_tag:
        yield words.color_tag.format(color=color)
    yield from words.tags


def _face(facts: Facts, w: TagWording) -> Iterator[str]:
    face = facts.face
    yield from w.expression.get(face.expression, ())
    yield from w.eyelids.get(face.eyes, ())
    yield from w.mouth.get(face.mouth, ())
    yield from w.gaze.get(face.gaze, ())
    yield from w.looking_back if facts.pose.looking_back else ()


def _pose(facts: Facts, w: TagWording) -> Iterator[str]:
    tagged = [(p, found) for p in facts.pose.phrases if (found := [t for t in map(tag_text, p.tags) if t])]
    for _, found in tagged:
        yield from found
    stated = covered(phrase for phrase, _ in tagged)
    pose = without_doubles(facts.pose, stated)
    yield from w.posture.get(pose.posture, ())
    yield from w.torso.get(pose.torso, ())
    yield from w.legs.get(pose.legs, ())
    arms = (facts.pose.left_arm, facts.pose.right_arm)
    yield from _sides(w.both_arms, w.one_arm, (pose.left_arm, pose.right_arm), arms)
    hands = (facts.left_hand, facts.right_hand)
    unstated_hands = ("" if "left_hand" in stated else hands[0], "" if "right_hand" in stated else hands[1])
    yield from _sides(w.both_hands, w.one_hand, unstated_hands, hands)


def _sides(
    both: dict[str, tuple[str, ...]],
    one: dict[str, tuple[str, ...]],
    unstated: tuple[str, str],
    found: tuple[str, str],
) -> Iterable[str]:
    """Tags of both sides. unstated: those that no phrase states; found: all, by which there is one or there are two."""
    if not any(unstated):
        return ()
    if found[0] == found[1]:
        return both[found[0]]
    left, right = (one.get(name, ()) for name in unstated)
    if left and left == right:  # one arm forward and one out: "outstretched arms"
        return next(both[name] for name in ("forward", *unstated) if name in unstated)
    return (*left, *right)


def _view(facts: Facts, w: TagWording) -> Iterator[str]:
    view = facts.view
    if view.body != "front" or view.height == "level":
        yield from w.view.get(view.body, ())
    if turn := head_turn(view.body, view.face) if view.body else _unsided(view.face):
        yield from w.face_view[turn]
    yield from w.height.get(view.height, ())
    yield from w.roll.get(view.roll, ())
    yield from w.framing.get(facts.framing, ())


def _unsided(face: str) -> str:
    name = face.removesuffix("_left").removesuffix("_right")
    return "behind" if name == "back" else name


def _background(facts: Facts, w: TagWording) -> Iterator[str]:
    name = facts.scene.background
    if name == "transparent":
        yield from w.background["transparent"]
        return
    color = w.background_colors.get(name) or (all_colors()[name].tag if name in all_colors() else "")
    if color:
        yield from (t.format(color=color) for t in w.background["named"])
    elif name in all_colors():
        yield from w.any_background
