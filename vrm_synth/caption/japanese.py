"""Facts → Japanese: short sentences of looks, clothes, pose, face, view and background. The words are in ja.yaml."""

from __future__ import annotations

from collections.abc import Sequence

from vrm_synth.appearance.words import all_colors, all_items, all_kinds
from vrm_synth.caption.choice import Choice
from vrm_synth.caption.head_turn import head_turn
from vrm_synth.caption.phrase_cover import covered, without_doubles
from vrm_synth.caption.safe_text import japanese_text
from vrm_synth.caption.wording_files import Japanese, japanese_wording
from vrm_synth.facts.facts import Facts, Item

HELD, GROWN = ("held_thing",), ("animal_ears", "tail", "wings")
GROWN_ITEMS = ("horns", "antennae", "halo", "beard", "brain")


def japanese(facts: Facts, choose: Choice) -> str:
    """The caption, each sentence with its 。"""
    w = japanese_wording()
    if facts.count < 1:
        sentences = [f"{w.nobody}画面", *_background(facts, choose, w)]
    else:
        sentences = [
            _subject(facts, w),
            _clothes(facts, w),
            _joined(_pose(facts, choose, w)),
            _face(facts, choose, w),
            _view(facts, choose, w),
            *([choose("ja light", w.light[facts.scene.light])] if facts.scene.light in w.light else []),
            *_background(facts, choose, w),
        ]
    return "".join(f"{s}。" for s in sentences if s)


def _subject(facts: Facts, w: Japanese) -> str:
    who = facts.character
    kind = all_kinds()[who.kind].ja if who.kind else w.unknown_kind
    kind = w.style.get(who.style, "") + kind
    things = (*facts.garments, *facts.accessories)
    held = "と".join(_item(i) for i in things if _place(i) in HELD)
    grown = "と".join(_item(i) for i in things if _is_grown(i))
    looks = [x for x in (_skin(facts, w), _hair(facts, w), _eyes(facts)) if x]
    ending = w.grown.format(things="") if grown else "の" if looks else ""
    text = (w.held.format(things=held) if held else "") + _with_ni([*looks, *filter(None, [grown])]) + ending
    text = text if looks or grown else text.removesuffix("、")
    text = f"{w.several if facts.count > 1 else ''}{text}{kind}"
    return f"{text}、{who.name}" if who.name and facts.count == 1 else text


def _with_ni(looks: Sequence[str]) -> str:
    """ "ピンクのロングヘアに青い瞳"."""
    return f"{looks[0]}に{'、'.join(looks[1:])}" if len(looks) > 1 else "".join(looks)


def _hair(facts: Facts, w: Japanese) -> str:
    hair, colors = facts.hair, all_colors()
    if hair.length == "bald":
        return w.bald
    color = _color([colors[c].ja for c in hair.colors[:1]], [colors[c].ja_noun for c in hair.colors])
    if hair.style in w.hair_style:
        return w.hair_style[hair.style].format(color=color, length=w.styled_length.get(hair.length, ""))
    if hair.length in w.hair_length:
        return w.hair_length[hair.length].format(color=color)
    return (colors[hair.colors[0]].hair.ja if len(hair.colors) == 1 else f"{color}髪") if color else ""


def _eyes(facts: Facts) -> str:
    words = [all_colors()[c] for c in facts.eye_colors]
    return words[0].eyes.ja if len(words) == 1 else f"{_color([], [c.ja_noun for c in words])}瞳" if words else ""


def _skin(facts: Facts, w: Japanese) -> str:
    skin = facts.skin
    return w.skin.get(skin.tone, "") or (all_colors()[skin.color].skin.ja if skin.color else "")


def _color(attributes: Sequence[str], nouns: Sequence[str]) -> str:
    """What stands before a noun: "白い", of two colors "白と黒の"."""
    return f"{'と'.join(nouns)}の" if len(nouns) > 1 else "".join(attributes)


def _place(item: Item) -> str:
    return all_items()[item.kind].parts[0]


def _is_grown(item: Item) -> bool:
    return _place(item) in GROWN or item.kind in GROWN_ITEMS


def _item(item: Item) -> str:
    colors = [all_colors()[c] for c in item.colors]
    return _color([c.ja for c in colors[:1]], [c.ja_noun for c in colors]) + all_items()[item.kind].ja


