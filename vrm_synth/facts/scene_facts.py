"""Facts of a picture's light and background."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vrm_synth.camera.camera import Camera
from vrm_synth.core.color import linear_from_srgb
from vrm_synth.core.transforms import Array
from vrm_synth.core.vectors import Vec4
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.facts.facts import LightDirection, SceneFacts
from vrm_synth.gltf.model import Material, TextureInfo
from vrm_synth.shot.shot import Shot
from vrm_synth.stage import backgrounds
from vrm_synth.stage.light_types import Light
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.drawn_triangles import drawn_triangles

MIN_BACKGROUND_PIXELS = 4000.0  # of a picture of 512²
SAME_COLOR = 4 / 255  # most by which a color may differ from a named one, each channel
GLOWING = 0.2  # of a material's own light, from which on no other shows on it
STEP = 4  # pixels between those whose surface is looked at
JUMP = 0.05  # metres of depth from one pixel looked at to the next, where one surface ends and another begins
MIN_SURFACE = 300  # pixels looked at that show a surface, of a picture of 512²
# How much darker the shade is than the light, as the screen shows it, 0 to 1.
MIN_CONTRAST, FLAT_CONTRAST = 0.1, 0.09  # at least, for a direction to be seen; at most, for light without one
STRONG_CONTRAST = 0.25  # at least, for light from above, or from the side on a figure far away
NEAR = 0.42  # of the picture's height, that a head takes on a figure near enough for a toon's soft shade to be seen
# Where the light stands as seen from the camera: degrees around, degrees up.
FRONT_AROUND, FRONT_UP, FRONT_SHADE = 32.0, 42.0, 0.22  # at most; most part of the figure in shade
SIDE_AROUND, SIDE_UP = (48.0, 100.0), 47.0  # between; at most
SIDE_SHADE, SIDE_LIT = 0.7, 0.85  # least part in shade of what faces away, in light of what faces the light's side
TOP_AROUND, TOP_UP, TOP_SHADE = 45.0, 55.0, 0.13  # at most; at least; least part of the figure in shade
FACING = 0.35  # least part of a normal that points to a side, for a surface that faces it
MIN_SIDE = 0.16  # least part of the figure that faces away from a light from the side


def scene_facts(drawn: DrawnBody, shot: Shot) -> SceneFacts:
    """Light and background, as far as they show."""
    free = drawn.pixels.size - drawn.pixels.total
    shown = free >= MIN_BACKGROUND_PIXELS * drawn.scale
    return SceneFacts(_light_name(drawn, shot), background_name(shot.background) if shown else "")


def background_name(color: Vec4 | None) -> str:
    """Name of a background's color, straight sRGB RGBA in 0..1; "" where no name fits."""
    if color is None:
        return backgrounds.TRANSPARENT
    for name in backgrounds.NAMES:
        known = backgrounds.background(name)
        if known is not None and max(abs(a - b) for a, b in zip(known, color, strict=True)) <= SAME_COLOR:
            return name
    return ""


def _light_name(drawn: DrawnBody, shot: Shot) -> LightDirection:
    """The direction that was chosen for the light, where the picture shows it."""
    chosen = shot.choices.lighting
    if shot.light is None or shot.ambient is None or chosen not in ("front", "side", "top", "flat"):
        return ""
    contrast = _contrast(drawn.view.posed.avatar, shot.light.intensity, shot.ambient.intensity)
    if contrast is None:
        return ""
    around, up = _light_place(drawn.view.camera, shot.light)
    if chosen == "flat":
        return "flat" if contrast <= FLAT_CONTRAST and abs(around) <= FRONT_AROUND else ""
    if contrast < MIN_CONTRAST:
        return ""
    surface = _visible_normals(drawn, shot.light)
    if surface is None:
        return ""
    if chosen == "front":
        frontal = abs(around) <= FRONT_AROUND and abs(up) <= FRONT_UP
        return "front" if frontal and surface.shade <= FRONT_SHADE else ""
    if chosen == "side":
        aside = SIDE_AROUND[0] <= abs(around) <= SIDE_AROUND[1] and abs(up) <= SIDE_UP
        clear = contrast >= STRONG_CONTRAST or drawn.view.head_share >= NEAR
        return "side" if aside and clear and surface.is_divided(around) else ""
    above = abs(around) <= TOP_AROUND and up >= TOP_UP
    return "top" if above and contrast >= STRONG_CONTRAST and surface.shade >= TOP_SHADE else ""


def _light_place(camera: Camera, light: Light) -> tuple[float, float]:
    """Degrees around (+ to the right of the picture) and degrees up, of a light as seen from the camera's side."""
    right, up, backward = camera.world_from_view()[:3, :3].T
    to_light = -np.asarray(light.direction, np.float64)
    to_light /= max(float(np.linalg.norm(to_light)), 1e-9)
    around = float(np.degrees(np.arctan2(right @ to_light, backward @ to_light)))
    return around, float(np.degrees(np.arcsin(np.clip(up @ to_light, -1.0, 1.0))))


