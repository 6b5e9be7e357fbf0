"""Facts → English: one sentence, or two or three in the longest style. The words are in wording/en.yaml."""

from __future__ import annotations

from collections.abc import Sequence

from vrm_synth.appearance.words import ItemWords, all_colors, all_items, all_kinds
from vrm_synth.caption.choice import Choice
from vrm_synth.caption.head_turn import head_turn
from vrm_synth.caption.phrase_cover import covered, without_doubles
from vrm_synth.caption.safe_text import description_text
from vrm_synth.caption.wording_files import English, english_wording
from vrm_synth.facts.facts import Facts, Item

GROWN = ("animal_ears", "tail", "wings")  # parts of the body whose things are not worn
HELD = "held_thing"


def one_sentence(facts: Facts, choose: Choice) -> str:
    """The caption in one sentence."""
    if facts.count < 1:
        return _empty(facts, choose)
    say = _Say(facts, choose)
    clauses = [*say.wearing(), *say.pose_and_face(), *say.view(), *say.light(), *say.background()]
    return ", ".join([say.opening(), *clauses]) + "."


def sentences(facts: Facts, choose: Choice) -> str:
    """The caption in up to three sentences: looks and view; clothes, pose and face; the scene."""
    if facts.count < 1:
        return _empty(facts, choose)
    say = _Say(facts, choose)
    first = ", ".join([say.opening(), *say.view()]) + "."
    return " ".join(s for s in (first, say.second(), _scene(facts, choose)) if s)


