"""The named views of cameras/*.yaml: a crop of the body, an azimuth and an elevation, and every product of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, RootModel

from vrm_synth.camera.camera import DEFAULT_FOV_Y
from vrm_synth.camera.framing import Aim, Margins
from vrm_synth.core.errors import RecipeError
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.yaml_models import resources
from vrm_synth.yaml_models.strict_yaml import load

LowestPart = Literal["chin", "chest", "mid_thigh", "everything"]
T = TypeVar("T", bound=BaseModel)
V = TypeVar("V")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Share = Annotated[float, Field(ge=0, le=0.45)]


class Crop(_Strict):
    """The part of the body that a picture shows.

    about: a phrase for people.
    down_to: the lowest part of the body that is shown.
    margins: left, right, bottom, top, as fractions of the picture.
    """

    about: str
    down_to: LowestPart
    margins: tuple[Share, Share, Share, Share]

    def room(self) -> Margins:
        """The margins by name."""
        return Margins(*self.margins)


class Azimuth(_Strict):
    """degrees: 0 in front, + toward the avatar's left; spread: jitter of a shot to either side."""

    about: str
    degrees: float = Field(ge=-180, le=180)
    spread: float = Field(ge=0, le=20)


class Elevation(_Strict):
    """degrees: 0 level, + above; spread: jitter of a shot to either side."""

    about: str
    degrees: float = Field(ge=-60, le=60)
    spread: float = Field(ge=0, le=20)


@dataclass(frozen=True)
class NamedView:
    """One named view: "bust_side_left_high"."""

    name: str
    crop_name: str
    azimuth_name: str
    elevation_name: str
    crop: Crop
    azimuth: Azimuth
    elevation: Elevation

    def aim(self, fov_y: float = DEFAULT_FOV_Y) -> Aim:
        """The view's own direction, without jitter."""
        return Aim(self.azimuth.degrees, self.elevation.degrees, 0.0, fov_y)


@cache
def load_crops() -> Mapping[str, Crop]:
    """cameras/crops.yaml. Raises RecipeError with its line."""
    return _table("crops", Crop)


@cache
def load_azimuths() -> Mapping[str, Azimuth]:
    """cameras/azimuths.yaml. Raises RecipeError with its line."""
    return _table("azimuths", Azimuth)


@cache
def load_elevations() -> Mapping[str, Elevation]:
    """cameras/elevations.yaml. Raises RecipeError with its line."""
    return _table("elevations", Elevation)


@cache
def load_views() -> Mapping[str, NamedView]:
    """Every crop × azimuth × elevation by name, crops first, in the files' order."""
    views = [
        view(crop, azimuth, elevation)
        for crop in load_crops()
        for azimuth in load_azimuths()
        for elevation in load_elevations()
    ]
    return {v.name: v for v in views}


def find_view(name: str) -> NamedView:
    """A view by its name. Raises RecipeError, which names the view that was probably meant."""
    return _named("view", name, load_views())


def find_crop(name: str) -> Crop:
    """A crop by its name. Raises RecipeError, which names the crop that was probably meant."""
    return _named("crop", name, load_crops())


def view(crop: str, azimuth: str, elevation: str) -> NamedView:
    """The view made of three names that the tables have."""
    return NamedView(
        name=f"{crop}_{azimuth}_{elevation}",
        crop_name=crop,
        azimuth_name=azimuth,
        elevation_name=elevation,
        crop=load_crops()[crop],
        azimuth=load_azimuths()[azimuth],
        elevation=load_elevations()[elevation],
    )


def _named(kind: str, name: str, table: Mapping[str, V]) -> V:
    if name not in table:
        raise RecipeError(f"no such {kind}{did_you_mean(name, table)}", got=name, allowed=", ".join(table))
    return table[name]


def _table(name: str, row: type[T]) -> dict[str, T]:
    table = RootModel[dict[str, row]]  # type: ignore[valid-type]
    return dict(load(resources.folder("cameras") / f"{name}.yaml", table).root)