@dataclass(frozen=True, eq=False)
class VisibleNormals:
    """The surface that a picture shows: sideways (N,), + right, of unit normals; lit: (N,) true towards the light."""

    sideways: Array
    lit: NDArray[np.bool_]

    @property
    def shade(self) -> float:
        """Part of the figure in shade."""
        return 1.0 - float(self.lit.mean())

    def is_divided(self, around: float) -> bool:
        """True where the side of the light is lit and the other one in shade."""
        toward = self.sideways * np.sign(around)
        near, far = self.lit[toward >= FACING], self.lit[toward <= -FACING]
        if len(near) < MIN_SIDE * len(self.lit) or len(far) < MIN_SIDE * len(self.lit):
            return False
        return float(near.mean()) >= SIDE_LIT and 1.0 - float(far.mean()) >= SIDE_SHADE


def _visible_normals(drawn: DrawnBody, light: Light) -> VisibleNormals | None:
    """Normals of what is drawn, from its depth; None where too little shows."""
    camera, depth = drawn.view.camera, drawn.depth[::STEP, ::STEP].astype(np.float64)
    if camera.ortho_height is not None:
        return None
    height = drawn.depth.shape[0]
    pixel = 2 * STEP * np.tan(np.radians(camera.fov_y) / 2) / height
    z = np.where(np.isfinite(depth), depth, 0.0)
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in z.shape)
    x, y = z * columns * pixel, -z * rows[:, None] * pixel
    point = np.stack([x, y, -z], -1)
    across, down = point[:-1, 1:] - point[:-1, :-1], point[1:, :-1] - point[:-1, :-1]
    near = (z[:-1, :-1] > 0) & (z[:-1, 1:] > 0) & (z[1:, :-1] > 0)
    near &= (np.abs(across[..., 2]) < JUMP) & (np.abs(down[..., 2]) < JUMP)
    if int(np.count_nonzero(near)) < MIN_SURFACE * drawn.scale:
        return None
    normal = np.cross(down[near], across[near])
    normal /= np.maximum(np.linalg.norm(normal, axis=1), 1e-12)[:, None]
    to_light = -camera.view_from_world()[:3, :3] @ np.asarray(light.direction, np.float64)
    return VisibleNormals(normal[:, 0], normal @ to_light > 0)


# ---------------------------------------------------------------- how dark the shade of an avatar is

_SHADES: WeakKeyDictionary[Avatar, float | None] = WeakKeyDictionary()


def _contrast(avatar: Avatar, key: float, fill: float) -> float | None:
    """How much darker the avatar's shade is than its light under a key and a fill light; None where most is unlit."""
    if avatar not in _SHADES:
        _SHADES[avatar] = _shade(avatar)
    shade = _SHADES[avatar]
    if shade is None or key + fill <= 0:
        return None
    return float(1.0 - ((key * shade + fill) / (key + fill)) ** (1 / 2.2))


def _shade(avatar: Avatar) -> float | None:
    """Linear brightness of the key light's shade, as a part of the light's, over the avatar's surface."""
    numbered = drawn_triangles(avatar)
    corners = np.concatenate([p.positions[p.indices] for p in numbered.primitives]).astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    by_material = np.bincount(numbered.material_of, area, len(avatar.materials))
    lit = np.array([m.kind != "unlit" and max(m.emissive_factor) < GLOWING for m in avatar.materials], np.bool_)
    if by_material[lit].sum() <= 0.8 * by_material.sum():
        return None
    used = np.flatnonzero(lit & (by_material > 0))
    shades = [_material_shade(avatar, avatar.materials[m]) for m in used.tolist()]
    return float(np.average(shades, weights=by_material[used]))


def _material_shade(avatar: Avatar, material: Material) -> float:
    if material.mtoon is None:
        return 0.0
    toon = material.mtoon
    base = float(np.mean(material.base_color_factor[:3])) * _brightness(avatar, material.base_color_texture)
    shade = float(np.mean(toon.shade_color_factor)) * _brightness(avatar, toon.shade_multiply_texture)
    return min(shade / base, 1.0) if base > 1e-4 else 1.0


def _brightness(avatar: Avatar, info: TextureInfo | None) -> float:
    """Mean linear brightness of a texture's opaque texels; 1 for none."""
    image = None if info is None else avatar.images[avatar.textures[info.texture].image]
    if image is None:
        return 1.0
    some = image.pixels[:: max(image.pixels.shape[0] // 64, 1), :: max(image.pixels.shape[1] // 64, 1)].reshape(-1, 4)
    opaque = some[some[:, 3] > 127, :3]
    return float(linear_from_srgb(opaque / 255.0).mean()) if len(opaque) else 1.0
