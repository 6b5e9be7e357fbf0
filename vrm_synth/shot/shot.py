"""Shot: one picture as data, frozen, checked whenever it is made, lossless in JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, get_args

from vrm_synth.camera.camera import Camera
from vrm_synth.core.errors import ShotError
from vrm_synth.core.format_version import check_format
from vrm_synth.core.limits import MAX_IMAGE_SIDE
from vrm_synth.core.vectors import Vec3, Vec4
from vrm_synth.pose.lookat import LookAtAngles
from vrm_synth.render.base import Antialias, Compat, View
from vrm_synth.shot import check
from vrm_synth.shot.choices import Choices
from vrm_synth.shot.figure import Figure
from vrm_synth.stage.light_types import Ambient, Light

KEYS = (
    "id", "avatar", "pose", "expressions", "look_at", "spring_bones", "camera", "size", "light", "ambient",
    "background", "outlines", "time", "supersample", "antialias", "mipmaps", "choices", "format",
)  # fmt: skip
FORMAT = 1  # the newest shots format that this version reads
CAMERA_KEYS = ("position", "target", "up", "fov_y", "ortho_height", "near", "far")
LONGEST_DRAWN_SIDE = 16384  # of the supersampled drawing: the texture size that every current driver has


@dataclass(frozen=True)
class Shot:
    """One picture as data: figures before a camera, lit.

    id: the picture's name, letters, digits and _ . -.
    figures: the avatars in the picture; exactly one today.
    camera: where it stands and what it takes in, world metres.
    size: (width, height) pixels.
    wind: a steady push on the springs of all figures, world axes, in gravityPower's unit; needs settle_seconds.
    light: the one directional light; None: none.
    ambient: light from everywhere; None: none.
    background: straight sRGB RGBA in 0..1; None: transparent.
    outlines: draw the outlines that materials ask for.
    time: seconds of UV animation.
    supersample: n draws n × n samples a pixel.
    antialias: supersample, multisample or auto.
    mipmaps: use the mip chains of textures.
    choices: what the recipe chose (character, pose, crop, view …); never drawn, all empty in shots of other origin.

    Every value is checked when the shot is made; ShotError names the field by its key in the shots format.
    """

    id: str
    figures: tuple[Figure, ...]
    camera: Camera
    size: tuple[int, int]
    wind: Vec3 | None = None
    light: Light | None = None
    ambient: Ambient | None = None
    background: Vec4 | None = None
    outlines: bool = True
    time: float = 0.0
    supersample: int = 1
    antialias: Antialias = "supersample"
    mipmaps: bool = True
    choices: Choices = field(default_factory=Choices)

    def __post_init__(self) -> None:
        for f in fields(self):
            object.__setattr__(self, f.name, _CHECKS[f.name](getattr(self, f.name)))
        if self.wind is not None and self.figure.settle_seconds is None:
            raise ShotError("wind without settle_seconds", got=self.wind, allowed="both", where="spring_bones")
        if max(self.size) * self.supersample > LONGEST_DRAWN_SIDE:
            got = f"size {list(self.size)} with supersample {self.supersample}"
            raise ShotError("picture too large", got=got, allowed=f"side × supersample up to {LONGEST_DRAWN_SIDE}")

    @property
    def figure(self) -> Figure:
        """The shot's one figure."""
        return self.figures[0]

    def with_figure(self, **changes: Any) -> Shot:
        """The same shot with fields of its figure changed. Raises ShotError."""
        return replace(self, figures=(replace(self.figure, **changes),))

    def __repr__(self) -> str:
        return f"Shot({self.id} of {self.figures[0].avatar}, {self.size[0]}×{self.size[1]})"

    def view(self, compat: Compat = "none") -> View:
        """The part of the shot that a renderer takes beside the posed avatar. compat: as in View."""
        return View(
            camera=self.camera,
            size=self.size,
            light=self.light,
            ambient=self.ambient,
            background=self.background,
            outlines=self.outlines,
            time=self.time,
            supersample=self.supersample,
            antialias=self.antialias,
            mipmaps=self.mipmaps,
            compat=compat,
        )

    @staticmethod
    def from_json(entry: object) -> Shot:
        """One entry of the shots format. Raises ShotError, placed inside the shot by its id where it has one."""
        entry = check.mapping(entry, "shot")
        name = entry.get("id")
        try:
            return _read(entry)
        except ShotError as e:
            raise e.at(f"shot {name}" if isinstance(name, str) and check.ID.fullmatch(name) else "shot") from None

    def to_json(self) -> dict[str, Any]:
        """The entry of the shots format; `Shot.from_json(json.loads(json.dumps(s.to_json()))) == s`."""
        return _write(self)


