"""From where the figure of one picture is seen: by its hips and chest, and by its face.

Every angle is measured from the body's part to the camera's real place: near a body the two sides of it are seen from
different directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vrm_synth.camera.camera import Camera
from vrm_synth.camera.depth_test import inside
from vrm_synth.camera.framing import Aim
from vrm_synth.core.transforms import Array
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.facts import Azimuth, Elevation, Roll, ViewFacts
from vrm_synth.shot.body_view import EDGE_MARGIN, BodyView

# Sides by azimuth, degrees to either side of the front; between two spans nothing is said.
FRONT, THREE_QUARTER, SIDE, BEHIND, BACK = (0.0, 15.0), (26.0, 62.0), (74.0, 106.0), (118.0, 150.0), (163.0, 180.0)
SPANS = (("front", FRONT), ("three_quarter", THREE_QUARTER), ("side", SIDE), ("behind", BEHIND), ("back", BACK))
MAX_SPREAD = 30.0  # degrees between hips and chest up to which a body has one side
MAX_TILT = 40.0  # degrees between a body part's own up and the world's up to which its sides are as one expects
MAX_STEEPNESS = 50.0  # degrees of elevation up to which a side can be told
HIGH, LEVEL, LOW = 18.0, 9.5, -14.0  # degrees: at least, at most to either side, at most
UPRIGHT, TILTED = 2.0, 6.0  # degrees of roll: at most, at least
MIN_HEAD_PIXELS, MIN_BODY_PIXELS = 150.0, 600.0  # of a picture of 512²: a head, and a body below it, in sight
BODY = ("torso", "hips", "leftUpperLeg", "rightUpperLeg", "leftLowerLeg", "rightLowerLeg")
FEWER = 5  # of so many vertices one is looked at, for the middle of what shows
FACED = 120.0  # degrees around the face up to which a viewer sees how the head is tilted
CLOSE_HEAD = 0.4  # of the picture's height, from which on a head's own tilt counts for the camera's height
# Degrees above the head's own level, least and most, that do not deny a camera's height.
UNDENIED = {"high": (5.0, 90.0), "level": (-22.0, 22.0), "low": (-90.0, -5.0), "": (-90.0, 90.0)}


def view_facts(drawn: DrawnBody, aim: Aim) -> ViewFacts:
    """Sides, height and roll of the camera."""
    view = drawn.view
    roll: Roll = "upright" if abs(aim.roll) <= UPRIGHT else "tilted" if abs(aim.roll) >= TILTED else ""
    known, at = view.posed.avatar.front_known, view.posed.bone_positions()
    hips, face = _around(view, "hips", at["hips"]), _around(view, "head", view.face_point)
    elevation = _middle_elevation(view)
    return ViewFacts(
        body=_body_side(drawn, hips) if view.parts.is_person else "",  # nobody sees the front of a ball
        face=_face_side(drawn, face) if view.parts.is_person else "",
        height=_height(view, elevation, face),
        roll=roll,
        azimuth=hips.azimuth if known else None,
        elevation=elevation,
        face_azimuth=face.azimuth if known else None,
        face_elevation=face.elevation,
    )


def side_name(azimuth: float) -> Azimuth:
    """The side that a camera at an azimuth sees; "" between two."""
    turn = abs(azimuth)
    for name, (least, most) in SPANS:
        if least <= turn <= most:
            whole = name in ("front", "back")
            return name if whole else f"{name}_{'left' if azimuth > 0 else 'right'}"  # type: ignore[return-value]
    return ""


@dataclass(frozen=True)
class Around:
    """The camera around a part of the body: azimuth and elevation by the part's own axes; tilt: between the part's own
    up and the world's. Degrees."""

    azimuth: float
    elevation: float
    tilt: float


def _around(view: BodyView, bone: str, point: Array) -> Around:
    to_camera = _to_camera(view.camera, point)
    x, y, z = (float(_unit(view.axis(bone, k)) @ to_camera) for k in range(3))
    up = float(_unit(view.axis(bone, 1))[1])
    # Rounded, for the same name on every machine.
    return Around(_two_digits(float(np.degrees(np.arctan2(x, z)))), _arcsin(y), 90.0 - _arcsin(up))


def _body_side(drawn: DrawnBody, hips: Around) -> Azimuth:
    """The side on which hips and chest agree, as far as they are in the picture; "" for a body that lies or bends, and
    from far above or below."""
    view, at = drawn.view, drawn.view.posed.bone_positions()
    bone = next((b for b in ("upperChest", "chest", "spine") if b in at), "hips")
    shown = sum(drawn.pixels.by_region.get(region, 0.0) for region in BODY)
    if shown < MIN_BODY_PIXELS * drawn.scale or not _framed(view, at[bone]):
        return ""
    chest = _around(view, bone, at[bone])
    both = (chest, hips) if _framed(view, at["hips"]) else (chest,)
    if max(a.tilt for a in both) > MAX_TILT or max(abs(a.elevation) for a in both) > MAX_STEEPNESS:
        return ""
    spread = (both[-1].azimuth - chest.azimuth + 180.0) % 360.0 - 180.0
    middle = side_name((chest.azimuth + spread / 2 + 180.0) % 360.0 - 180.0)
    fits = all(side_name(a.azimuth) in ("", middle) for a in both)
    return middle if abs(spread) <= MAX_SPREAD and fits else ""


def _face_side(drawn: DrawnBody, face: Around) -> Azimuth:
    seen = drawn.pixels.by_region.get("head", 0.0) >= MIN_HEAD_PIXELS * drawn.scale
    framed = _framed(drawn.view, drawn.view.face_point)
    return side_name(face.azimuth) if seen and framed and abs(face.elevation) <= MAX_STEEPNESS else ""


def _middle_elevation(view: BodyView) -> float:
    """Elevation of the camera above the middle of what the picture shows of the body, degrees."""
    some = view.vertices[::FEWER]
    framed = some[view.inside_picture[::FEWER]]
    points = framed if len(framed) else some
    return _arcsin(float(_to_camera(view.camera, (points.min(0) + points.max(0)) / 2)[1]))


def _height(view: BodyView, elevation: float, face: Around) -> Elevation:
    """The camera's height in the world; near a head, where the head's own tilt does not deny it."""
    name = height_name(elevation)
    if view.parts.is_person and view.head_share >= CLOSE_HEAD and abs(face.azimuth) <= FACED:
        least, most = UNDENIED[name]
        return name if least <= face.elevation <= most else ""
    return name


def height_name(elevation: float) -> Elevation:
    """The camera's height by its elevation, degrees; "" between two."""
    return "high" if elevation >= HIGH else "low" if elevation <= LOW else "level" if abs(elevation) <= LEVEL else ""


def _framed(view: BodyView, point: Array) -> bool:
    return bool(inside(view.camera, view.aspect, point, EDGE_MARGIN)[0])


def _arcsin(sine: float) -> float:
    return _two_digits(float(np.degrees(np.arcsin(np.clip(sine, -1.0, 1.0)))))


def _two_digits(degrees: float) -> float:
    return round(degrees, 2) + 0.0  # never −0.0


def _to_camera(camera: Camera, point: Array) -> Array:
    """(3,) unit vector from a point to the camera; against the line of sight where the view is orthographic."""
    if camera.ortho_height is not None:
        return _unit(np.asarray(camera.position, np.float64) - np.asarray(camera.target, np.float64))
    return _unit(np.asarray(camera.position, np.float64) - point)


def _unit(v: Array) -> Array:
    length = float(np.linalg.norm(v))
    return v / length if length > 0 else v
