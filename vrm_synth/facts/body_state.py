"""How one body is held, as far as its picture shows it: posture, torso, legs and arms by geometry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vrm_synth.camera.depth_test import inside
from vrm_synth.facts.arms import arm
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.facts import Arm, HandShape, Legs, Posture, Torso
from vrm_synth.facts.hand_shapes import hand_shape
from vrm_synth.facts.limbs import DOWN, Limbs, between
from vrm_synth.facts.looking_back import looks_back
from vrm_synth.facts.posture import LOW, legs, posture, torso
from vrm_synth.facts.visible_regions import VisibleRegions
from vrm_synth.pose.phrases import Side

SIDES = ("left", "right")
MIN_SEEN_LEAN = 0.6  # of a lean's degrees: what the picture shows of it
SOME_SHIN = 500.0  # pixels, of a picture of 512²: so much of a shin and its foot tells how a leg is folded
MIN_STRIDE, MIN_STRIDE_KNEE = 0.15, 45.0  # of the hips' height: distance between the feet; degrees of both knees
MIN_ALONG_STRIDE = 0.8  # cosine between the line of sight and the direction that the hips face
MIN_CUT_RAISED = 112.0  # degrees of an upper arm from the torso's down that tells a raised arm alone
MAX_CUT_OUT = 36.0  # degrees of an upper arm from straight out that tells an arm that is out alone
MAX_CUT, MIN_FRAMED = 0.25, 0.5  # part of a forearm in the picture: as good as cut off, and as good as framed
MIN_UPPER_FRAMED = 0.4  # part of such an upper arm in the picture
MAX_HANDS_APART = 0.6  # of the shoulders' width: hands behind the back that are held together
MAX_FORWARD_SIGHT = 16.0  # degrees of the camera from an arm's level, up to which it looks to go straight forward
MAX_HIGH_SIGHT = 32.0  # the same of a camera above it, which sees the arm from the side
MAX_END_ON = 0.6  # cosine between an arm and the line of sight, up to which it is seen from the side
MAX_ALONG_SPREAD = 0.8  # cosine between the line of sight and the breadth that legs are spread along


@dataclass(frozen=True, eq=False)
class BodyState:
    """How one body is held, as far as its picture shows it; "" for what is between two names or not seen."""

    limbs: Limbs

    @staticmethod
    def of(drawn: DrawnBody) -> BodyState:
        """The state of a drawn body."""
        return BodyState(Limbs(VisibleRegions(drawn)))

    @cached_property
    def posture(self) -> Posture:
        """How the body is held up."""
        held, shows = posture(self.limbs), self.limbs.visible.shows
        if not held or not any(map(shows, ("torso", "hips", "leftUpperLeg", "rightUpperLeg", "head"))):
            return ""
        reliable = self.limbs.legs_are_long or held in ("standing", "lying")
        return held if reliable and self._shows_legs_of(held) else ""

    def _shows_legs_of(self, held: Posture) -> bool:
        """True where the picture shows so much of the legs that a posture differs visibly from others."""
        limbs, shows = self.limbs, self.limbs.visible.shows
        shins = [shows(f"{s}LowerLeg") or shows(f"{s}Foot") for s in SIDES]
        thighs = [shows(f"{s}UpperLeg") for s in SIDES]
        if held == "standing":  # on a leg that is seen
            if self._strides_along_sight:
                return False
            return any(shin and limbs.clearance(f"{s}Foot") <= LOW for s, shin in zip(SIDES, shins, strict=True))
        if held == "midair":
            return all(shins) and self._framed("Foot") == len(SIDES)
        if held == "kneeling":  # who sits on the heels hides the shins, but nothing cuts them off
            heels = all(thighs) and self._framed("Foot") == len(SIDES)
            if all(thighs) and any(map(self._shows_some_shin, SIDES)):
                return True
            seen = heels or all(shins) or (any(shins) and any(thighs))
            return seen and self._framed("LowerLeg") == len(SIDES)
        # From the side, one leg hides the other; of who sits, the thighs are telling where the shins are cut off.
        seated = held == "sitting" and all(thighs) and any(map(self._shows_some_shin, SIDES))
        return (seated or all(shins) or (any(shins) and any(thighs))) and self._framed("LowerLeg") > 0

    def _shows_some_shin(self, side: str) -> bool:
        pixels = self.limbs.visible.pixels
        return pixels(f"{side}LowerLeg") + pixels(f"{side}Foot") >= SOME_SHIN * self.limbs.visible.drawn.scale

    @property
    def _strides_along_sight(self) -> bool:
        """True where both knees are bent and one foot is behind the other, as the camera looks: it might be a run."""
        limbs = self.limbs
        along = abs(float(limbs.to_camera(limbs.joints["hips"]) @ limbs.hips[2]))
        gap = abs(float((limbs.joints["leftFoot"] - limbs.joints["rightFoot"]) @ limbs.hips[2]))
        apart = gap >= MIN_STRIDE * limbs.view.parts.hips_height
        bent = min(limbs.bend(f"{s}LowerLeg") for s in SIDES) >= MIN_STRIDE_KNEE
        return along >= MIN_ALONG_STRIDE and apart and bent

    def _framed(self, joint: str) -> int:
        """Number of a pair of joints inside the picture."""
        points = np.stack([self.limbs.joints[f"{s}{joint}"] for s in SIDES])
        return int(np.count_nonzero(inside(self.limbs.view.camera, self.limbs.view.aspect, points)))

    @cached_property
    def torso(self) -> Torso:
        """How the trunk is held."""
        limbs, lean = self.limbs, torso(self.limbs)
        shows = limbs.visible.shows
        if not lean or not shows("torso") or not (shows("hips") or shows("legs")):
            return ""
        if lean in ("upright", "bending_forward"):
            return lean
        # A lean toward the camera or away from it is not seen.
        up = limbs.joints["leftUpperArm"] + limbs.joints["rightUpperArm"]
        up = up - limbs.joints["leftUpperLeg"] - limbs.joints["rightUpperLeg"]
        back = limbs.to_camera(limbs.joints["hips"])
        seen = [v - (v @ back) * back for v in (up, -DOWN)]
        return lean if between(*seen) >= MIN_SEEN_LEAN * float(np.max(np.abs(limbs.torso_tilt))) else ""

    @cached_property
    def legs(self) -> Legs:
        """How the legs are held."""
        limbs = self.limbs
        held = legs(limbs, posture(limbs))
        if not held or not limbs.legs_are_long or not all(limbs.visible.shows(f"{s}LowerLeg") for s in SIDES):
            return ""
        if held in ("apart", "together"):
            along = abs(float(limbs.to_camera(limbs.joints["hips"]) @ limbs.hips[0]))
            return held if along <= MAX_ALONG_SPREAD else ""
        return held

    @cached_property
    def left_arm(self) -> Arm:
        """Where the left arm goes."""
        return self._arm("left")

    @cached_property
    def right_arm(self) -> Arm:
        """Where the right arm goes."""
        return self._arm("right")

    def arm(self, side: Side) -> Arm:
        """Where one arm goes."""
        return self.left_arm if side == "left" else self.right_arm

    @cached_property
    def left_hand(self) -> HandShape:
        """The shape of the left hand."""
        return hand_shape(self.limbs, "left")

    @cached_property
    def right_hand(self) -> HandShape:
        """The shape of the right hand."""
        return hand_shape(self.limbs, "right")

    def hand(self, side: Side) -> HandShape:
        """The shape of one hand."""
        return self.left_hand if side == "left" else self.right_hand

    @cached_property
    def looks_back(self) -> bool:
        """True where the head is turned back toward the camera."""
        return looks_back(self.limbs)

    def _arm(self, side: Side) -> Arm:
        limbs, visible = self.limbs, self.limbs.visible
        name = arm(limbs, side)
        if not name:
            return ""
        if name == "behind_back":  # which hides most of it
            seen = visible.shows(f"{side}UpperArm") or self._hand_is_held_behind(side)
            return name if seen and visible.shows("torso") else ""
        if name == "forward" and not self._shows_forward(side):
            return ""
        upper, lower = f"{side}UpperArm", f"{side}LowerArm"
        framed = visible.framed_share(lower)
        if framed <= MAX_CUT and visible.shows_framed(upper) and not visible.shows(lower):
            enough = visible.framed_share(upper) >= MIN_UPPER_FRAMED
            return name if enough and self._upper_arm_tells(side, name) else ""
        cut = visible.shows_framed(lower) and (framed >= MIN_FRAMED or name in ("raised", "out"))
        if not cut and not visible.shows(lower):
            return ""
        return name if visible.shows(f"{side}Hand") or visible.shows_framed(upper) else ""

    def _upper_arm_tells(self, side: Side, name: Arm) -> bool:
        """True where an upper arm alone tells where the arm goes, whose rest the picture cuts off."""
        limbs = self.limbs
        left, up, _ = limbs.chest
        upper = limbs.direction(f"{side}UpperArm", f"{side}LowerArm")
        if name == "raised":
            return between(upper, -up) >= MIN_CUT_RAISED
        return name == "out" and between(upper, left if side == "left" else -left) <= MAX_CUT_OUT

    def _hand_is_held_behind(self, side: Side) -> bool:
        """True where the other arm is seen to go behind the back, to this hand."""
        limbs, other = self.limbs, "right" if side == "left" else "left"
        if arm(limbs, other) != "behind_back" or not limbs.visible.shows(f"{other}UpperArm"):  # type: ignore[arg-type]
            return False
        apart = float(np.linalg.norm(limbs.middle("leftHand") - limbs.middle("rightHand")))
        return apart <= MAX_HANDS_APART * limbs.shoulder_width

    def _shows_forward(self, side: Side) -> bool:
        """True where a camera on the arm's level sees it from the side, or its hand."""
        sight = self.limbs.to_camera(self.limbs.joints[f"{side}UpperArm"])
        along = abs(float(sight @ self.limbs.direction(f"{side}UpperArm", f"{side}Hand")))
        above = between(sight, DOWN) - 90.0
        if not -MAX_FORWARD_SIGHT <= above <= (MAX_HIGH_SIGHT if along <= MAX_END_ON else MAX_FORWARD_SIGHT):
            return False
        return along <= MAX_END_ON or self.limbs.visible.shows(f"{side}Hand")
