"""Observe a picture: the buffers of its drawing and the posed body → Facts."""

from __future__ import annotations

from vrm_synth.appearance.appearance import Appearance
from vrm_synth.core.errors import ShotError
from vrm_synth.facts.appearance_facts import accessories, eye_colors, garments, hair_facts, skin_facts
from vrm_synth.facts.body_state import BodyState
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.face_facts import face_facts
from vrm_synth.facts.facts import CharacterFacts, Facts
from vrm_synth.facts.framing import framing
from vrm_synth.facts.pose_facts import pose_facts
from vrm_synth.facts.scene_facts import scene_facts
from vrm_synth.facts.view_facts import view_facts
from vrm_synth.render.geometry_buffer import VisibleSurface
from vrm_synth.shot.planner import PlannedShot


def observe(planned: PlannedShot, appearance: Appearance, surface: VisibleSurface) -> Facts:
    """The facts of the picture of a planned shot.

    appearance: of its avatar. surface: of the picture, drawn with the labels of appearance.groups. Raises ShotError
    where it is of another size.
    """
    width, height = planned.shot.size
    if surface.depth.shape != (height, width):
        raise ShotError("depth of another picture", got=surface.depth.shape, allowed=f"(H, W) = {(height, width)}")
    if surface.label is None:
        raise ShotError("a picture without labels of its surface", allowed="drawn with appearance.groups.labels")
    drawn = DrawnBody(planned.view, surface.depth, appearance.groups.count(surface.label))
    state, a = BodyState.of(drawn), appearance
    return Facts(
        character=CharacterFacts(a.name, a.kind, a.style, a.description),  # type: ignore[arg-type]
        framing=framing(drawn),
        view=view_facts(drawn, planned.aim),
        pose=pose_facts(state, planned.pose),
        left_hand=state.left_hand,
        right_hand=state.right_hand,
        face=face_facts(drawn, planned.gaze, appearance.resting_expression),  # type: ignore[arg-type]
        hair=hair_facts(drawn, appearance),
        eye_colors=eye_colors(drawn, appearance),
        skin=skin_facts(drawn, appearance),
        garments=garments(drawn, appearance),
        accessories=accessories(drawn, appearance),
        scene=scene_facts(drawn, planned.shot),
    )
