"""Contact sheets of the named poses and views, each rendered on an avatar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from PIL import Image

from vrm_synth.camera.views import NamedView, load_azimuths
from vrm_synth.core.names import control_free_name
from vrm_synth.dataset.render_shot import render_shot
from vrm_synth.io.contact_sheet import SheetCell, contact_sheet
from vrm_synth.pose.pose_library import Pose
from vrm_synth.render.base import RenderBackend
from vrm_synth.shot import preset_shot
from vrm_synth.vrm.avatar import Avatar, Expression

SIZE = (256, 256)
TURN = ("front", "three_quarter_left", "side_left", "back", "side_right", "three_quarter_right")


def render_preset(backend: RenderBackend, avatar: Avatar, pose: str | Pose, view: str) -> Image.Image:
    """A pose in a named view. Raises RecipeError for an unknown name."""
    shot = preset_shot(avatar, control_free_name(avatar.source, "avatar", 4096), pose, view, size=SIZE)
    return Image.fromarray(render_shot(backend, avatar, shot)[1].rgba, "RGBA")


def pose_cells(backend: RenderBackend, avatar: Avatar, poses: Iterable[Pose], view: str) -> Iterator[SheetCell]:
    """Each pose in one view, with the words that a caption has for it."""
    for pose in poses:
        yield SheetCell(render_preset(backend, avatar, pose, view), pose.phrases[0].text, title=pose.name)


def view_cells(backend: RenderBackend, avatar: Avatar, views: Iterable[NamedView], pose: str) -> Iterator[SheetCell]:
    """One pose in each view, with what the view's parts say about themselves."""
    for v in views:
        text = f"{v.crop.about}; {v.azimuth.about}; {v.elevation.about}"
        yield SheetCell(render_preset(backend, avatar, pose, v.name), text, title=v.name)


def turntable_cells(backend: RenderBackend, avatar: Avatar) -> Iterator[SheetCell]:
    """The avatar once around, then its face under every expression that is bound to something."""
    for azimuth in TURN:
        text = load_azimuths()[azimuth].about
        yield SheetCell(render_preset(backend, avatar, "stand", f"full_{azimuth}_level"), text, title=azimuth)
    face = preset_shot(avatar, control_free_name(avatar.source, "avatar", 4096), "stand", "face_front_level", size=SIZE)
    for expression in faces(avatar):
        shot = face.with_figure(expressions={expression.name: 1.0})
        text = "preset" if expression.is_preset else "custom"
        yield SheetCell(
            Image.fromarray(render_shot(backend, avatar, shot)[1].rgba, "RGBA"), text, title=expression.name
        )


def faces(avatar: Avatar) -> list[Expression]:
    """The expressions that can change the picture."""
    return [e for e in avatar.expressions.values() if e.name in avatar.visible_expressions]


def sheet(title: str, cells: Sequence[SheetCell], columns: int) -> bytes:
    """The cells as a PNG file."""
    return contact_sheet(title, cells, columns, width=SIZE[0])
