"""Draw an avatar: one picture, or many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Unpack
from weakref import WeakKeyDictionary

from vrm_synth.api.labeled_frame import LabeledFrame, buffers_for, labeled
from vrm_synth.appearance.find_appearance import find_appearance
from vrm_synth.core.errors import RenderError
from vrm_synth.core.names import control_free_name
from vrm_synth.core.passes import DEFAULT_DEPTH_LAYERS
from vrm_synth.dataset.render_shot import pose_for, render_shot
from vrm_synth.dataset.sample_facts import facts_of
from vrm_synth.parts.overrides import PartOverrides
from vrm_synth.pose.pose_files import find_pose
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render import open_backend
from vrm_synth.render.base import Compat, Frame, RendererName, View
from vrm_synth.shot.compose import compose_shot
from vrm_synth.shot.plan_of_shot import plan_of_shot
from vrm_synth.shot.render_options import RenderOptions, takes_render_options, with_defaults
from vrm_synth.shot.shot import Shot
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.three_vrm_compat import as_three_vrm


class Renderer:
    """Draws avatars; a context manager, which gives the OpenGL context back.

    name: "gl" (moderngl on EGL, all of MToon) or "pyrender" (PBR and flat colours, the [pyrender] extra).
    device: index of the EGL device. mip_cache: a folder that keeps mip chains of textures from run to run, which makes
    the first picture of an avatar faster; None keeps them for this renderer alone.
    compat: "three-vrm" poses and draws as that renderer does where it differs from the specifications.
    One renderer is for one thread. Raises RenderError where no context can be made, with what to do.
    """

    def __init__(
        self,
        name: RendererName = "gl",
        *,
        device: int = 0,
        mip_cache: str | Path | None = None,
        compat: Compat = "none",
    ):
        if compat not in ("none", "three-vrm"):
            raise RenderError("no such compat", got=compat, allowed="none, three-vrm")
        self.name = name
        self.compat: Compat = compat
        self._backend = open_backend(name, device, None if mip_cache is None else Path(mip_cache))
        self._converted: WeakKeyDictionary[Avatar, Avatar] = WeakKeyDictionary()
        self._closed = False

    @property
    def device(self) -> str:
        """The driver's own name of what draws ("llvmpipe (LLVM 15…)")."""
        return self._backend.device

    @takes_render_options
    def render(
        self,
        avatar: Avatar,
        *,
        passes: Sequence[str] = (),
        depth_layers: int = DEFAULT_DEPTH_LAYERS,
        annotate: bool = False,
        facts: bool = False,
        part_overrides: PartOverrides | None = None,
        **options: Unpack[RenderOptions],
    ) -> LabeledFrame:
        """Draw one picture.

        passes: names of the ground truth to draw with it ("depth", "normal", "parts"; docs/passes.md has all).
        depth_layers: surfaces behind each other that the pass depth_layers has, 1 to 16.
        annotate: find keypoints, boxes, head angles and gaze, too.
        facts: find what the picture shows, too, of which captions are made (describe).
        part_overrides: what the pass parts and the facts know better of this avatar.
        options: see RenderOptions.

        A misspelt option, pose, view or expression is refused with the name that was probably meant.
        Raises RecipeError, ShotError, RenderError.
        """
        shot, posed, view = self._posed_shot(avatar, options)
        view = replace(view, buffers=buffers_for(passes, depth_layers, annotate))
        if not facts:
            return labeled(self._open.render(posed, view), posed, view, passes, annotate, part_overrides)
        appearance = find_appearance(posed.avatar, _source(avatar), part_overrides)
        labels = appearance.groups.labels if self.name == "gl" else None
        view = replace(view, buffers=replace(view.buffers, surface=True, vertex_labels=labels))
        drawn = self._open.render(posed, view)
        planned = plan_of_shot(posed.avatar, shot, find_pose(with_defaults(options)["pose"]))
        found = facts_of(planned, appearance, posed, drawn)
        return replace(labeled(drawn, posed, view, passes, annotate, part_overrides), facts=found)

    def stream(self, avatar: Avatar, pictures: Iterable[RenderOptions]) -> Iterator[Frame]:
        """Draw one picture after the other; each is a mapping of render's arguments.

        On a GPU the next pictures are drawn while one comes back. Raises as render does, when a picture's turn comes.
        """
        views = (self._posed_shot(avatar, options)[1:] for options in pictures)
        if stream := getattr(self._open, "stream", None):
            yield from stream(views)
            return
        for posed, view in views:
            yield self._open.render(posed, view)

    def render_shot(self, avatar: Avatar, shot: Shot) -> Frame:
        """Draw a shot, such as a dataset's, on its avatar. Raises ShotError, RenderError, placed by the shot's id."""
        return render_shot(self._open, self._as_compat(avatar), shot, self.compat)[1]

    def compose(self, avatar: Avatar, options: RenderOptions | None = None) -> Shot:
        """The shot that render draws for these arguments: a picture as data, to keep or to change."""
        return compose_shot(self._as_compat(avatar), _source(avatar), **(options or {}))[0]

    def close(self) -> None:
        """Give the context back; the renderer is unusable afterwards. Closing twice does nothing."""
        if not self._closed:
            self._closed = True
            self._backend.close()

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Renderer({self.name}, {'closed' if self._closed else self.device})"

    @property
    def _open(self) -> Any:
        if self._closed:
            raise RenderError("the renderer is closed", allowed="a new Renderer()")
        return self._backend

    def _posed_shot(self, avatar: Avatar, options: RenderOptions) -> tuple[Shot, PosedAvatar, View]:
        subject = self._as_compat(avatar)
        shot, posed = compose_shot(subject, _source(avatar), **options)
        if posed is None or self.compat != "none":
            posed = pose_for(subject, shot, self.compat)
        return shot, posed, shot.view(self.compat)

    def _as_compat(self, avatar: Avatar) -> Avatar:
        if self.compat == "none":
            return avatar
        if avatar not in self._converted:  # one conversion an avatar, or its textures would be sent again each time
            self._converted[avatar] = as_three_vrm(avatar)
        return self._converted[avatar]


def _source(avatar: Avatar) -> str:
    return control_free_name(avatar.source, "avatar", 4096)
