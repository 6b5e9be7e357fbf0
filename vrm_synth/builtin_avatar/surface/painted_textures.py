"""Paint textures procedurally: every *_map function returns (H, W, 4) uint8 RGBA, top row first."""

from __future__ import annotations

from functools import cache

import numpy as np
import PIL.Image
import PIL.ImageDraw
from numpy.typing import ArrayLike, NDArray

from vrm_synth.builtin_avatar.shapes.face import UV_HEIGHT, UV_TOP, UV_WIDTH
from vrm_synth.builtin_avatar.shapes.face_parts import IRIS_MARGIN, PAINT, PAINT_SLOTS
from vrm_synth.builtin_avatar.shapes.loft import smoothstep
from vrm_synth.builtin_avatar.shapes.skeleton import CHIN_Y
from vrm_synth.builtin_avatar.surface.palette import Palette, Rgb, mix, tone
from vrm_synth.core.rng import rng
from vrm_synth.core.transforms import Array

Pixels = NDArray[np.uint8]


def pixels(rgb: ArrayLike, alpha: ArrayLike = 1.0) -> Pixels:
    """Convert sRGB (H, W, 3) and alpha (H, W) in 0..1 to (H, W, 4) uint8."""
    c = np.asarray(rgb, np.float64)
    a = np.broadcast_to(np.asarray(alpha, np.float64), c.shape[:2])[..., None]
    return np.round(np.clip(np.concatenate([c, a], -1), 0, 1) * 255).astype(np.uint8)


def plane(width: int, height: int) -> tuple[Array, Array]:
    """Return (u, v) in 0..1 at the pixels' centers, v down: each (height, width)."""
    u, v = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    return u, v


def fill(color: Rgb, shape: tuple[int, ...]) -> Array:
    """Return (H, W, 3) filled with one color."""
    return np.broadcast_to(np.array(color), (*shape, 3)).copy()


def blend(under: Array, over: ArrayLike, amount: ArrayLike) -> Array:
    """Blend a color or picture over `under` (H, W, 3) by amount (H, W) in 0..1."""
    a = np.asarray(amount, np.float64)[..., None]
    return np.asarray(under * (1 - a) + np.asarray(over, np.float64) * a)


def face_map(p: Palette, base: Rgb, size: int = 512) -> Pixels:
    """The face in front view: skin, warm cheeks and nose tip, the nose's shadow, the lower lip's tint."""
    u, v = plane(size, size)
    x, y = (u - 0.5) * UV_WIDTH, UV_TOP - v * UV_HEIGHT - CHIN_Y
    out = fill(base, u.shape)
    cheek = np.exp(-(((np.abs(x) - 0.044) / 0.017) ** 2) - ((y - 0.060) / 0.013) ** 2)
    out = blend(out, p.blush, 0.20 * cheek)
    out = blend(out, p.blush, 0.16 * np.exp(-((x / 0.0075) ** 2) - ((y - 0.058) / 0.006) ** 2))
    # a short, soft wedge under the nose's tip: all the nose that a front view needs
    wedge = smoothstep(1.0, 0.55, np.abs(x + 0.0004) / 0.0030) * np.exp(
        -(((y - 0.0520 - 0.18 * np.abs(x)) / 0.0010) ** 2)
    )
    out = blend(out, tone(p.skin_shade, saturation=1.35, value=0.80), 0.85 * wedge)
    lip = np.exp(-((x / 0.0065) ** 4) - ((y - 0.0270) / 0.0016) ** 2)
    out = blend(out, mix(p.blush, p.skin_shade, 0.4), 0.38 * lip)
    return pixels(out)


def skin_map(p: Palette, base: Rgb) -> Pixels:
    """The body's skin.

    u runs from plain skin to flushed (fingertips, knees, elbows); v steps at the middle into a painted shadow (the
    chin's, on the neck).
    """
    u, v = plane(64, 128)
    out = blend(fill(base, u.shape), p.blush, 0.42 * u)
    return pixels(blend(out, p.skin_shade, smoothstep(0.5, 0.515, v)))


