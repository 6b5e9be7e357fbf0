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
from vrm_synth.facts.posture import legs, posture, torso
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
        shows, held = self.limbs.visible.shows, posture(self.limbs)
        if not held:
            return ""
        shins = [shows(f"{s}LowerLeg") or shows(f"{s}Foot") for s in SIDES]
        thighs = [shows(f"{s}UpperLeg") for s in SIDES]
        if not (shows("torso") or shows("hips") or any(thighs)):
            return ""
        if held == "standing":
            return held if any(shins) else ""
        # Who sits on the heels hides the shins; from the side, one leg hides the other.
        seen = all(shins) or (any(shins) and any(thighs)) or (held == "kneeling" and all(thighs))
        knees = np.stack([self.limbs.joints[f"{s}LowerLeg"] for s in SIDES])
        framed = inside(self.limbs.view.camera, self.limbs.view.aspect, knees)
        return held if seen and (framed.all() if held == "kneeling" else framed.any()) else ""

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
        if not held or not all(limbs.visible.shows(f"{s}LowerLeg") for s in SIDES):
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
