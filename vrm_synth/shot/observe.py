"""Observe a picture: what was drawn, by the depth that came with it → Observations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import ShotError
from vrm_synth.shot.observations import Observations
from vrm_synth.shot.planner import PlannedShot
from vrm_synth.shot.visibility import Visibility

EYES_SHUT = ("happy", "relaxed", "blink", "blinkLeft", "blinkRight")  # by convention, half the time
HAIR_TAIL_NODES = "hairTail"  # prefix of the built-in avatar's nodes that move its ponytail or twintails


def observe(planned: PlannedShot, depth: NDArray[np.float32]) -> Observations:
    """Describe the picture of a planned shot.

    depth: (H, W) float32, metres along the view axis, as the picture was drawn (Frame.surface). Raises ShotError where
    it is of another size.
    """
    width, height = planned.shot.size
    if depth.shape != (height, width):
        raise ShotError("depth of another picture", got=depth.shape, allowed=f"(H, W) = {(height, width)}")
    visibility, choices, words = Visibility(planned.view, depth), planned.shot.choices, planned.character
    view, aim = planned.view, planned.aim
    # Of eyes that are shut neither the colour nor the direction can be seen.
    shut = choices.expression in EYES_SHUT
    front_known = view.posed.avatar.front_known
    return Observations(
        framing=view.framing(choices.crop),
        face_in_sight=visibility.face_in_sight,
        hair=words.tied_hair if words.tied_hair and visibility.tails_in_sight(HAIR_TAIL_NODES) else words.hair,
        eyes="" if shut else words.eyes,
        phrases=visibility.phrases(planned.pose),
        expression=visibility.expression(choices.expression),
        gaze=planned.gaze if visibility.face_readable and not shut else "",
        azimuth=round(aim.azimuth, 2) if front_known else None,
        elevation=round(aim.elevation, 2),
        face_azimuth=round(view.face_azimuth(aim.azimuth), 2) if front_known else None,
        face_elevation=round(view.face_elevation(aim.azimuth, aim.elevation), 2),
    )
