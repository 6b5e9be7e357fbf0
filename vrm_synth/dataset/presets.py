"""Sheets of the named poses and views, each drawn on an avatar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from PIL import Image

from vrm_synth.avatar.model import Avatar
from vrm_synth.camera.views import NamedView
from vrm_synth.dataset.sheet import Cell, contact_sheet
from vrm_synth.dataset.take import take
from vrm_synth.pose.library import NamedPose
from vrm_synth.render.base import Renderer
from vrm_synth.shot import preset_shot

SIZE = (256, 256)


def picture(renderer: Renderer, avatar: Avatar, pose: str, view: str) -> Image.Image:
    """A named pose in a named view. Raises ShotError for an unknown name."""
    shot = preset_shot(avatar, avatar.source, pose, view, size=SIZE)
    return Image.fromarray(take(renderer, avatar, shot)[1].rgba, "RGBA")


def pose_cells(renderer: Renderer, avatar: Avatar, poses: Iterable[NamedPose], view: str) -> Iterator[Cell]:
    """Each pose in one view, with the words that a caption has for it."""
    for pose in poses:
        yield Cell(picture(renderer, avatar, pose.name, view), pose.phrases[0].text, title=pose.name)


def view_cells(renderer: Renderer, avatar: Avatar, views: Iterable[NamedView], pose: str) -> Iterator[Cell]:
    """One pose in each view, with what the view's parts say about themselves."""
    for v in views:
        text = f"{v.crop.about}; {v.azimuth.about}; {v.elevation.about}"
        yield Cell(picture(renderer, avatar, pose, v.name), text, title=v.name)


def sheet(title: str, cells: Sequence[Cell], columns: int) -> bytes:
    """The cells as a PNG file."""
    return contact_sheet(title, cells, columns, width=SIZE[0])