def iris_map(p: Palette, size: int = 512) -> Pixels:
    """An iris: dark rim and lid shadow above, bright crescent below, pupil, fine rays; clear outside."""
    u, v = plane(size, size)
    x, y = (u * 2 - 1) * IRIS_MARGIN, (1 - v * 2) * IRIS_MARGIN
    r = np.hypot(x, y)
    angle = np.arctan2(x, y)
    deep, bright = (
        tone(p.eye, hue=0.02, saturation=1.12, value=0.42),
        tone(p.eye, hue=-0.03, saturation=0.86, value=1.22),
    )
    glow = mix(tone(p.eye, hue=-0.05, saturation=0.55, value=1.5), (1, 1, 1), 0.30)
    out = blend(fill(deep, u.shape), p.eye, smoothstep(0.75, 0.05, y))
    out = blend(out, bright, 0.85 * smoothstep(0.15, -0.75, y))
    rays = 0.5 + 0.5 * np.cos(angle * 22 + 1.3 * np.sin(angle * 5))
    out = blend(
        out, bright, 0.35 * rays * smoothstep(0.30, 0.55, r) * smoothstep(0.95, 0.7, r) * smoothstep(0.55, -0.2, y)
    )
    out = blend(out, glow, 0.85 * np.exp(-((x / 0.46) ** 2) - ((y + 0.62) / 0.20) ** 2))
    pupil = np.hypot(x / 0.36, (y - 0.02) / 0.43)
    out = blend(out, tone(p.eye, hue=0.03, value=0.20), smoothstep(1.10, 0.88, pupil))
    out = blend(
        out, mix(p.eye, bright, 0.5), 0.55 * np.exp(-(((pupil - 0.62) / 0.16) ** 2)) * smoothstep(-0.1, -0.5, y)
    )
    out = blend(out, tone(p.eye, hue=0.02, saturation=1.1, value=0.26), smoothstep(0.80, 0.94, r) * 0.95)
    out = blend(out, tone(p.eye, hue=0.04, value=0.18), 0.62 * smoothstep(0.30, 0.85, y))
    return pixels(out, smoothstep(1.0, 0.965, r))


def white_map() -> Pixels:
    """The white of the eye, in the upper lid's soft shadow."""
    _, v = plane(64, 64)
    out = blend(fill((1.0, 0.995, 0.99), v.shape), (0.74, 0.72, 0.86), 0.85 * smoothstep(0.42, 0.14, v))
    return pixels(out)


def paint_palette(p: Palette) -> Pixels:
    """Flat colors of lashes, brows and mouth, one column each (face_parts.PAINT)."""
    lash = mix(tone(p.hair_line, value=0.55), (0.10, 0.06, 0.09), 0.55)
    colors = {
        "lash": lash,
        "lash_low": mix(lash, p.skin_shade, 0.28),
        "fold": mix(tone(p.skin_shade, saturation=1.5, value=0.66), lash, 0.18),
        "brow": mix(p.hair_shade, p.hair_line, 0.85),
        "lip": mix(tone(p.skin_shade, saturation=1.6, value=0.50), lash, 0.35),
        "cavity": (0.52, 0.13, 0.17),
        "tongue": (0.93, 0.45, 0.45),
        "teeth": (1.0, 0.985, 0.97),
        "wall": mix(p.skin_shade, (0.80, 0.72, 0.80), 0.4),
    }
    out = np.zeros((8, 8 * PAINT_SLOTS, 3))
    for name, column in PAINT.items():
        out[:, column * 8 : column * 8 + 8] = colors[name]
    return pixels(out)


def cheek_map(p: Palette) -> Pixels:
    """Blush: a soft disc with three short strokes."""
    u, v = plane(128, 128)
    x, y = u * 2 - 1, 1 - v * 2
    soft = 0.75 * np.clip(1 - np.hypot(x, y), 0, 1) ** 0.9
    strokes = np.zeros_like(x)
    for k in (-0.36, 0.0, 0.36):
        along = (x - k) - 0.30 * y
        strokes = np.maximum(strokes, smoothstep(0.055, 0.02, np.abs(along)) * smoothstep(0.40, 0.30, np.abs(y)))
    out = blend(fill(p.blush, u.shape), tone(p.blush, saturation=1.25, value=0.94), strokes)
    return pixels(out, np.clip(soft + 0.55 * strokes, 0, 1))


