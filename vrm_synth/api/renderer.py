"""Draw an avatar: one picture, or many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypedDict
from weakref import WeakKeyDictionary

from vrm_synth.camera.camera import Camera
from vrm_synth.core.errors import RenderError, ShotError
from vrm_synth.core.names import plain_name
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.dataset.render_shot import pose_for, render_shot
from vrm_synth.pose.pose_library import Pose
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render import open_backend
from vrm_synth.render.base import Antialias, Compat, Frame, RendererName, View
from vrm_synth.shot.compose import Lights, LookAt, compose_shot
from vrm_synth.shot.shot import Shot
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.three_vrm_compat import as_three_vrm


class RenderOptions(TypedDict, total=False):
    """Keyword arguments of Renderer.render, which documents each."""

    pose: str | Path | Pose
    expressions: Mapping[str, float] | None
    look_at: LookAt | None
    view: str | None
    camera: Camera | None
    size: int | tuple[int, int]
    lights: Lights
    background: str | Sequence[float] | None
    settle_seconds: float | None
    wind: Sequence[float] | None
    time: float
    outlines: bool
    supersample: int
    antialias: Antialias
    mipmaps: bool


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

    def render(
        self,
        avatar: Avatar,
        *,
        pose: str | Path | Pose = "stand",
        expressions: Mapping[str, float] | None = None,
        look_at: LookAt | None = None,
        view: str | None = None,
        camera: Camera | None = None,
        size: int | tuple[int, int] = 512,
        lights: Lights = "front",
        background: str | Sequence[float] | None = "white",
        settle_seconds: float | None = None,
        wind: Sequence[float] | None = None,
        time: float = 0.0,
        outlines: bool = True,
        supersample: int = 2,
        antialias: Antialias = "supersample",
        mipmaps: bool = True,
    ) -> Frame:
        """Draw one picture.

        pose: a name of `vrm-synth poses list`, a pose file, or a Pose.
        expressions: VRM 1.0 name, or an avatar's own → weight, 0 to 1.
        look_at: "camera", LookAtAngles in degrees, or a world point (3,) in metres; None leaves the eyes as posed.
        view: a name of `vrm-synth cameras list`, "full_front_level" where no camera is given either.
        camera: from frame_body, or made by hand; world frame, metres.
        size: pixels of a square's side, or (width, height).
        lights: a setup ("front", "side", "top", "flat"), a Light, or (Light, Ambient), each of them or None.
        background: a name, "#rrggbb", (r, g, b) or (r, g, b, a) in 0..1 straight sRGB; None or "transparent" for none.
        settle_seconds: how long hair and skirts swing before the picture; None leaves them at rest.
        wind: (3,) a steady push on them, world axes, in the unit of gravityPower; needs settle_seconds.
        time: seconds of UV animation. outlines: draw those that materials ask for.
        supersample: n × n samples a pixel, 1 to 8. antialias: "supersample", "multisample" or "auto".
        mipmaps: filter textures that are seen small.

        A misspelt pose, view or expression is refused with the name that was probably meant.
        Raises RecipeError, ShotError, RenderError.
        """
        options: RenderOptions = {
            "pose": pose, "expressions": expressions, "look_at": look_at, "view": view, "camera": camera, "size": size,
            "lights": lights, "background": background, "settle_seconds": settle_seconds, "wind": wind, "time": time,
            "outlines": outlines, "supersample": supersample, "antialias": antialias, "mipmaps": mipmaps,
        }  # fmt: skip
        return self._open.render(*self._posed_view(avatar, options))

    def stream(self, avatar: Avatar, pictures: Iterable[RenderOptions]) -> Iterator[Frame]:
        """Draw one picture after the other; each is a mapping of render's arguments.

        On a GPU the next pictures are drawn while one comes back. Raises as render does, when a picture's turn comes.
        """
        views = (self._posed_view(avatar, options) for options in pictures)
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
        return compose_shot(self._as_compat(avatar), _source(avatar), **_known(options or {}))[0]

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

    def _posed_view(self, avatar: Avatar, options: RenderOptions) -> tuple[PosedAvatar, View]:
        subject = self._as_compat(avatar)
        shot, posed = compose_shot(subject, _source(avatar), **_known(options))
        if posed is None or self.compat != "none":
            posed = pose_for(subject, shot, self.compat)
        return posed, shot.view(self.compat)

    def _as_compat(self, avatar: Avatar) -> Avatar:
        if self.compat == "none":
            return avatar
        if avatar not in self._converted:  # one conversion an avatar, or its textures would be sent again each time
            self._converted[avatar] = as_three_vrm(avatar)
        return self._converted[avatar]


def _known(options: RenderOptions) -> RenderOptions:
    """Return the options unchanged. Raises ShotError for a key that render does not have."""
    for key in options:
        if key not in RenderOptions.__annotations__:
            known = tuple(RenderOptions.__annotations__)
            raise ShotError(f"unknown argument{did_you_mean(key, known)}", got=key, allowed=", ".join(known))
    return options


def _source(avatar: Avatar) -> str:
    return plain_name(avatar.source, "avatar", 4096)
