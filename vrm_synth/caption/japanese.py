"""Facts → Japanese: short sentences of looks, clothes, pose, face, view and background. The words are in ja.yaml."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vrm_synth.appearance.words import all_colors, all_items, all_kinds
from vrm_synth.caption.choice import Choice
from vrm_synth.caption.head_turn import head_turn
from vrm_synth.caption.phrase_cover import covered, without_doubles
from vrm_synth.caption.safe_text import japanese_text
from vrm_synth.caption.wording_files import Japanese, japanese_wording
from vrm_synth.facts.facts import Facts, Item

GROWN = ("animal_ears", "tail", "wings")
HELD = "held_thing"
GROWN_ITEMS = ("horns", "antennae", "antenna", "halo", "beard", "brain", "stem", "camera_eye")
GROWN_ITEMS += ("thick_eyebrows", "big_eye", "big_eyes", "bulging_eyes", "teeth", "emblem")

STANDS = "立っている"  # a phrase that ends so comes first: "片足で立ち、両腕を伸ばしている"
_TE = re.compile("[てで](?!に)[^、]*")
_DROPS_TE = re.compile("[えけげせてねべめれりしじみきいび]て$")


def japanese(facts: Facts, choose: Choice) -> str:
    """The caption, each sentence with its 。"""
    w = japanese_wording()
    if facts.count < 1:
        sentences = [f"{w.nobody}画面", *_background(facts, choose, w)]
    else:
        sentences = [
            _subject(facts, w),
            _clothes(facts, w),
            _actions(facts, choose, w),
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
    if facts.skin.color and not facts.skin.tone and not _has_skin(facts):
        kind = all_colors()[facts.skin.color].ja + kind
    things = (*facts.garments, *facts.accessories)
    grown = "と".join(_item(i) for i in things if _is_grown(i))
    looks = [x for x in (_skin(facts, w), _hair(facts, w), _eyes(facts)) if x]
    ending = w.grown.format(things="") if grown else "の" if looks else ""
    text = _with_ni([*looks, *filter(None, [grown])]) + ending
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
        length = w.styled_length.get(hair.length, "")
        own = colors[hair.colors[0]].hair.ja if len(hair.colors) == 1 else ""
        tied = f"{length}{own}の" if own and own != f"{color}髪" else f"{color}{length}"
        return w.hair_style[hair.style].format(color=color, hair=tied)
    if hair.length in w.hair_length:
        return w.hair_length[hair.length].format(color=color)
    return (colors[hair.colors[0]].hair.ja if len(hair.colors) == 1 else f"{color}髪") if color else ""


def _eyes(facts: Facts) -> str:
    words = [all_colors()[c] for c in facts.eye_colors]
    return words[0].eyes.ja if len(words) == 1 else f"{_color([], [c.ja_noun for c in words])}瞳" if words else ""


def _skin(facts: Facts, w: Japanese) -> str:
    skin = facts.skin
    if skin.tone in w.skin:
        return w.skin[skin.tone]
    return all_colors()[skin.color].skin.ja if skin.color and _has_skin(facts) else ""


def _has_skin(facts: Facts) -> bool:
    """True for people and what is like them; robots and bananas have a color, but no skin."""
    kind = facts.character.kind
    return not kind or all_kinds()[kind].surface == "skin"


def _color(attributes: Sequence[str], nouns: Sequence[str]) -> str:
    """What stands before a noun: "白い", of two colors "白と黒の"."""
    return f"{'と'.join(nouns)}の" if len(nouns) > 1 else "".join(attributes)


def _place(item: Item) -> str:
    return all_items()[item.kind].parts[0]


def _is_grown(item: Item) -> bool:
    return _place(item) in GROWN or item.kind in GROWN_ITEMS


def _item_color(item: Item) -> str:
    colors = [all_colors()[c] for c in item.colors]
    return _color([c.ja for c in colors[:1]], [c.ja_noun for c in colors])


def _item(item: Item) -> str:
    return _item_color(item) + all_items()[item.kind].ja


def _clothes(facts: Facts, w: Japanese) -> str:
    """ "白いシャツを着て、青いスカートと黒い靴を履いている": things of one verb together."""
    by_verb: dict[str, list[Item]] = {}
    for item in sorted((*facts.garments, *facts.accessories), key=lambda i: _place(i) == HELD):
        if not _is_grown(item):
            by_verb.setdefault(_verb(item, w), []).append(item)
    verbs = list(by_verb)
    return "、".join(
        f"{_things(by_verb[v], w)}を{w.verbs[v].last if v == verbs[-1] else w.verbs[v].joined}" for v in verbs
    )


def _things(items: Sequence[Item], w: Japanese) -> str:
    """ "靴と黒いスカート", "赤いヘアピンと手袋", "髪と胸元に赤いリボン": a color once for all that have it."""
    runs: dict[tuple[str, ...], list[Item]] = {}
    for item in sorted(items, key=lambda i: bool(i.colors)):  # what has no color would be read in that before it
        runs.setdefault(item.colors, []).append(item)
    said = [_run(run, w, alone=len(runs) == 1) for run in runs.values()]
    has_and = any(len(run) > 1 or len(colors) > 1 for colors, run in runs.items())
    return ("、" if has_and else "と").join(said)


def _run(items: Sequence[Item], w: Japanese, *, alone: bool) -> str:
    """Things of one color. alone: there are no others."""
    color = _item_color(items[0])
    placed = [w.at[i.kind] for i in items if i.kind in w.at]
    if len(placed) == len(items) and len({p.noun for p in placed}) == 1 and (len(items) > 1 or not placed[0].alone):
        return f"{'と'.join(dict.fromkeys(p.at for p in placed))}{'に' if alone else 'の'}{color}{placed[0].noun}"
    return color + "と".join(_noun(i, w) for i in items)


def _noun(item: Item, w: Japanese) -> str:
    place = w.at.get(item.kind)
    return (place.alone or f"{place.at}の{place.noun}") if place else all_items()[item.kind].ja


def _verb(item: Item, w: Japanese) -> str:
    for name, verb in w.verbs.items():
        if item.kind in verb.items:
            return name
    return next((n for n, v in w.verbs.items() if _place(item) in v.parts), "ornament")


def _actions(facts: Facts, choose: Choice, w: Japanese) -> str:
    """What the body does, the telling last: "両手を握りしめて走っている", "立ったまま右手を振っている"."""
    said = [p for p in facts.pose.phrases if japanese_text(p.ja)]
    done = covered(said)
    body = without_doubles(facts.pose, done)
    left = "" if "left_hand" in done else facts.left_hand
    right = "" if "right_hand" in done else facts.right_hand
    minor = [choose("ja torso", w.torso[body.torso])] if body.torso in w.torso else []
    minor += [choose("ja legs", w.legs[body.legs])] if body.legs else []
    minor += _sides("ja arm", w.both_arms, w.one_arm, body.left_arm, body.right_arm, choose, w)
    minor += _sides("ja hand", w.both_hands, w.one_hand, left, right, choose, w)
    whole = [japanese_text(p.ja) for p in said if "posture" in covered([p])]
    phrases = [text for p in reversed(said) if (text := japanese_text(p.ja)) not in whole]
    stands = [text for text in whole if text.endswith(STANDS)]
    back = [choose("ja looking back", w.looking_back[facts.face.gaze or "unknown"])] if body.looking_back else []
    if body.posture and not phrases and not back:
        whole.append(choose("ja posture", w.posture[body.posture]))
    rest = [*minor, *phrases, *back, *(text for text in whole if text not in stands)]
    text = _joined(list(dict.fromkeys([*stands, *rest])), w)
    return f"{w.still[body.posture]}{text}" if body.posture and (phrases or back) else text


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


def _joined(parts: Sequence[str], w: Japanese) -> str:
    """Actions at once: "両手を握りしめて走っている"; long or several ones "左手を握り、両腕を上げて喜んでいる"."""
    if len(parts) == 2 and not any(_TE.search(_te(p)[:-1]) for p in parts):
        return f"{_te(parts[0])}{parts[1]}"
    return "、".join([*(_stem(p, w) for p in parts[:-1]), *parts[-1:]])


def _stem(action: str, w: Japanese) -> str:
    """The action as it stands before 、: "片足で立ち"."""
    text = _te(action)
    for te, stem in w.stems.items():
        if text.endswith(te):
            return text.removesuffix(te) + stem
    return text.removesuffix("て") if _DROPS_TE.search(text) else text


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
    text = _joined(parts, w)
    if face.expression not in w.expression:
        return text
    expression = choose("ja expression", w.expression[face.expression])
    return f"{expression}で、{text}" if len(parts) > 1 else f"{expression}で{text}" if text else expression


def _view(facts: Facts, choose: Choice, w: Japanese) -> str:
    """ "正面から見下ろした上半身"."""
    view = facts.view
    framing = choose("ja framing", w.framing[facts.framing or "unknown"])
    whose = w.whose if facts.character.kind and _has_skin(facts) else ""
    around = f"{choose('ja view', w.view[view.body]).format(whose=whose)}から" if view.body else ""
    seen = w.seen.get(view.height, "") if around else w.seen_alone.get(view.height, "")
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
