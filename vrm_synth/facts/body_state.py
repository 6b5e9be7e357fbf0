"""How one body is held, as far as its picture shows it: posture, torso, legs and arms by geometry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vrm_synth.camera.depth_test import inside
from vrm_synth.facts.arms import arm
from vrm_synth.facts.facts import Arm, Legs, Posture, Torso
from vrm_synth.facts.limbs import DOWN, Limbs, between
from vrm_synth.facts.looking_back import looks_back
from vrm_synth.facts.posture import LOW, legs, posture, torso
from vrm_synth.pose.phrases import Side

SIDES = ("left", "right")
MIN_SEEN_LEAN = 0.6  # of a lean's degrees: what the picture shows of it
MAX_ALONG_SPREAD = 0.8  # cosine between the line of sight and the breadth that legs are spread along


@dataclass(frozen=True, eq=False)
class BodyState:
    """How one body is held, as far as its picture shows it; "" for what is between two names or not seen."""

    limbs: Limbs

    @cached_property
    def posture(self) -> Posture:
        """How the body is held up."""
        held, shows = posture(self.limbs), self.limbs.visible.shows
        if not held or not any(map(shows, ("torso", "hips", "leftUpperLeg", "rightUpperLeg", "head"))):
            return ""
        told = self.limbs.legs_are_long or held in ("standing", "lying")
        return held if told and self._shows_legs_of(held) else ""

    def _shows_legs_of(self, held: Posture) -> bool:
        """True where the picture shows so much of the legs that a posture is told from others."""
        limbs, shows = self.limbs, self.limbs.visible.shows
        shins = [shows(f"{s}LowerLeg") or shows(f"{s}Foot") for s in SIDES]
        thighs = [shows(f"{s}UpperLeg") for s in SIDES]
        if held == "standing":  # on a leg that is seen
            return any(shin and limbs.clearance(f"{s}Foot") <= LOW for s, shin in zip(SIDES, shins, strict=True))
        if held == "midair":
            return all(shins) and self._framed("Foot") == len(SIDES)
        if held == "kneeling":  # who sits on the heels hides the shins, but nothing cuts them off
            heels = all(thighs) and self._framed("Foot") == len(SIDES)
            seen = heels or all(shins) or (any(shins) and any(thighs))
            return seen and self._framed("LowerLeg") == len(SIDES)
        # From the side, one leg hides the other.
        return (all(shins) or (any(shins) and any(thighs))) and self._framed("LowerLeg") > 0

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
    def looks_back(self) -> bool:
        """True where the head is turned back toward the camera."""
        return looks_back(self.limbs)

    def _arm(self, side: Side) -> Arm:
        shows, name = self.limbs.visible.shows, arm(self.limbs, side)
        if name == "behind_back":  # which hides most of it
            return name if shows(f"{side}UpperArm") and shows("torso") else ""
        seen = shows(f"{side}LowerArm") and (shows(f"{side}Hand") or shows(f"{side}UpperArm"))
        return name if seen else ""
