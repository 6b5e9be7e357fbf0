"""Random facts of every kind for tests of captions, most of which no picture could show at once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, get_args

from vrm_synth.appearance.words import all_colors, all_items, all_kinds
from vrm_synth.facts import facts as f
from vrm_synth.stage.backgrounds import NAMES

EMOTIONS = ("happy", "angry", "sad", "relaxed", "surprised")
GARMENT_PARTS = ("upper_garment", "lower_garment", "one_piece", "outer_garment", "legwear", "shoes", "gloves")
PHRASES = (
    f.PhraseFact("waving with the right hand", "右手を振っている", ("waving",)),
    f.PhraseFact("sitting cross-legged on the floor", "床にあぐらをかいて座っている", ("indian style", "sitting")),
    f.PhraseFact("with both hands on the hips", "両手を腰に当てている", ("hands on own hips",)),
    f.PhraseFact("looking back over the left shoulder", "左肩越しに振り返っている", ("looking back",)),
    f.PhraseFact("in a fighting stance", "", ("fighting stance",)),
)


def values(literal: Any) -> tuple[str, ...]:
    """The values of a Literal, without ""."""
    return tuple(v for v in get_args(literal) if v)


def random_facts(seed: int, share: float = 0.6) -> f.Facts:
    """Facts of one seed; each is there with about the probability `share`."""
    r = random.Random(seed)

    def one(options: Sequence[str]) -> Any:
        return r.choice(list(options)) if r.random() < share else ""

    def colors() -> tuple[str, ...]:
        return tuple(r.sample(list(all_colors()), r.choice((1, 1, 2)))) if r.random() < share else ()

    def items(kinds: list[str], most: int) -> tuple[f.Item, ...]:
        return tuple(f.Item(kind, colors()) for kind in r.sample(kinds, r.randint(0, most)))

    garments = [k for k, w in all_items().items() if w.parts[0] in GARMENT_PARTS]
    things = [k for k in all_items() if k not in garments]
    pose = f.PoseFacts(
        tuple(r.sample(PHRASES, r.choice((0, 1, 1, 2)))), one(values(f.Posture)), one(values(f.Torso)),
        one(values(f.Legs)), one(values(f.Arm)), one(values(f.Arm)), r.random() < 0.2,
    )  # fmt: skip
    azimuths = values(f.Azimuth)
    return f.Facts(
        count=r.choice((1, 1, 1, 1, 1, 1, 1, 1, 2, 0)),
        character=f.CharacterFacts(one(("Mio", "Aki Sato")), one(list(all_kinds())), one(values(f.Style))),
        framing=one(values(f.Framing)),
        view=f.ViewFacts(one(azimuths), one(azimuths), one(values(f.Elevation)), one(values(f.Roll))),
        pose=pose,
        left_hand=one(values(f.HandShape)),
        right_hand=one(values(f.HandShape)),
        face=f.FaceFacts(one(EMOTIONS), one(values(f.Eyes)), one(values(f.Mouth)), one(values(f.Gaze))),
        hair=f.HairFacts(colors(), one(values(f.HairLength)), one(values(f.HairStyle))),
        eye_colors=colors(),
        skin=f.SkinFacts(one(values(f.SkinTone))) if one((0, 1)) else f.SkinFacts(color=one(list(all_colors()))),
        garments=items(garments, 4),
        accessories=items(things, 3),
        scene=f.SceneFacts(one(values(f.LightDirection)), one((*NAMES, "transparent", "#123456"))),
    )  # fmt: skip
