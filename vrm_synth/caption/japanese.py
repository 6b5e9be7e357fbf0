"""Facts → Japanese: short sentences of looks, clothes, pose, face, view and background. The words are in ja.yaml."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from vrm_synth.appearance.words import all_colors, all_items, all_kinds
from vrm_synth.caption.choice import Choice
from vrm_synth.caption.head_turn import head_turn
from vrm_synth.caption.phrase_cover import covered, without_doubles
from vrm_synth.caption.safe_text import japanese_text
from vrm_synth.caption.wording_files import Japanese, Verb, japanese_wording
from vrm_synth.facts.facts import Facts, Item, PoseFacts

GROWN = ("animal_ears", "tail", "wings")
ORDERED = ("wear", "feet")  # verbs whose things are listed from top to bottom: "ズボンに靴"
GROWN_ITEMS: tuple[str, ...] = ("horns", "antennae", "antenna", "halo", "beard", "brain", "stem", "camera_eye")
GROWN_ITEMS += ("thick_eyebrows", "big_eye", "big_eyes", "bulging_eyes", "teeth", "emblem")

DETAILS = ("shirt_collar", "star_print")  # of a garment, which Japanese leaves out
STANDS = "立っている"  # a phrase that ends so comes first: "片足で立ち、両腕を伸ばしている"
_TE = re.compile("て|[んい]で")
_DROPS_TE = re.compile("[えけげせてねべめれりしじみきび]て$")


def japanese(facts: Facts, choose: Choice) -> str:
    """The caption, each sentence with its 。"""
    w = japanese_wording()
    if facts.count < 1:
        sentences = [f"{w.nobody}画面", *_background(facts, choose, w)]
    else:
        clauses = [x for x in (*_clothes(facts, w), _actions(facts, choose, w), _face(facts, choose, w)) if x]
        # "ゾンビ。" alone is no sentence: "シャツを着たゾンビ。"
        doing = _before_noun(clauses.pop(0), w) if clauses and _is_bare(facts, w) else ""
        sentences = [
            _subject(facts, w, doing),
            *clauses,
            _view(facts, choose, w),
            *([choose("ja light", w.light[facts.scene.light])] if facts.scene.light in w.light else []),
            *_background(facts, choose, w),
        ]
    return "".join(f"{s}。" for s in sentences if s)


def _before_noun(clause: str, w: Japanese) -> str:
    """The clause as it stands before a noun: "顔を斜めに向けた", "怒った表情の"."""
    for end, form in w.before_noun.items():
        if clause.endswith(end):
            return clause.removesuffix(end) + form
    return clause if clause.endswith("いる") else f"{clause}の"


def _is_bare(facts: Facts, w: Japanese) -> bool:
    """True where nothing is said of the looks."""
    return not _looks(facts, w) and not _body_color(facts)


def _subject(facts: Facts, w: Japanese, doing: str = "") -> str:
    """Who it is, with the looks or, before the noun, what it is doing."""
    who, color = facts.character, _body_color(facts)
    kind = all_kinds()[who.kind].ja if who.kind else w.unknown_kind
    if color:
        kind = w.body[who.kind].format(color=color) if who.kind in w.body else color + kind
    before = _looks(facts, w) + doing
    if before and re.search("[、と]", kind):  # "顔を横に向けた、青い筋肉と赤い血管の人体模型"
        before += "、"
    text = before + w.style.get(who.style, "") + kind
    text = w.named.format(kind=text, name=who.name) if who.name and facts.count == 1 else text
    return f"{w.several if facts.count > 1 else ''}{text}"


def _body_color(facts: Facts) -> str:
    """The color of what has no skin; "" for people."""
    skin = facts.skin
    return all_colors()[skin.color].ja if skin.color and not skin.tone and not _has_skin(facts) else ""


def _looks(facts: Facts, w: Japanese) -> str:
    """ "ピンクのロングヘアに青い瞳の", "ピンクの脳がむき出しの、緑色の肌の"."""
    grown = [i for i in (*facts.garments, *facts.accessories) if _is_grown(i)]
    clauses = _grown(grown, w)
    nouns = [x for x in (_skin(facts, w), _hair(facts, w), _eyes(facts, w)) if x]
    nouns += [_item(i) for i in grown if i.kind not in w.grown]
    first, last = [c for c in clauses if "を" not in c], [c for c in clauses if "を" in c]
    text = _with_ni([*nouns, *last])
    if nouns and not last:
        text += "をした" if nouns[-1].endswith("目") else "の"
    return "、".join([*first, text] if text else first)


def _grown(items: Sequence[Item], w: Japanese) -> list[str]:
    """ "ピンクの脳と歯がむき出しの", "頭にアンテナ、胸に赤いマークのある": what is said of several once."""
    by_end: dict[str, list[str]] = {}
    for item in items:
        if item.kind in w.grown:
            before, end = w.grown[item.kind].split("{thing}")
            by_end.setdefault(end, []).append(before + _item(item))
    return [("、" if any("に" in t for t in things) else "と").join(things) + end for end, things in by_end.items()]


def _with_ni(looks: Sequence[str]) -> str:
    """ "ピンクのロングヘアに青い瞳"."""
    return f"{looks[0]}に{'、'.join(looks[1:])}" if len(looks) > 1 else "".join(looks)


def _hair(facts: Facts, w: Japanese) -> str:
    hair, colors = facts.hair, all_colors()
    if hair.length == "bald":  # said of people
        return w.bald if not facts.character.kind or all_kinds()[facts.character.kind].surface == "skin" else ""
    color = _color([colors[c].ja for c in hair.colors[:1]], [colors[c].ja_noun for c in hair.colors])
    if hair.style in w.hair_style:
        length = w.styled_length.get(hair.length, "")
        own = colors[hair.colors[0]].hair.ja if len(hair.colors) == 1 else ""
        tied = f"{length}{own}の" if own and own != f"{color}髪" else f"{color}{length}"
        return w.hair_style[hair.style].format(color=color, hair=tied)
    if hair.length in w.hair_length:
        return w.hair_length[hair.length].format(color=color)
    return (colors[hair.colors[0]].hair.ja if len(hair.colors) == 1 else f"{color}髪") if color else ""


def _eyes(facts: Facts, w: Japanese) -> str:
    """ "青い瞳"; of what is not like people "青い目"."""
    words = [all_colors()[c] for c in facts.eye_colors]
    text = words[0].eyes.ja if len(words) == 1 else f"{_color([], [c.ja_noun for c in words])}瞳" if words else ""
    kind = facts.character.kind
    return text if not kind or kind in w.pupils else text.replace("瞳", "目")


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
    """The color before a noun: "白い", of two colors "白と黒の"."""
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


def _clothes(facts: Facts, w: Japanese) -> list[str]:
    """ "白いシャツを着て、青いスカートに黒い靴をはいている": things of one verb together, two verbs in a sentence."""
    by_verb: dict[str, list[Item]] = {}
    for item in (*facts.garments, *facts.accessories):
        if not _is_grown(item) and item.kind not in DETAILS:
            by_verb.setdefault(_verb(item, w), []).append(item)
    clauses = [(w.verbs[v], _clause(v, by_verb[v], w)) for v in w.verbs if v in by_verb]
    pairs = [clauses[i : i + 2] for i in range(0, len(clauses), 2)]
    return ["、".join(_ended(pair, w, first=pair is pairs[0])) for pair in pairs]


def _ended(pair: Sequence[tuple[Verb, str]], w: Japanese, *, first: bool) -> list[str]:
    """The clauses with their verbs: "…を着て", "…をはいている"; after the first sentence "…をかけ" instead of て."""
    joined = [text + (verb.joined if first else _stem(f"{verb.joined}いる", w)) for verb, text in pair[:-1]]
    return [*joined, pair[-1][1] + pair[-1][0].last]


def _clause(name: str, items: list[Item], w: Japanese) -> str:
    """The things of one verb with their particle: "首にヘッドホンを"."""
    verb = w.verbs[name]
    if any(i.kind in w.at for i in items):
        text = _placed(items, w)
    elif name in ORDERED:
        text = _with_ni(_runs(sorted(items, key=lambda i: verb.parts.index(_place(i))), w))
    else:  # what has no color would be read in that before it
        text = _listed(_runs(sorted(items, key=lambda i: bool(i.colors)), w))
    return f"{verb.before}{text}{verb.particle}"


def _listed(texts: Sequence[str]) -> str:
    return ("、" if len(texts) > 2 or any("と" in s for s in texts) else "と").join(texts)


def _runs(items: Sequence[Item], w: Japanese) -> list[str]:
    """A color once for neighbors that have it: "黒いスカートと靴下"."""
    runs = (list(run) for _, run in groupby(items, key=lambda i: i.colors))
    return [_item_color(run[0]) + "と".join(_noun(i, w) for i in run) for run in runs]


def _noun(item: Item, w: Japanese) -> str:
    return w.at[item.kind].alone if item.kind in w.at else all_items()[item.kind].ja


def _placed(items: Sequence[Item], w: Japanese) -> str:
    """ "髪に赤いヘアピン、胸元に黄色いリボン", "髪と胸元に赤いリボン"; the only one that needs no place without it."""
    placed = [i for i in items if i.kind in w.at]
    if len(placed) == 1 and w.at[placed[0].kind].alone:
        return _listed(_runs(sorted(items, key=lambda i: bool(i.colors)), w))
    others = _runs(sorted((i for i in items if i not in placed), key=lambda i: bool(i.colors)), w)
    same: dict[tuple[str, str], list[str]] = {}
    for item in placed:
        same.setdefault((_item_color(item), w.at[item.kind].noun), []).append(w.at[item.kind].at)
    by_place: dict[str, list[str]] = {}
    for (color, noun), at in same.items():
        by_place.setdefault("と".join(dict.fromkeys(at)), []).append(color + noun)
    return "、".join([*others, *(f"{at}に{'と'.join(nouns)}" for at, nouns in by_place.items())])


def _verb(item: Item, w: Japanese) -> str:
    for name, verb in w.verbs.items():
        if item.kind in verb.items:
            return name
    return next((n for n, v in w.verbs.items() if _place(item) in v.parts), "ornament")


def _actions(facts: Facts, choose: Choice, w: Japanese) -> str:
    """The actions of the body, the most important last: "両手を握りしめて走っている", "右手を胸に当てて立っている"."""
    spoken = [p for p in facts.pose.phrases if japanese_text(p.ja)]
    done = covered(spoken)
    body = without_doubles(facts.pose, done)
    left = "" if "left_hand" in done else facts.left_hand
    right = "" if "right_hand" in done else facts.right_hand
    minor = [choose("ja torso", w.torso[body.torso])] if body.torso in w.torso else []
    minor += [choose("ja legs", w.legs[body.legs])] if body.legs else []
    minor += _arms(body, choose, w)
    minor += _sides("ja hand", w.both_hands, w.one_hand, left, right, choose, w)
    whole = [japanese_text(p.ja) for p in spoken if "posture" in covered([p])]
    phrases = [text for p in reversed(spoken) if (text := japanese_text(p.ja)) not in whole]
    stands = [text for text in whole if text.endswith(STANDS)]
    back = [choose("ja looking back", w.looking_back[facts.face.gaze or "unknown"])] if body.looking_back else []
    moves = bool(back) or any(text.endswith(w.moves) for text in phrases)
    last = choose("ja posture", w.posture[body.posture]) if body.posture and not moves else ""
    if STANDS in stands and not moves:
        stands, last = [text for text in stands if text != STANDS], STANDS
    rest = [*minor, *phrases, *back, *(text for text in whole if text not in (*stands, last))]
    if last and rest and not _TE.search(_te(rest[-1])[:-1]):  # "右手を胸に当てて立っている"
        rest[-1], last = _te(rest[-1]) + last, ""
    text = _joined(list(dict.fromkeys([*stands, *rest, *filter(None, [last])])), w)
    return f"{w.still[body.posture]}{text}" if body.posture and moves else text


def _arms(body: PoseFacts, choose: Choice, w: Japanese) -> list[str]:
    left, right = body.left_arm, body.right_arm
    if left != right and left in w.reach and right in w.reach:
        both = (w.reach[arm].format(side=w.sides[side]) for side, arm in (("left", left), ("right", right)))
        return ["、".join(both) + w.reach_ends]
    return _sides("ja arm", w.both_arms, w.one_arm, left, right, choose, w)


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
    sides = (("left", left), ("right", right))
    return [choose(slot, one[name]).format(side=w.sides[side]) for side, name in sides if name in one]


def _joined(parts: Sequence[str], w: Japanese) -> str:
    """Actions at once: "両手を握りしめて走っている"; long or several ones "左手を握り、両腕を上げて喜んでいる"."""
    if len(parts) == 2 and not any(_TE.search(_te(p)[:-1]) for p in parts):
        return f"{_te(parts[0])}{parts[1]}"
    if len(parts) > 2 and not any(_TE.search(_te(p)[:-1]) for p in parts[-2:]):  # "口を開け、顔を横に向けて笑っている"
        parts = [*parts[:-2], _te(parts[-2]) + parts[-1]]
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
    stated = covered(p for p in facts.pose.phrases if japanese_text(p.ja))
    looks_back = facts.pose.looking_back or "gaze" in stated
    if view.body and not looks_back and (turn := head_turn(view.body, view.face)):
        parts.append(choose("ja head turned", w.head_turned[turn]))
    turned = any("顔を" in p.ja for p in facts.pose.phrases)
    if not view.body and view.face and not turned:
        parts.append(choose("ja face view", w.face_view[view.face]))
    if face.gaze and not looks_back:
        parts.append(choose("ja gaze", w.gaze[face.gaze]))
    laughs = face.expression == "happy" and [
        p for p in parts if p in (*w.eyelids.get(face.eyes, ()), *w.mouth.get(face.mouth, ()))
    ]
    if laughs:  # "目を閉じて口を開けて笑い、顔を斜めに向けている"
        return _joined(["".join(map(_te, laughs)) + w.laughs, *(p for p in parts if p not in laughs)], w)
    text = _joined(parts, w)
    if face.expression not in w.expression:
        return text
    expression = choose("ja expression", w.expression[face.expression])
    return f"{expression}で、{text}" if len(parts) > 1 else f"{expression}で{text}" if text else expression


def _view(facts: Facts, choose: Choice, w: Japanese) -> str:
    """ "正面から見下ろした上半身"."""
    view = facts.view
    framing = choose("ja framing", w.framing[facts.framing or "unknown"])
    around = choose("ja view", w.view[view.body]) if view.body else ""
    table = w.seen_in_front if view.body == "front" else w.seen
    seen = table[view.height or "level"] if around else w.seen_alone.get(view.height, "")
    tilted = w.roll.get(view.roll, "")
    if not around and not seen and not facts.framing:
        return tilted
    between = "、" if seen and "から" in framing else ""
    text = f"{around}{seen}{between}{framing}"
    return f"{text}、{tilted}" if tilted else text


def _background(facts: Facts, choose: Choice, w: Japanese) -> list[str]:
    name = facts.scene.background
    if name == "transparent":
        return [choose("ja background", w.background["transparent"])]
    color = w.background_colors.get(name) or (all_colors()[name].ja_noun if name in all_colors() else "")
    return [choose("ja background", w.background["named"]).format(color=color)] if color else []