def _clothes(facts: Facts, w: Japanese) -> str:
    """ "白いシャツを着て、青いスカートと黒い靴を履いている": things of one verb together."""
    by_verb: dict[str, list[str]] = {}
    for item in (*facts.garments, *facts.accessories):
        if _place(item) not in HELD and not _is_grown(item):
            by_verb.setdefault(_verb(item, w), []).append(_item(item))
    verbs = list(by_verb)
    return "、".join(
        f"{'と'.join(by_verb[v])}を{w.verbs[v].last if v == verbs[-1] else w.verbs[v].joined}" for v in verbs
    )


def _verb(item: Item, w: Japanese) -> str:
    for name, verb in w.verbs.items():
        if item.kind in verb.items:
            return name
    return next((n for n, v in w.verbs.items() if _place(item) in v.parts), "ornament")


def _pose(facts: Facts, choose: Choice, w: Japanese) -> list[str]:
    said = [p for p in facts.pose.phrases if japanese_text(p.ja)]
    done = covered(said)
    body = without_doubles(facts.pose, done)
    parts = [choose("ja posture", w.posture[body.posture])] if body.posture else []
    parts += [choose("ja torso", w.torso[body.torso])] if body.torso in w.torso else []
    parts += [choose("ja legs", w.legs[body.legs])] if body.legs else []
    parts += _sides("ja arm", w.both_arms, w.one_arm, body.left_arm, body.right_arm, choose, w)
    parts += [japanese_text(p.ja) for p in said]
    left = "" if "left_hand" in done else facts.left_hand
    right = "" if "right_hand" in done else facts.right_hand
    parts += _sides("ja hand", w.both_hands, w.one_hand, left, right, choose, w)
    if body.looking_back:
        parts.append(choose("ja looking back", w.looking_back[facts.face.gaze or "unknown"]))
    return list(dict.fromkeys(parts))


def _sides(
    slot: str,
    both: dict[str, tuple[str, ...]],
    one: dict[str, tuple[str, ...]],
    left: str,
    right: str,
    choose: Choice,
    w: Japanese,
) -> list[str]:
    if left and left == right:
        return [choose(slot, both[left])]
    said = (("left", left), ("right", right))
    return [choose(slot, one[name]).format(side=w.sides[side]) for side, name in said if name in one]


def _joined(parts: Sequence[str]) -> str:
    """Actions one after another: "座っている", "手を振っている" → "座って、手を振っている"."""
    return "、".join([*(_te(p) for p in parts[:-1]), *parts[-1:]])


def _te(action: str) -> str:
    return action.removesuffix("いる") if action.endswith(("ている", "でいる")) else action


def _face(facts: Facts, choose: Choice, w: Japanese) -> str:
    face, view = facts.face, facts.view
    parts = [choose("ja eyelids", w.eyelids[face.eyes])] if face.eyes in w.eyelids else []
    if face.eyes.startswith("wink"):
        parts.append(choose("ja wink", w.wink).format(side=w.sides[face.eyes.removeprefix("wink_")]))
    parts += [choose("ja mouth", w.mouth[face.mouth])] if face.mouth else []
    said = covered(p for p in facts.pose.phrases if japanese_text(p.ja))
    looks_back = facts.pose.looking_back or "gaze" in said
    if view.body and not looks_back and (turn := head_turn(view.body, view.face)):
        parts.append(choose("ja head turned", w.head_turned[turn]))
    if not view.body and view.face:
        parts.append(choose("ja face view", w.face_view[view.face]))
    if face.gaze and not looks_back:
        parts.append(choose("ja gaze", w.gaze[face.gaze]))
    text = _joined(parts)
    if face.expression not in w.expression:
        return text
    expression = choose("ja expression", w.expression[face.expression])
    return f"{expression}で、{text}" if len(parts) > 1 else f"{expression}で{text}" if text else expression


def _view(facts: Facts, choose: Choice, w: Japanese) -> str:
    """ "正面から見下ろした上半身"."""
    view = facts.view
    framing = choose("ja framing", w.framing[facts.framing or "unknown"])
    around = f"{choose('ja view', w.view[view.body])}から" if view.body else ""
    seen = w.seen.get(view.height, "") if view.height not in ("", "level") or around else ""
    if around and not seen:
        seen = w.seen["level"]
    tilted = w.roll.get(view.roll, "")
    if not around and not seen and not facts.framing:
        return tilted
    text = f"{around}{seen}{framing}"
    return f"{text}、{tilted}" if tilted else text


def _background(facts: Facts, choose: Choice, w: Japanese) -> list[str]:
    name = facts.scene.background
    if name == "transparent":
        return [choose("ja background", w.background["transparent"])]
    color = w.background_colors.get(name) or (all_colors()[name].ja_noun if name in all_colors() else "")
    return [choose("ja background", w.background["named"]).format(color=color)] if color else []
