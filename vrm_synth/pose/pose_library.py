"""The named poses of poses/*.yaml: turns a person can read and edit, made into quaternions.

A file is one pose, its name the file's. A bone's turns are `[x, y, z]` degrees, made in that order about the
axes of the T-pose (X the avatar's left, Y up, Z forward), each seen from the bone's parent:

- an arm: x twists it about its own length, y swings it (left arm: − forward), z raises it (left arm: − down);
- a leg: x swings it (− forward), y turns the toes (left leg: + outward), z spreads it (left leg: + outward);
- spine, neck, head: x nods (+ forward), y turns (+ to the left), z leans (+ to the right).

`bothUpperArm` writes a left bone and its mirror image; `leftX: …` or `rightX: …` beside it wins for that side.
Fingers come from a named hand of poses/hands/*.yaml, written for the left hand; "relaxed" where nothing is said.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.core.errors import RecipeError
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.core.vectors import Vec3, Vec4
from vrm_synth.pose.phrases import MOST_PHRASES, REGIONS, SIDED, Phrase, PhraseFile, other_side
from vrm_synth.yaml_models import resources
from vrm_synth.yaml_models.strict_yaml import RefusedError, check, load

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
__all__ = ["REGIONS", "Phrase", "other_side"]  # of phrases, for those that read a library


@dataclass(frozen=True)
class Pose:
    """One pose for every avatar: a named one of the library, one of a file, or one made from numbers.

    bones: bone → local rotation (x, y, z, w) of the normalised bone. hips: offset from rest as a fraction of the
    avatar's hips height, world axes. ground: the feet, or whatever comes lowest, are put back onto the floor
    before `hips` is added. phrases: what may be said of it, most telling first.
    symmetric: its mirror image is the same pose, and worth no second look.
    """

    name: str = ""
    phrases: tuple[Phrase, ...] = ()
    tags: tuple[str, ...] = ()
    bones: Mapping[str, Vec4] = field(default_factory=dict)
    hips: Vec3 = (0.0, 0.0, 0.0)
    ground: bool = True
    mirrored: bool = False

    @classmethod
    def from_degrees(
        cls,
        *,
        hands: str | Mapping[str, str] = "relaxed",
        move_hips: Sequence[float] = (0.0, 0.0, 0.0),
        ground: bool = True,
        name: str = "",
        **bones: Sequence[float],
    ) -> Pose:
        """A pose from turns in degrees, by the rules of pose files: `from_degrees(rightUpperArm=(-71, 17, 5))`.

        bones: VRM 1.0 name, or both… for left and right → (x, y, z), turned in that order about the axes of the T-pose.
        hands: a hand of poses/hands/ for both, or {"left": …, "right": …}. move_hips: fractions of the hips' height,
        world axes. ground: put what comes lowest back onto the floor first.
        Raises RecipeError, which names the bone that was probably meant.
        """
        values = {
            "bones": bones,
            "hands": {"both": hands} if isinstance(hands, str) else dict(hands),
            "hips": tuple(move_hips),
            "ground": ground,
        }
        return pose_of(name, check(values, PoseValues, "Pose.from_degrees"))

    @classmethod
    def from_quaternions(
        cls,
        bones: Mapping[str, Sequence[float]] | None = None,
        /,
        *,
        move_hips: Sequence[float] = (0.0, 0.0, 0.0),
        ground: bool = True,
        name: str = "",
        **more: Sequence[float],
    ) -> Pose:
        """A pose from local rotations of normalised bones, unit quaternions (x, y, z, w), as a shot has them.

        bones, more: VRM 1.0 name → quaternion, as a mapping or by keyword; bones without one stay in the T-pose.
        move_hips, ground: as in from_degrees. Raises RecipeError for an unknown bone, ShotError for a bad rotation.
        """
        # Imported late: listing poses needs no rig.
        from vrm_synth.pose.normalized_pose import unit_rotations

        rotations = {**(bones or {}), **more}
        for bone in rotations:
            if bone not in BONE_NAMES:
                what = f"unknown bone{did_you_mean(bone, BONE_NAMES)}"
                raise RecipeError(what, got=bone, allowed="VRM 1.0's bones", where="Pose.from_quaternions")
        values = check({"hips": tuple(move_hips), "ground": ground}, PoseValues, "Pose.from_quaternions")
        units = unit_rotations(rotations) if rotations else ()
        quats = {bone: tuple(q.tolist()) for bone, q in zip(rotations, units, strict=True)}
        return cls(name, bones=quats, hips=values.hips, ground=values.ground)

    def __repr__(self) -> str:
        named = f'"{self.name}", ' if self.name else ""
        return f"Pose({named}{len(self.bones)} bones{', mirrored' if self.mirrored else ''})"

    def mirror(self) -> Pose:
        """The pose seen in a mirror: left and right change places, in the bones and in the words."""
        x, y, z = self.hips
        return Pose(
            name=self.name,
            phrases=tuple(p.mirror() for p in self.phrases),
            tags=self.tags,
            bones={other_side(b): _mirror_quat(q) for b, q in self.bones.items()},
            hips=(-x, y, z),
            ground=self.ground,
            mirrored=not self.mirrored,
        )

    @property
    def symmetric(self) -> bool:
        """True where the mirror image is the same pose, to a twentieth of a degree."""
        image = self.mirror().bones
        return self.bones.keys() == image.keys() and all(
            abs(sum(a * b for a, b in zip(q, image[bone], strict=True))) > 1 - 1e-7 for bone, q in self.bones.items()
        )


def turns(degrees: Vec3) -> Vec4:
    """Quaternion (x, y, z, w) of turns about the parent's X, then Y, then Z axes."""
    # Written out: scipy's rotations are the same and cost every run a tenth of a second to import.
    (sx, cx), (sy, cy), (sz, cz) = ((math.sin(a), math.cos(a)) for a in (math.radians(d) / 2 for d in degrees))
    w = cx * cy * cz + sx * sy * sz
    x, y, z = sx * cy * cz - cx * sy * sz, cx * sy * cz + sx * cy * sz, cx * cy * sz - sx * sy * cz
    sign = -1.0 if w < 0 else 1.0
    return sign * x + 0.0, sign * y + 0.0, sign * z + 0.0, sign * w


