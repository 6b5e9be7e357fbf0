"""The choices of a recipe for one shot, by name: for searches and the words of captions, never for the renderer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vrm_synth.shot.typed_fields import check_fields, read_fields, write_fields


@dataclass(frozen=True)
class Choices:
    """The choices of a recipe for one shot. A text is "" where nothing was chosen or nothing is known.

    What the picture then shows is in `Facts`: a chosen smile may be turned away from the camera.

    pose: name of a pose of poses/.
    mirrored: the pose is mirrored, left for right.
    view: name of a view, crop_azimuth_elevation.
    crop: name of the view's crop.
    azimuth_name: name of the view's azimuth, of cameras/azimuths.yaml.
    elevation_name: name of the view's elevation, of cameras/elevations.yaml.
    expression: name of the expression, "neutral" for none.
    gaze: viewer, ahead or aside, as in the recipe.
    lighting: name of the light setup.
    background: a colour's name, "#rrggbb" or "transparent".
    wording: seed of the caption's words.

    Raises ShotError, placed at `choices`, for a value of another type.
    """

    pose: str = ""
    mirrored: bool = False
    view: str = ""
    crop: str = ""
    azimuth_name: str = ""
    elevation_name: str = ""
    expression: str = ""
    gaze: str = ""
    lighting: str = ""
    background: str = ""
    wording: int = 0

    def __post_init__(self) -> None:
        check_fields(self, "choices")

    @staticmethod
    def from_json(entry: object) -> Choices:
        """The value of `choices` in a shot's JSON. Raises ShotError."""
        return read_fields(Choices, entry, "choices")

    def to_json(self) -> dict[str, Any]:
        """Every field by its name."""
        return write_fields(self)