@cache
def _strands(size: tuple[int, int]) -> Array:
    """Coverage of each pixel of a lock by fine strands (H, W), in 0..1; the same for every color."""
    u, v = plane(*size)
    generator = rng(0, "demo.hair", 0)
    strands = np.zeros_like(u)
    for _ in range(26):
        center, width, bend = generator.uniform(0, 1), generator.uniform(0.004, 0.012), generator.uniform(-0.05, 0.05)
        start, end = sorted(generator.uniform(0, 1.1, 2))
        d = np.abs((u - center - bend * np.sin(v * 3) + 0.5) % 1 - 0.5)
        strands = np.maximum(
            strands, smoothstep(width, 0, d) * smoothstep(start - 0.05, start + 0.1, v) * smoothstep(end, end - 0.15, v)
        )
    return strands


def hair_map(p: Palette, lit: bool, size: tuple[int, int] = (256, 512)) -> Pixels:
    """A lock from root (top) to tip: fine strands, a shine band, darker roots, lighter tips. lit or its shade."""
    u, v = plane(*size)
    base, low, high = (
        (p.hair, p.hair_shade, p.hair_light) if lit else (p.hair_shade, tone(p.hair_shade, value=0.86), p.hair)
    )
    out = blend(fill(base, u.shape), low, 0.40 * smoothstep(0.30, 0.0, v))
    out = blend(out, high, (0.42 if lit else 0.25) * smoothstep(0.55, 1.0, v))
    # one side of every lock lies a little deeper; neighbors turn it differently
    out = blend(out, low, 0.30 * smoothstep(0.2, 1.0, 0.5 + 0.5 * np.cos(2 * np.pi * u)))
    strands = _strands(size)
    out = blend(out, low, 0.42 * strands)
    return pixels(out)


def matcap_map(p: Palette, size: int = 128) -> Pixels:
    """Hair shine by view direction: a soft band above the middle, the rest black (matcaps add light)."""
    u, v = plane(size, size)
    x, y = u * 2 - 1, 1 - v * 2
    ring = np.exp(-(((y - 0.50 + 0.20 * x * x) / 0.06) ** 2)) * smoothstep(0.95, 0.35, np.abs(x))
    ring += 0.30 * np.exp(-(((y - 0.33 + 0.20 * x * x) / 0.03) ** 2)) * smoothstep(0.85, 0.3, np.abs(x))
    color = mix(p.hair_light, (1, 1, 1), 0.35)
    return pixels(fill(color, u.shape) * (0.62 * ring)[..., None])


def ramp(values: ArrayLike, width: int = 4) -> Pixels:
    """A vertical strip, top row first, of one gray a row: masks for width, rim and shift."""
    column = np.asarray(values, np.float64)
    return pixels(np.repeat(np.repeat(column[:, None], width, 1)[..., None], 3, -1))


def face_outline_map(size: int = 128) -> Pixels:
    """Outline width of the face: full at the cheeks and under the chin, none on eyes, nose bridge and mouth."""
    u, v = plane(size, size)
    x, y = (u - 0.5) * UV_WIDTH, UV_TOP - v * UV_HEIGHT - CHIN_Y
    center = smoothstep(0.060, 0.048, np.abs(x)) * smoothstep(0.006, 0.018, y)
    nose = np.exp(-((x / 0.006) ** 2) - ((y - 0.056) / 0.008) ** 2)
    width = np.clip(1 - center + 0.55 * nose, 0, 1)
    return pixels(np.repeat(width[..., None], 3, -1))


def pleat_map(base: Rgb, deep: Rgb, stripe: Rgb | None, size: tuple[int, int] = (64, 256)) -> Pixels:
    """One pleat, waist (top) to hem: a fold's shadow on one side, and a stripe above the hem if asked."""
    u, v = plane(*size)
    out = blend(
        fill(base, u.shape),
        mix(base, deep, 0.65),
        smoothstep(0.60, 0.78, u) * smoothstep(1.0, 0.90, u) * smoothstep(0.0, 0.35, v),
    )
    out = blend(out, mix(base, (1, 1, 1), 0.22), 0.35 * smoothstep(0.10, 0.22, u) * smoothstep(0.40, 0.25, u))
    out = blend(out, mix(base, deep, 0.55), 0.9 * smoothstep(0.052, 0.045, v))
    if stripe is not None:
        edge = smoothstep(0.843, 0.847, v) * smoothstep(0.889, 0.885, v)
        out = blend(out, stripe, edge * (1 - 0.25 * smoothstep(0.60, 0.78, u) * smoothstep(1.0, 0.90, u)))
    return pixels(out)