def _mirror_quat(q: Vec4) -> Vec4:
    # A reflection through the YZ plane keeps a turn about X and turns those about Y and Z round.
    x, y, z, w = q
    return x, -y, -z, w


# ---------------------------------------------------------------- the files

Degrees = Annotated[float, Field(ge=-180, le=180)]
Turns = tuple[Degrees, Degrees, Degrees]
Tag = Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
Fraction = Annotated[float, Field(ge=-5, le=5)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)


def _check_bone(name: str) -> None:
    if name not in BONE_NAMES and ("left" + name.removeprefix("both") not in BONE_NAMES or not name.startswith("both")):
        what = f"unknown bone{did_you_mean(name, BONE_NAMES)}"
        raise RefusedError(what, "VRM 1.0's bones, and both… for left and right", (name,))


class _HandFile(_Strict):
    about: str
    fingers: dict[str, Turns]

    @field_validator("fingers", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        for finger in value if isinstance(value, dict) else ():
            if not isinstance(finger, str) or f"left{finger}" not in BONE_NAMES:
                raise RefusedError("unknown finger bone", "ThumbMetacarpal, IndexProximal …", (finger,))
        return value


class PoseValues(_Strict):
    """The numbers of a pose, in degrees.

    hands: left, right or both → a hand of poses/hands/. bones: bone, or both… → [x, y, z] degrees.
    hips: offset from rest as fractions of the hips' height. ground: put what comes lowest onto the floor before that.
    """

    hands: dict[str, str] = {}
    bones: dict[str, Turns] = {}
    hips: tuple[Fraction, Fraction, Fraction] = (0.0, 0.0, 0.0)
    ground: bool = True

    @field_validator("bones", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        for bone in value if isinstance(value, dict) else ():
            _check_bone(bone)
        return value

    @field_validator("hands")
    @classmethod
    def _sides(cls, value: dict[str, str]) -> dict[str, str]:
        for side in value:
            if side not in ("left", "right", "both"):
                raise RefusedError(f"{side} is not a side", "left, right, both")
        for hand in value.values():
            if hand not in load_hands():
                raise RefusedError(f"{hand} is not a hand{did_you_mean(hand, load_hands())}", ", ".join(load_hands()))
        return value


class PoseFile(PoseValues):
    """Content of a pose file: its rotations, and phrases for captions (`say`, most telling first)."""

    say: tuple[PhraseFile, ...] = Field(min_length=1, max_length=MOST_PHRASES)
    tags: tuple[Tag, ...] = Field((), max_length=MOST_PHRASES)


@cache
def load_hands() -> Mapping[str, Mapping[str, Vec3]]:
    """Name → {finger bone without its side → turns in degrees of the left hand}."""
    files = sorted((resources.folder("poses") / "hands").glob("*.yaml"))
    return {path.stem: load(path, _HandFile).fingers for path in files}


@cache
def load_poses() -> Mapping[str, Pose]:
    """Every pose of poses/*.yaml by its name, sorted. Raises RecipeError."""
    return {path.stem: read_pose(path) for path in resources.yaml_files("poses")}


def read_pose(path: Path) -> Pose:
    """One pose file. Raises RecipeError with the file's line."""
    return pose_of(pose_name(path), load(path, PoseFile))


def pose_name(path: Path) -> str:
    """The name of a file's pose, the file's own. Raises RecipeError where it is none."""
    if not NAME.fullmatch(path.stem):
        raise RecipeError("a pose's file is its name", got=path.name, allowed="a-z, 0-9 and _", where=path)
    return path.stem


def pose_of(name: str, values: PoseValues) -> Pose:
    """The pose that a file's values describe."""
    both = values.hands.get("both", "relaxed")
    bones: dict[str, Vec4] = {}
    for side in SIDED:
        for finger, degrees in load_hands()[values.hands.get(side, both)].items():
            _put(bones, f"{side}{finger}", degrees, mirrored=side == "right")
    for bone, degrees in values.bones.items():
        if bone.startswith("both"):
            part = bone.removeprefix("both")
            _put(bones, f"left{part}", degrees, mirrored=False)
            _put(bones, f"right{part}", degrees, mirrored=True)
    for bone, degrees in values.bones.items():
        if not bone.startswith("both"):
            _put(bones, bone, degrees, mirrored=False)
    if not isinstance(values, PoseFile):
        return Pose(name, bones=bones, hips=values.hips, ground=values.ground)
    phrases = tuple(p.phrase() for p in values.say)
    return Pose(name, phrases, values.tags, bones, values.hips, values.ground)


def _put(bones: dict[str, Vec4], bone: str, degrees: Vec3, *, mirrored: bool) -> None:
    q = turns(degrees)
    bones[bone] = _mirror_quat(q) if mirrored else q