def _read(entry: Mapping[str, Any]) -> Shot:
    check.keys(entry, KEYS, ("id", "avatar", "camera", "size"), "")
    check_format(entry.get("format"), FORMAT, "format", ShotError)
    pose = check.mapping(_or(entry, "pose", {}), "pose")
    check.keys(pose, ("bones", "hips_offset"), (), "pose")
    springs: Mapping[str, Any] = {}
    if entry.get("spring_bones") is not None:
        springs = check.mapping(entry["spring_bones"], "spring_bones")
        check.keys(springs, ("settle_seconds", "wind"), ("settle_seconds",), "spring_bones")
    figure = Figure(
        avatar=entry["avatar"],
        bones=_or(pose, "bones", {}),
        hips_offset=pose.get("hips_offset"),
        expressions=_or(entry, "expressions", {}),
        look_at=_read_look_at(entry.get("look_at")),
        settle_seconds=springs.get("settle_seconds"),
    )
    return Shot(
        id=entry["id"],
        figures=(figure,),
        camera=_read_camera(entry["camera"]),
        size=entry["size"],
        wind=springs.get("wind"),
        light=_read_light(entry.get("light")),
        ambient=_read_ambient(entry.get("ambient")),
        background=entry.get("background"),
        outlines=_or(entry, "outlines", True),
        time=_or(entry, "time", 0.0),
        supersample=_or(entry, "supersample", 1),
        antialias=_or(entry, "antialias", "supersample"),
        mipmaps=_or(entry, "mipmaps", True),
        choices=Choices.from_json(_or(entry, "choices", {})),
    )


def _or(entry: Mapping[str, Any], key: str, default: Any) -> Any:
    # The reference takes null for absent, in every optional key.
    value = entry.get(key)
    return default if value is None else value


def _read_camera(value: object) -> Camera:
    c = check.mapping(value, "camera")
    check.keys(c, CAMERA_KEYS, ("position",), "camera")
    return Camera(
        position=c["position"],
        target=_or(c, "target", (0.0, 1.0, 0.0)),
        up=_or(c, "up", (0.0, 1.0, 0.0)),
        fov_y=_or(c, "fov_y", 30.0),
        ortho_height=c.get("ortho_height"),
        near=_or(c, "near", 0.1),
        far=_or(c, "far", 20.0),
    )


def _read_look_at(value: object) -> Any:
    if not isinstance(value, Mapping):
        return value
    check.keys(value, ("yaw", "pitch"), (), "look_at")
    return LookAtAngles(_or(value, "yaw", 0.0), _or(value, "pitch", 0.0))


def _read_light(value: object) -> Light | None:
    if value is None:
        return None
    v = check.mapping(value, "light")
    check.keys(v, ("direction", "color", "intensity"), (), "light")
    return Light(_or(v, "direction", (-1.0, -1.0, -1.0)), _or(v, "color", (1.0, 1.0, 1.0)), _or(v, "intensity", 1.0))


def _read_ambient(value: object) -> Ambient | None:
    if value is None:
        return None
    v = check.mapping(value, "ambient")
    if "sky" in v or "ground" in v:
        check.keys(v, ("sky", "ground", "intensity"), ("sky", "ground"), "ambient")
        return Ambient(v["sky"], _or(v, "intensity", 1.0), v["ground"])
    check.keys(v, ("color", "intensity"), (), "ambient")
    return Ambient(_or(v, "color", (1.0, 1.0, 1.0)), _or(v, "intensity", 1.0))


# ---------------------------------------------------------------- each field's check


def _id(value: object) -> str:
    if not isinstance(value, str) or not check.ID.fullmatch(value):
        raise ShotError("not a shot's name", got=value, allowed="1 to 200 letters, digits and _ . -", where="id")
    return value


def _figures(value: object) -> tuple[Figure, ...]:
    if not isinstance(value, tuple) or len(value) != 1 or not isinstance(value[0], Figure):
        raise ShotError("not one figure", got=value, allowed="a tuple of one Figure", where="figures")
    return value