def and_list(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


class _Say:
    """The clauses of one caption."""

    def __init__(self, facts: Facts, choose: Choice):
        w = english_wording()
        self.facts, self.choose, self.w = facts, choose, w
        self.covered = covered(facts.pose.phrases)
        self.body = without_doubles(facts.pose, self.covered)
        who = facts.character
        self.kind = all_kinds()[who.kind].en if who.kind else w.unknown_kind
        # The user's own description may be of another kind.
        self.the_kind = f"the {w.unknown_kind if who.description else self.kind.partition(' with ')[0]}"
        self.pronoun = all_kinds()[who.kind].pronoun if who.kind and not who.description else ""

    def opening(self) -> str:
        """ "An upper-body picture of a girl with long pink hair"."""
        who, w = self.facts.character, self.w
        framing = self.choose("framing", w.framing[self.facts.framing or "unknown"])
        subject = who.description or self._subject()
        if self.facts.count > 1:
            subject = f"{w.several} {subject}"
        elif who.name:
            subject = self.choose("named", w.named).format(name=who.name, subject=subject)
        return f"{framing} {subject}"

    def _subject(self) -> str:
        who, w = self.facts.character, self.w
        noun = all_kinds()[who.kind].noun if who.kind else _with_article(w.unknown_kind)
        before = [w.style[who.style]] if who.style in w.style else []
        before += [all_colors()[self.facts.skin.color].skin.en] if self._colored("noun") else []
        noun = _with_article(" ".join((*before, self.kind))) if before else noun
        looks = self._looks()
        return f"{noun} {'and' if ' with ' in noun else 'with'} {and_list(looks)}" if looks else noun

    def _colored(self, surface: str) -> bool:
        """True for a figure of a color that is said of this: its skin, its body or the noun itself."""
        skin, kind = self.facts.skin, self.facts.character.kind
        own = all_kinds()[kind].surface if kind else "skin"
        return bool(skin.color) and not skin.tone and own == surface

    def _looks(self) -> list[str]:
        """The looks that follow "with": hair, eyes, skin, ears and tails."""
        f, w = self.facts, self.w
        skin, color = w.skin.get(f.skin.tone, ""), f.skin.color and all_colors()[f.skin.color].skin.en
        skin = f"{color} skin" if self._colored("skin") else skin
        skin = f"{_with_article(color)} body" if self._colored("body") else skin
        eyes = f"{' and '.join(all_colors()[c].eyes.en for c in f.eye_colors)} eyes" if f.eye_colors else ""
        looks = [_hair(f, w), eyes, skin]
        return [x for x in looks if x] + [_item(i) for i in self._things("grown")]

    def _things(self, how: str) -> list[Item]:
        """The things that are worn, held or grown."""
        return [i for i in (*self.facts.garments, *self.facts.accessories) if self._how(i) == how]

    def _how(self, item: Item) -> str:
        part = all_items()[item.kind].parts[0]
        grown = part in GROWN or item.kind in self.w.not_worn
        return "grown" if grown else "held" if part == HELD else "worn"

    def wearing(self) -> list[str]:
        """ "wearing a white shirt and glasses", "carrying a bag"."""
        worn, held = self.worn(), self.held()
        clauses = [f"{self.choose('wearing', self.w.wearing)} {worn}"] if worn else []
        return [*clauses, f"{self.choose('carrying', self.w.carrying)} {held}"] if held else clauses

    def worn(self) -> str:
        """ "a blue dress with a white collar, and glasses", or ""."""
        things = _colored_last(self._things("worn"))
        details = [i for i in things if i.kind in self.w.on_garment]
        garment = next((i for i in self.facts.garments if i in things and i not in details), None)
        if garment is None:
            return and_list([_item(i) for i in things])
        trimmed = " with " + and_list([_item(i) for i in details]) if details else ""
        return and_list([_item(i) + trimmed * (i is garment) for i in things if i not in details])

    def held(self) -> str:
        """ "a bag", or ""."""
        return and_list([_item(i) for i in _colored_last(self._things("held"))])

    def pose_and_face(self) -> list[str]:
        """ "sitting and waving with the right hand, with crossed legs and a happy expression", wink and gaze."""
        w, body = self.w, self.body
        parts = [self.choose("posture", w.posture[body.posture])] if body.posture else []
        parts += self._phrases(tells_posture=True)
        parts += [self.choose("torso", w.torso[body.torso])] if body.torso in w.torso else []
        parts += self._phrases(tells_posture=False)
        parts += [*self._hands(), *(f"with {limb}" for limb in self._limbs())]
        parts += [f"with {feature}" for feature in self._features()]
        pose = _joined(list(dict.fromkeys(parts)))
        return [*([pose] if pose else []), *self._eyes()]

    def _phrases(self, tells_posture: bool) -> list[str]:
        own = [p for p in self.facts.pose.phrases if ("posture" in covered([p])) == tells_posture]
        return [text for p in own if (text := description_text(p.en))]

    def _limbs(self) -> list[str]:
        legs = self.body.legs
        return [*self._arms(), *([self.choose("legs", self.w.legs[legs])] if legs else [])]

    def _arms(self) -> list[str]:
        left, right = self.body.left_arm, self.body.right_arm
        if left and left == right:
            return [self.choose("arms", self.w.both_arms[left])]
        return self._sides("arm", self.w.one_arm, left, right)

    def _hands(self) -> list[str]:
        left, right = self.facts.left_hand, self.facts.right_hand
        if left and left == right and not self.covered & {"left_hand", "right_hand"}:
            return [self.choose("hands", self.w.both_hands[left])]
        left = "" if "left_hand" in self.covered else left
        right = "" if "right_hand" in self.covered else right
        return self._sides("hand", self.w.one_hand, left, right)

    def _sides(self, slot: str, words: dict[str, tuple[str, ...]], left: str, right: str) -> list[str]:
        sides = (("left", left), ("right", right))
        return [self.choose(slot, words[name]).format(side=side) for side, name in sides if name in words]

    def _features(self) -> list[str]:
        """ "a happy expression", "closed eyes", "an open mouth"."""
        face, w = self.facts.face, self.w
        features = (
            ("expression", w.expression, face.expression),
            ("eyelids", w.eyelids, face.eyes),
            ("mouth", w.mouth, face.mouth),
        )
        return [self.choose(slot, words[name]) for slot, words, name in features if name in words]

    def _eyes(self) -> list[str]:
        """ "winking with the left eye", "looking at the viewer"."""
        face, w = self.facts.face, self.w
        clauses = []
        if face.eyes.startswith("wink"):
            clauses.append(self.choose("wink", w.wink).format(side=face.eyes.removeprefix("wink_")))
        if face.gaze and not self.body.looking_back and "gaze" not in self.covered and not self._faces_and_looks():
            clauses.append(self.choose("gaze", w.gaze[face.gaze]))
        return clauses

    def _faces_and_looks(self) -> bool:
        """True where the face is all that tells the view, and its gaze is said with it."""
        f = self.facts
        looks_back = self.body.looking_back or "gaze" in self.covered
        return not looks_back and (f.view.body, f.view.face, f.face.gaze) == ("", "front", "viewer")

    def view(self) -> list[str]:
        """From where the body is seen, how the head is turned, and how high the camera is."""
        view, w = self.facts.view, self.w
        her = w.her.get(self.pronoun, f"{self.the_kind}'s")
        whose = {"whose": her if self.pronoun == "it" else f"{self.the_kind}'s", "her": her}
        clauses = []
        if view.body:
            seen = self.choose("view", [words.format(**whose) for words in w.view[view.body]])
            turn = "" if self.body.looking_back else head_turn(view.body, view.face)
            clauses.append(f"{seen} {self.choose('head_turned', w.head_turned[turn])}" if turn else seen)
        elif self._faces_and_looks():
            clauses.append(w.facing_and_looking)
        elif view.face:
            clauses.append(self.choose("face_view", [words.format(**whose) for words in w.face_view[view.face]]))
        if self.body.looking_back:
            clauses.append(self.choose("looking_back", w.looking_back[self.facts.face.gaze or "unknown"]))
        if view.height in w.height:
            height = self.choose("height", w.height[view.height])
            clauses.append(height if view.body else f"seen {height}")
        clauses += [self.choose("roll", w.roll[view.roll])] if view.roll in w.roll else []
        return clauses

    def light(self) -> list[str]:
        """Where the light comes from."""
        light = self.facts.scene.light
        return [self.choose("light", self.w.light[light])] if light in self.w.light else []

    def background(self) -> list[str]:
        """ "on a plain white background"."""
        color = background_color(self.facts)
        kind = "transparent" if color == "transparent" else "named"
        return (
            [self.choose("background", self.w.background[kind]).format(color=color, a_color=_with_article(color))]
            if color
            else []
        )

    def second(self) -> str:
        """The second sentence of the longest style: "The girl is wearing a white shirt and is sitting, …", or ""."""
        long, the_kind = self.w.long, self.the_kind[0].upper() + self.the_kind[1:]
        who = {"The_kind": the_kind, "She": self.pronoun.capitalize() or the_kind}
        wears = self.choose("wears", long.wears).format(**who)
        carries = self.choose("carries", long.carries).format(**who)
        worn, held, doing = self.worn(), self.held(), ", ".join(self.pose_and_face())
        if doing.startswith("with "):
            doing = f"{self.choose('has', long.has)} {doing.removeprefix('with ')}"
        elif doing:
            doing = f"is {doing}"
        clothes = f"{wears} {worn}" if worn else f"{carries} {held}" if held else ""
        if worn and held:
            clothes += f", {self.choose('carrying', self.w.carrying)} {held}{',' if doing else ''}"
        if clothes and doing:
            return f"{clothes} and {doing}."
        return f"{clothes}." if clothes else f"{the_kind} {doing}." if doing else ""


def background_color(facts: Facts) -> str:
    """The background in English; "" where its name is none of the vocabulary's."""
    name, own = facts.scene.background, english_wording().background_colors
    return name if name == "transparent" else own.get(name) or (all_colors()[name].en if name in all_colors() else "")


def _empty(facts: Facts, choose: Choice) -> str:
    w = english_wording()
    return " ".join([choose("framing", w.framing["unknown"]), w.nobody, *_Say(facts, choose).background()]) + "."


def _scene(facts: Facts, choose: Choice) -> str:
    """The last sentence of the longest style, or ""."""
    w, color, light = english_wording(), background_color(facts), facts.scene.light
    words = w.long.transparent if color == "transparent" else w.long.background
    text = choose("long background", words).format(color=color) if color else ""
    lit = w.long.light.get(light, "")
    if text and lit:  # "The background is white, and the light …", "Plain white background, lit …"
        text += f", and {lit}" if " is " in text else f", {choose('light', w.light[light])}"
    text = text or lit
    return text[:1].upper() + text[1:] + "." if text else ""


def _hair(facts: Facts, w: English) -> str:
    hair = facts.hair
    if hair.length == "bald":
        return w.bald
    if not (hair.colors or hair.length or hair.style):
        return ""
    color = " and ".join(all_colors()[c].hair.en for c in hair.colors)
    text = " ".join(x for x in (w.hair_length.get(hair.length, ""), color, "hair") if x)
    return w.hair_style[hair.style].format(hair=text) if hair.style in w.hair_style else text


def _item(item: Item) -> str:
    """The item with its article and colors: "a red and white dress"."""
    words: ItemWords = all_items()[item.kind]
    color = " and ".join(all_colors()[c].en for c in item.colors)
    if not color:
        return words.noun
    noun = (words.en_color or f"{{color}} {words.en}").format(color=color)
    return _with_article(noun) if words.article else noun


def _colored_last(items: Sequence[Item]) -> list[Item]:
    """Things in an order in which no color is taken for that of the next: "shoes and black trousers"."""
    ordered: list[Item] = []
    for item in items:
        at = len(ordered)
        if not item.colors and not all_items()[item.kind].article:
            while at and ordered[at - 1].colors and not all_items()[ordered[at - 1].kind].article:
                at -= 1
        ordered.insert(at, item)
    return ordered


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def _is_verb(text: str) -> bool:
    return text.partition(" ")[0].rstrip(",").endswith("ing")


def _joined(parts: list[str]) -> str:
    """Verbs in a list, then what goes with them: "sitting and waving with the right hand, with crossed legs"."""
    found = [p for p in parts if _is_verb(p)]
    # "sitting with the legs stretched out, leaning back": what comes after "with" takes an "and" for its own.
    verbs = ", ".join(found) if len(found) == 2 and " with " in found[0] else and_list(found)
    limbs = and_list([p.removeprefix("with ") for p in parts if p.startswith("with ")])
    for other in [p for p in parts if not _is_verb(p) and not p.startswith("with ")]:
        verbs = _after(verbs, other)
    return _after(verbs, f"with {limbs}") if limbs else verbs


def _after(text: str, more: str) -> str:
    if not text:
        return more
    return f"{text}, {more}" if " with " in text or " and " in text or ", " in text else f"{text} {more}"
