"""The rest pictures on whose pixels part labels are measured."""

from __future__ import annotations

import numpy as np

from vrm_synth.parts.labeling import measured
from vrm_synth.parts.rest_picture import RestPicture, draw_at_rest
from vrm_synth.vrm.avatar import Avatar

DEGREES = (0, 90, 180, 270, 35, 215)
HEAD_DEGREES = (0, 40, 320)


def rest_pictures(avatar: Avatar, side: int = 512) -> list[RestPicture]:
    """The whole figure from six sides and the head from three, at rest."""
    surface, regions = measured(avatar)
    everything = np.ones(len(surface.area), np.bool_)
    # Every triangle in the head's zone is framed, however far it sticks out.
    head = surface.in_zone("head", "eye")
    views = [(d, everything) for d in DEGREES] + [(d, head) for d in HEAD_DEGREES if head.any()]
    return [draw_at_rest(surface, regions, degrees, framed, side) for degrees, framed in views]