def _camera(c: Camera) -> Camera:
    position, target = check.point(c.position, "camera.position"), check.point(c.target, "camera.target")
    if math.dist(position, target) < 1e-6:
        raise ShotError("the camera stands on its target", got=c.position, where="camera")
    height = None if c.ortho_height is None else check.number(c.ortho_height, "camera.ortho_height", 0, 1e4, above=True)
    # An orthographic view may begin in the camera's own plane, a perspective one has no such plane.
    near = check.number(c.near, "camera.near", 0, 1e4, above=height is None)
    far = check.number(c.far, "camera.far", 0, 1e6, above=True)
    if not near < far:
        raise ShotError("near must be less than far", got=f"near {near:g}, far {far:g}", where="camera")
    fov_y = check.number(c.fov_y, "camera.fov_y", 1, 170)
    return Camera(position, target, check.direction(c.up, "camera.up"), fov_y, height, near, far)


def _size(value: object) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ShotError("not a size", got=value, allowed="[width, height] in pixels", where="size")
    w, h = (check.whole(v, f"size[{i}]", 1, MAX_IMAGE_SIDE) for i, v in enumerate(value))
    return w, h


def _light(value: Light | None) -> Light | None:
    if value is None:
        return None
    return Light(
        check.direction(value.direction, "light.direction"),
        check.color(value.color, "light.color", 100),
        check.number(value.intensity, "light.intensity", 0, 100),
    )


def _ambient(value: Ambient | None) -> Ambient | None:
    if value is None:
        return None
    color = check.color(value.color, "ambient.color" if value.ground is None else "ambient.sky", 100)
    ground = None if value.ground is None else check.color(value.ground, "ambient.ground", 100)
    return Ambient(color, check.number(value.intensity, "ambient.intensity", 0, 100), ground)


def _background(value: object) -> Vec4 | None:
    if value is None:
        return None
    r, g, b, a = check.vector(value, "background", 4, 0.0, 1.0)
    return r, g, b, a


def _wind(value: object) -> Vec3 | None:
    return check.optional(value, "spring_bones.wind", lambda v, name: check.point(v, name, reach=100))


def _choices(value: object) -> Choices:
    if not isinstance(value, Choices):
        raise ShotError("not choices", got=value, allowed="Choices", where="choices")
    return value


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "id": _id,
    "figures": _figures,
    "camera": _camera,
    "size": _size,
    "wind": _wind,
    "light": _light,
    "ambient": _ambient,
    "background": _background,
    "outlines": lambda v: check.flag(v, "outlines"),
    "time": lambda v: check.number(v, "time", -1e6, 1e6),
    "supersample": lambda v: check.whole(v, "supersample", 1, 8),
    "antialias": lambda v: check.one_of(v, "antialias", get_args(Antialias)),
    "mipmaps": lambda v: check.flag(v, "mipmaps"),
    "choices": _choices,
}


# ---------------------------------------------------------------- writing


def _write(s: Shot) -> dict[str, Any]:
    c = s.camera
    camera = {"position": list(c.position), "target": list(c.target), "up": list(c.up), "fov_y": c.fov_y}
    camera |= {"near": c.near, "far": c.far} | ({} if c.ortho_height is None else {"ortho_height": c.ortho_height})
    f = s.figure
    pose: dict[str, Any] = {"bones": {k: list(q) for k, q in f.bones.items()}}
    if f.hips_offset is not None:
        pose["hips_offset"] = list(f.hips_offset)
    out: dict[str, Any] = {"id": s.id, "avatar": f.avatar, "pose": pose, "expressions": dict(f.expressions)}
    if isinstance(f.look_at, LookAtAngles):
        out["look_at"] = {"yaw": f.look_at.yaw, "pitch": f.look_at.pitch}
    elif f.look_at is not None:
        out["look_at"] = list(f.look_at)
    if f.settle_seconds is not None:
        out["spring_bones"] = {"settle_seconds": f.settle_seconds} | ({"wind": list(s.wind)} if s.wind else {})
    light = s.light and {
        "direction": list(s.light.direction),
        "color": list(s.light.color),
        "intensity": s.light.intensity,
    }
    ambient = s.ambient and _write_ambient(s.ambient)
    out |= {"camera": camera, "size": list(s.size), "light": light, "ambient": ambient}
    out["background"] = None if s.background is None else list(s.background)
    out |= {"outlines": s.outlines, "time": s.time, "supersample": s.supersample, "mipmaps": s.mipmaps}
    if s.antialias != "supersample":
        out["antialias"] = s.antialias
    if s.choices != Choices():
        out["choices"] = s.choices.to_json()
    return out


def _write_ambient(a: Ambient) -> dict[str, Any]:
    if a.ground is None:
        return {"color": list(a.color), "intensity": a.intensity}
    return {"sky": list(a.color), "ground": list(a.ground), "intensity": a.intensity}
