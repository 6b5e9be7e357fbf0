"""Hair styles: scalp, fringe, sidelocks and back, as lists of locks and spring chains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vrm_synth.builtin_avatar.shapes.head import SKULL, hair_normals, head
from vrm_synth.builtin_avatar.shapes.locks import Lock, SpringChain, shell_chain, shell_locks, tail
from vrm_synth.builtin_avatar.shapes.loft import grid_triangles, keyed, smooth_normals, smoothstep, unit
from vrm_synth.builtin_avatar.shapes.part import MeshPart
from vrm_synth.core.rng import rng
from vrm_synth.core.transforms import Array


@dataclass(frozen=True, eq=False)
class Hair:
    """The hair of one character.

    Attributes:
        parts: surfaces to draw.
        chains: spring chains that swing them.
        anchors: positions of ties and ribbons, meters.
    """

    parts: list[MeshPart]
    chains: list[SpringChain]
    anchors: tuple[tuple[float, float, float], ...] = ()


def build_hair(style: str) -> Hair:
    """Build the hair of a style in params.HAIR_STYLES."""
    return _STYLES[style]()


# azimuth (degrees) → v of the hairline on the head, see head.head
_HAIRLINE = keyed(
    [(0, 0.745), (25, 0.75), (50, 0.70), (68, 0.60), (80, 0.50), (92, 0.45), (110, 0.30), (135, 0.12), (180, 0.05)]
)


def cap(volume: float = 0.009) -> MeshPart:
    """The scalp under the locks, from the hairline to the crown."""
    columns, rows = 49, 12
    az = np.linspace(-180, 180, columns)
    low = _HAIRLINE(np.abs(az))[:, 0]
    t = np.linspace(0, 1, rows)[:, None]
    v = low + (1 - low) * t
    p = head(np.radians(az) + 0 * t, v)
    away = unit(p - SKULL)
    lift = 0.0015 + (volume - 0.0015) * smoothstep(0, 0.3, t) + 0.007 * smoothstep(0.80, 0.97, v)
    p = p + away * lift[..., None]
    flat = p.reshape(-1, 3)
    triangles = grid_triangles(rows, columns)
    u = np.broadcast_to(np.linspace(0, 8, columns), v.shape)
    uv = np.stack([u, 0.55 - 0.5 * np.broadcast_to(t, v.shape)], -1).reshape(-1, 2)
    n = hair_normals(flat, smooth_normals(flat, triangles), 0.6)
    return MeshPart("Hair", flat, triangles, uv, {"head": np.ones(len(flat))}, n)


_FRINGE_CHAINS = (("hairFrontR", -34.0), ("hairFrontM", 0.0), ("hairFrontL", 34.0))


def _fringe_chains() -> list[SpringChain]:
    return [shell_chain(n, az, (0.80, 1.04), 1.30) for n, az in _FRINGE_CHAINS]


def _front(az: float) -> str:
    return min(_FRINGE_CHAINS, key=lambda c: abs(c[1] - az))[0]


def fringe(tips: Sequence[tuple[float, float, float, float]], lift: float = 0.0) -> list[Lock]:
    """Bangs from (root azimuth, tip azimuth, tip h, width in mm) rows: an under layer and the drawn one."""
    out = []
    for k, (a0, a1, h1, w) in enumerate(tips):
        layer = 0.0020 * (k % 2)
        out.append(
            Lock(
                (a0, a1),
                (0.07 + 0.05 * (k % 3), h1),
                (0.006 + layer, 0.0105 + layer + lift),
                w / 1000,
                0.0085,
                bulge=0.0045,
                tuck=0.0045,
                chain=_front(a1),
            )
        )
    return out


_STANDARD_FRINGE = (
    (-66, -62, 1.42, 34), (-50, -53, 1.24, 38), (-30, -38, 1.16, 42), (-40, -46, 1.30, 17), (-10, -20, 1.12, 42),
    (-20, -30, 1.25, 16), (8, 0, 1.20, 30), (1, -9, 1.27, 14), (20, 15, 1.11, 42), (14, 7, 1.27, 15),
    (38, 34, 1.20, 42), (30, 25, 1.24, 15), (54, 52, 1.25, 38), (47, 43, 1.32, 17), (67, 65, 1.42, 34),
)  # fmt: skip


def sidelocks(tip: float, width: float = 0.036, tuck: float = 0.004) -> tuple[list[Lock], list[SpringChain]]:
    """Two layered locks before each ear, down to h = tip."""
    locks, chains = [], []
    for side, m in (("L", 1), ("R", -1)):
        name = f"hairSide{side}"
        mid = 1.15 + (tip - 1.15) * 0.5
        chains.append(shell_chain(name, m * 76, (1.02, mid), tip, 0.012))
        locks += [
            Lock((m * root, m * end), (0.30, low), (off, 0.010), width * wide, 0.012, m * 3, 0.006, tuck, chain=name)
            for root, end, low, off, wide in (
                (70, 74, tip, 0.009, 1.0),
                (80, 86, tip * 0.93, 0.007, 1.0),
                (64, 66, 1.0 + (tip - 1) * 0.70, 0.010, 0.66),
            )
        ]
    return locks, chains


def back(
    tip: float,
    rows: Sequence[tuple[int, float, float, float]],
    *,
    half: float = 92,
    pull: float = 0.0,
    off: float = 0.014,
    tuck: float = 0.0,
    wave: float = 0.0,
    chain_count: int = 5,
    joints: int = 2,
    ragged: float = 0.12,
) -> tuple[list[Lock], list[SpringChain]]:
    """The back in layers: rows (count, root h, share of the length, stand-off), spread over ±half degrees.

    pull draws the tips toward the middle of the back (a share of the azimuth).
    """
    centers = np.linspace(-half, half, chain_count) * 0.9
    starts = tuple(1.02 + (tip - 1.02) * k / joints for k in range(joints))
    chains = [shell_chain(f"hairBack{k}", 180 + c * (1 - pull * 0.6), starts, tip, off) for k, c in enumerate(centers)]
    generator = rng(0, "demo.hair.back", int(tip * 100))
    locks = []
    for count, root, share, stand in rows:
        spread = np.linspace(-half, half, count)
        for k, a in enumerate(spread):
            jitter = generator.uniform(-1, 1, 4)
            length = 1 + (tip - 1) * share * (1 - ragged * (0.5 + 0.5 * jitter[0]) - 0.10 * (abs(a) / half) ** 2)
            target = a * (1 - pull) + 2.5 * jitter[1]
            name = f"hairBack{int(np.argmin(np.abs(centers - a)))}"
            locks.append(
                Lock(
                    (180 + a * 0.96, 180 + target),
                    (root + 0.03 * jitter[2], length),
                    (stand * 0.7, off + stand * 0.4 + 0.002 * (k % 2)),
                    2.9 * np.radians(half) * 0.095 / count + 0.010,
                    0.014,
                    swing=2.0 * jitter[3],
                    bulge=0.004,
                    tuck=tuck,
                    wave=wave * (1 if k % 2 else -1),
                    chain=name,
                )
            )
    return locks, chains


def cowlick() -> list[Lock]:
    """A stray hair that stands up from the whorl."""
    return [
        Lock((24, 60), (0.04, 0.30), (0.004, 0.026), 0.010, 0.0045, bulge=0.022),
    ]


def crown(count: int = 13, tip: float = 1.12, off: float = 0.013) -> list[Lock]:
    """Short locks that radiate from the whorl and layer the top and sides."""
    out = []
    for k, a in enumerate(np.linspace(72, 288, count)):
        out.append(
            Lock(
                (a, a),
                (0.06, tip + 0.10 * (k % 2)),
                (0.007, off + 0.003 * (k % 2)),
                0.050,
                0.012,
                bulge=0.004,
                tuck=0.006,
            )
        )
    return out


def _finish(
    locks: Sequence[Lock],
    chains: Sequence[SpringChain],
    extra: Sequence[MeshPart] = (),
    anchors: tuple[tuple[float, float, float], ...] = (),
) -> Hair:
    return Hair([cap(), shell_locks("Hair", [*locks, *cowlick()], chains), *extra], list(chains), anchors)


def _bob() -> Hair:
    side, side_chains = sidelocks(1.80, 0.040, 0.010)
    rear, rear_chains = back(
        1.92, [(9, 0.08, 1.0, 0.010), (10, 0.30, 0.96, 0.016), (8, 0.60, 0.92, 0.006)], half=98, tuck=0.020, off=0.024
    )
    locks = [*fringe(_STANDARD_FRINGE), *side, *rear, *crown(11, 1.05)]
    return _finish(locks, [*_fringe_chains(), *side_chains, *rear_chains])


def _long() -> Hair:
    side, side_chains = sidelocks(2.75, 0.038, 0.004)
    rear, rear_chains = back(
        4.05,
        [(9, 0.07, 1.0, 0.008), (10, 0.28, 0.96, 0.014), (8, 0.55, 0.90, 0.006)],
        half=88,
        pull=0.36,
        off=0.030,
        wave=2.4,
        chain_count=6,
        joints=4,
    )
    locks = [*fringe(_STANDARD_FRINGE), *side, *rear, *crown(11, 1.10)]
    return _finish(locks, [*_fringe_chains(), *side_chains, *rear_chains])


def _short() -> Hair:
    """Short hair: sidelocks, three layers at the back, spikes around the head, a shorter fringe, a cowlick."""
    side, side_chains = sidelocks(1.50, 0.034, -0.003)
    rear, rear_chains = back(
        1.62,
        [(9, 0.07, 0.86, 0.012), (11, 0.36, 1.0, 0.014), (9, 0.62, 1.0, 0.004)],
        half=96,
        off=0.012,
        tuck=-0.004,
        ragged=0.35,
    )
    spikes = [
        Lock((a, a + d), (0.10, 1.0 + 0.16 * (k % 3)), (0.010, 0.024), 0.042, 0.013, swing=d, bulge=0.010, tuck=-0.006)
        for k, (a, d) in enumerate(zip(np.linspace(66, 294, 12), [6, -5, 8, -7, 5, -6] * 2, strict=True))
    ]
    tips = [(a0, a1 + 5, h - 0.04, w - 2) for a0, a1, h, w in _STANDARD_FRINGE]
    return _finish([*fringe(tips, 0.002), *side, *rear, *spikes], [*_fringe_chains(), *side_chains, *rear_chains])


def _tied(anchors: Sequence[tuple[float, float]], rows: Sequence[tuple[int, float, float]]) -> list[Lock]:
    """Locks combed over the skull toward anchors (azimuth, h): rows (count, root azimuth span, root h)."""
    out = []
    for az, h in anchors:
        for count, span, root in rows:
            for k, d in enumerate(np.linspace(-span, span, count)):
                out.append(
                    Lock(
                        (az + d, az + d * 0.10), (root, h), (0.007 + 0.002 * (k % 2), 0.013), 0.036, 0.010, bulge=0.004
                    )
                )
    return out


def _nape(a: float) -> float:
    """h of the hairline, `a` degrees off the middle of the back: where locks that are combed up begin."""
    return float(1.58 - 0.34 * smoothstep(30, 90, abs(a)))


def _hang(anchor: Array, out: Array, length: float, n: int, name: str, lift: float = 0.03) -> SpringChain:
    t = np.linspace(0, 1, n + 1)
    spread = 1 - np.exp(-t * 4.5)
    p = (
        anchor
        + np.outer(spread, out)
        - np.outer(t**1.15 * length, [0, 1, 0])
        + np.outer(lift * np.sin(np.pi * np.clip(t * 2.4, 0, 1)), [0, 1, 0])
    )
    return SpringChain(name, tuple(float(x) for x in t[:-1]), p)


_TAIL_RADIUS = ((0, 0.010), (0.06, 0.017), (0.25, 0.034), (0.5, 0.034), (0.8, 0.020), (1.0, 0.004))


def _twintails() -> Hair:
    anchors = [np.array([m * 0.083, SKULL[1] + 0.038, -0.034]) for m in (1, -1)]
    chains, tails = [], []
    for a, m, letter in zip(anchors, (1, -1), ("L", "R"), strict=True):
        c = _hang(a, np.array([m * 0.100, 0, -0.012]), 0.52, 5, f"hairTail{letter}")
        chains.append(c)
        tails.append(tail("Hair", c, _TAIL_RADIUS, 8, 0.050, seed_turn=0.3 if m > 0 else np.pi - 0.3))
    side, side_chains = sidelocks(2.05, 0.030, 0.004)
    combed = _tied([(112, 0.80), (-112, 0.80)], [(8, 62, 0.10)])
    nape = [
        Lock((180 + a, 180 + np.sign(a) * 58 + a * 0.1), (_nape(a), 0.84), (-0.036, 0.012), 0.050, 0.010, bulge=0.019)
        for a in np.linspace(-70, 70, 10)
    ]
    locks = [*fringe(_STANDARD_FRINGE), *side, *combed, *nape]
    spots = tuple((float(a[0]), float(a[1]), float(a[2])) for a in anchors)
    return _finish(locks, [*_fringe_chains(), *side_chains, *chains], tails, spots)


def _ponytail() -> Hair:
    anchor = np.array([0.0, SKULL[1] + 0.052, -0.108])
    c = _hang(anchor, np.array([0.0, 0, -0.075]), 0.50, 5, "hairTail", 0.045)
    side, side_chains = sidelocks(2.0, 0.032, 0.006)
    combed = _tied([(180, 0.66)], [(9, 105, 0.14), (7, 70, 0.30)])
    nape = [
        Lock((180 + a, 180 + a * 0.4), (_nape(a), 0.72), (-0.036, 0.012), 0.048, 0.010, bulge=0.019)
        for a in np.linspace(-88, 88, 13)
    ]
    locks = [*fringe(_STANDARD_FRINGE), *side, *combed, *nape]
    spot = (float(anchor[0]), float(anchor[1]), float(anchor[2]))
    radius = [(t, r * 1.15) for t, r in _TAIL_RADIUS]
    return _finish(locks, [*_fringe_chains(), *side_chains, c], [tail("Hair", c, radius, 10, 0.050)], (spot,))


_STYLES: dict[str, Callable[[], Hair]] = {
    "bob": _bob,
    "long": _long,
    "twintails": _twintails,
    "ponytail": _ponytail,
    "short": _short,
}
