"""The type Facts: what one picture shows, in fixed terms; the one input of every caption, of any style or language.

Every field is always there. "" and () mean that nothing is known, nothing is in sight, or a measurement lies in the
dead band between two names: nothing is said of it then. left and right are the avatar's own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from vrm_synth.facts.structure import Struct, structure_of

Framing = Literal["", "close_up", "portrait", "upper_body", "cowboy", "full_body"]
Azimuth = Literal[
    "",
    "front",
    "three_quarter_left",
    "three_quarter_right",
    "side_left",
    "side_right",
    "behind_left",
    "behind_right",
    "back",
]
Elevation = Literal["", "high", "level", "low"]
Roll = Literal["", "upright", "tilted"]
Posture = Literal["", "standing", "sitting", "kneeling", "crouching", "lying", "midair"]
Torso = Literal["", "upright", "bending_forward", "leaning_forward", "leaning_back", "leaning_sideways"]
Legs = Literal["", "together", "apart", "crossed", "left_lifted", "right_lifted"]
Arm = Literal["", "down", "raised", "out", "forward", "crossed", "behind_back"]
HandShape = Literal["", "open", "fist", "peace", "point", "thumb_up"]
Eyes = Literal["", "open", "half_closed", "closed", "wink_left", "wink_right"]
Mouth = Literal["", "open", "closed"]
Gaze = Literal["", "viewer", "away"]
HairLength = Literal["", "bald", "short", "medium", "long"]
HairStyle = Literal["", "bob", "ponytail", "twintails", "braid"]
SkinTone = Literal["", "fair", "light", "tan", "brown", "dark"]
Style = Literal["", "anime"]
LightDirection = Literal["", "front", "side", "top", "flat"]


@dataclass(frozen=True)
class CharacterFacts:
    """Who is shown.

    name: a proper name, fit for a sentence.
    kind: a name of appearance/kinds.yaml ("girl", "robot"), where it is known.
    style: "anime" where the figure is known to look drawn.
    description: the user's own noun phrase in English ("a boy with red hair"), which then stands for the appearance.
    """

    name: str = ""
    kind: str = ""
    style: Style = ""
    description: str = ""


@dataclass(frozen=True)
class ViewFacts:
    """From where the figure is seen.

    body: side of the body, by hips and chest, that the camera sees; face: the same by the face, "" where it is not in
    the picture. height: of the camera. roll: of the camera.
    azimuth: degrees of the camera around the hips, + to the avatar's left; None where the avatar's front is not known.
    elevation: degrees of the camera above the middle of what the picture shows. face_azimuth, face_elevation: around
    the face and by the head's axis.
    """

    body: Azimuth = ""
    face: Azimuth = ""
    height: Elevation = ""
    roll: Roll = ""
    azimuth: float | None = None
    elevation: float | None = None
    face_azimuth: float | None = None
    face_elevation: float | None = None


@dataclass(frozen=True)
class PhraseFact:
    """A phrase of the pose's file whose tests hold in this picture, in each language that the file has.

    en: continues "a girl …". ja: a Japanese phrase, "" for none. tags: in the vocabulary of anime models.
    """

    en: str
    ja: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class PoseFacts:
    """How the body is posed, as far as it shows.

    phrases: of the pose's file, most telling first; no two about the same limb.
    posture, torso, legs, left_arm, right_arm: by geometry, of whatever pose.
    looking_back: the head is turned toward a camera that the back is turned to.
    """

    phrases: tuple[PhraseFact, ...] = ()
    posture: Posture = ""
    torso: Torso = ""
    legs: Legs = ""
    left_arm: Arm = ""
    right_arm: Arm = ""
    looking_back: bool = False


@dataclass(frozen=True)
class FaceFacts:
    """The face: emotion, eyelids, mouth and gaze.

    expression: VRM 1.0's name of the emotion that can be read (happy, angry, sad, relaxed, surprised). eyes: how far
    the lids are open. mouth: open or closed. gaze: at the viewer or away.
    """

    expression: str = ""
    eyes: Eyes = ""
    mouth: Mouth = ""
    gaze: Gaze = ""


@dataclass(frozen=True)
class HairFacts:
    """The hair. colors: up to two names of appearance/colors.yaml, the larger first."""

    colors: tuple[str, ...] = ()
    length: HairLength = ""
    style: HairStyle = ""


@dataclass(frozen=True)
class SkinFacts:
    """The skin. tone: of a human skin; color: a name of appearance/colors.yaml where it is none."""

    tone: SkinTone = ""
    color: str = ""


@dataclass(frozen=True)
class Item:
    """A thing worn, grown or held. kind: a name of appearance/items.yaml ("skirt"); colors: up to two names."""

    kind: str
    colors: tuple[str, ...] = ()


@dataclass(frozen=True)
class SceneFacts:
    """Light and background. light: where the key light stands, where it shows; background: a color's name or
    "transparent"."""

    light: LightDirection = ""
    background: str = ""


@dataclass(frozen=True)
class Facts:
    """The content of one picture.

    count: number of figures in sight. framing: how much of the figure the picture shows. left_hand, right_hand: shapes.
    eye_colors: up to two names. garments: outermost first, legwear, shoes and gloves last. accessories: hats, glasses,
    ornaments, animal ears, tails, wings, held things.
    """

    count: int = 1
    character: CharacterFacts = field(default_factory=CharacterFacts)
    framing: Framing = ""
    view: ViewFacts = field(default_factory=ViewFacts)
    pose: PoseFacts = field(default_factory=PoseFacts)
    left_hand: HandShape = ""
    right_hand: HandShape = ""
    face: FaceFacts = field(default_factory=FaceFacts)
    hair: HairFacts = field(default_factory=HairFacts)
    eye_colors: tuple[str, ...] = ()
    skin: SkinFacts = field(default_factory=SkinFacts)
    garments: tuple[Item, ...] = ()
    accessories: tuple[Item, ...] = ()
    scene: SceneFacts = field(default_factory=SceneFacts)

    @staticmethod
    def from_json(entry: object) -> Facts:
        """The facts in a dataset's row: every key known and every value of its type, vocabulary and size; what lacks is
        at its default. Raises ShotError with the field's path."""
        facts: Facts = facts_structure().read(entry, "facts")
        return facts

    def to_json(self) -> dict[str, Any]:
        """Every field by its name, nested as the classes are, tuples as lists."""
        return facts_structure().write(self)


@cache
def facts_structure() -> Struct:
    """The structure of Facts, of which readers, Arrow types and cards are made."""
    return structure_of(Facts)