def striped_map(base: Rgb, stripe: Rgb, bands: tuple[tuple[float, float], ...], size: int = 128) -> Pixels:
    """Cloth with stripes that follow its edge: bands are (start, end) in v."""
    _, v = plane(16, size)
    out = fill(base, v.shape)
    for lo, hi in bands:
        out = blend(out, stripe, smoothstep(lo - 0.008, lo + 0.008, v) * smoothstep(hi + 0.008, hi - 0.008, v))
    return pixels(out)


def lace_map(color: Rgb, size: int = 128) -> Pixels:
    """One scallop of lace: solid at the top, a row of holes, a round edge; clear below it (for MASK)."""
    u, v = plane(size, size)
    x = np.abs(u - 0.5) * 2
    solid = v < 0.60 + 0.34 * np.sqrt(np.clip(1 - x**2, 0, 1))
    holes = np.hypot((u - 0.5) / 0.13, (v - 0.66) / 0.11) < 1
    for dx in (-0.30, 0.30):
        holes |= np.hypot((u - 0.5 - dx) / 0.075, (v - 0.55) / 0.065) < 1
    holes |= np.hypot(((u * 2) % 1 - 0.5) / 0.16, (v - 0.30) / 0.055) < 1
    alpha = (solid & ~holes).astype(np.float64)
    out = blend(fill(color, u.shape), mix(color, (0.72, 0.72, 0.88), 0.6), 0.6 * smoothstep(0.25, 0.0, v))
    return pixels(out, alpha)


def star_map(color: Rgb, size: int = 128) -> Pixels:
    """A printed star on nothing (for MASK)."""
    a = np.arange(10) * np.pi / 5
    r = np.where(np.arange(10) % 2 == 0, 0.47, 0.21) * size
    points = np.stack([size / 2 + r * np.sin(a), size * 0.53 - r * np.cos(a)], -1)
    shape = PIL.Image.new("L", (size, size), 0)
    PIL.ImageDraw.Draw(shape).polygon([(float(x), float(y)) for x, y in points], fill=255)
    return pixels(fill(color, (size, size)), np.asarray(shape) / 255)


def rib_map(base: Rgb, deep: Rgb) -> Pixels:
    """Ribbed knit: fine vertical lines, to be tiled along u."""
    u, _ = plane(32, 4)
    return pixels(
        blend(fill(base, u.shape), mix(base, deep, 0.7), smoothstep(0.55, 0.72, u) * smoothstep(1.0, 0.85, u))
    )


def bow_map(base: Rgb, deep: Rgb, size: int = 128) -> Pixels:
    """A bow's loop from knot (left) to edge, once round in v: creases that fan out; the knot at the far right."""
    u, v = plane(size, size)
    out = blend(fill(base, u.shape), deep, 0.55 * smoothstep(0.16, 0.02, u))
    for center, reach in ((0.17, 0.46), (0.25, 0.62), (0.34, 0.40)):
        crease = smoothstep(0.022, 0.008, np.abs(v - center - 0.10 * (center - 0.25) * u)) * smoothstep(
            reach, reach - 0.22, u
        )
        out = blend(out, deep, 0.9 * crease)
    out = blend(out, mix(base, (1, 1, 1), 0.25), 0.5 * np.exp(-(((v - 0.25) / 0.10) ** 2) - ((u - 0.58) / 0.10) ** 2))
    return pixels(blend(out, mix(base, deep, 0.25), smoothstep(0.83, 0.85, u)))


def folds_map(base: Rgb, deep: Rgb, size: int = 256) -> Pixels:
    """Cloth once round a body or sleeve: soft folds that rise from the hem (bottom) and fade out."""
    u, v = plane(size, size)
    generator = rng(0, "demo.folds", 0)
    folds = np.zeros_like(u)
    for k in range(16):
        center, reach, lean = (
            (k + generator.uniform(-0.3, 0.3)) / 16,
            generator.uniform(0.10, 0.30),
            generator.uniform(-0.10, 0.10),
        )
        d = np.abs((u - center - lean * (1 - v) + 0.5) % 1 - 0.5)
        width = 0.012 * smoothstep(1 - reach, 1.0, v) + 1e-4
        folds = np.maximum(folds, smoothstep(1.0, 0.35, d / width) * smoothstep(1 - reach, 1 - reach * 0.5, v))
    return pixels(blend(fill(base, u.shape), mix(base, deep, 0.75), 0.85 * folds))
