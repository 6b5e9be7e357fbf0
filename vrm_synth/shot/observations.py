"""Observations of one picture: its content as found, not as chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vrm_synth.shot.typed_fields import check_fields, read_fields, write_fields


@dataclass(frozen=True)
class Observations:
    """The content of one picture, as far as it was found. A text is "" where nothing is known or nothing is in sight.

    They lie beside a Shot, not in it: today they are measured on the posed body before the camera
    (shot/visibility.py); what is read from the drawn picture has its place here, too.

    framing: full, or the crop's name where the picture cuts what such a crop cuts.
    face_in_sight: the face is turned to the camera, inside the picture and not hidden.
    hair: words for the hair as it is in sight ("a pink ponytail").
    eyes: words for the eyes ("blue eyes"); "" where they may be shut.
    phrases: what the pose's file says about it, as far as this picture shows it; most telling first.
    expression: name of the expression that can be read on the face.
    gaze: viewer or away, where it can be read.
    azimuth: degrees, where the camera stands around the body, 0 in front, + the avatar's left; None where the
        avatar's front is not known.
    elevation: degrees, height of the camera above the level.
    face_azimuth: as azimuth, around where the face points.
    face_elevation: as elevation, by the axis of the head.

    Raises ShotError, placed at `observations`, for a value of another type.
    """

    framing: str = ""
    face_in_sight: bool = False
    hair: str = ""
    eyes: str = ""
    phrases: tuple[str, ...] = ()
    expression: str = ""
    gaze: str = ""
    azimuth: float | None = None
    elevation: float | None = None
    face_azimuth: float | None = None
    face_elevation: float | None = None

    def __post_init__(self) -> None:
        check_fields(self, "observations")

    @staticmethod
    def from_json(entry: object) -> Observations:
        """The value of `observations` in a dataset's row. Raises ShotError."""
        return read_fields(Observations, entry, "observations")

    def to_json(self) -> dict[str, Any]:
        """Every field by its name."""
        return write_fields(self)
