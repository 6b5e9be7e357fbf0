"""Cost of a picture's ground truth beside its colours, and its agreement with a ray cast.

    python benchmarks/ground_truth.py [--pictures 25] [--size 512] [--avatar SOURCE ...]

One process and one renderer draw the same picture each way in turn, 2 × 2 supersampled; CPU-milliseconds of drawing
and reading back, without encoding, medians. The ray cast (tests/render/ray_cast.py: trimesh, Embree) has no mipmaps,
and neither has the picture that is compared with it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_erosion

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.corpus import avatar_files
from tests.render.ray_cast import ray_cast
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.core.errors import VrmSynthError
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import Buffers, View
from vrm_synth.render.geometry_buffer import NOTHING, GeometryField, VertexLabels
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.shot.compose import compose_shot
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.drawn_triangles import drawn_triangles

EVERYTHING: frozenset[GeometryField] = frozenset(
    {"uv", "geometric_normal", "normal", "shading", "rest_position", "albedo"}
)
PARTS_AND_NORMALS: frozenset[GeometryField] = frozenset({"uv", "normal"})
COINCIDENT = 1e-5  # metres between surfaces of which either may count as the nearer one


def ways(avatar: Avatar, view: View) -> dict[str, View]:
    """The views that are drawn, by their name in the table."""
    labels = VertexLabels(np.ones(drawn_triangles(avatar).first_vertex[-1], np.uint8))
    buffers = {
        "colour": Buffers(),
        "and depth, for captions": Buffers(True),
        "and labels": Buffers(True, labels),
        "depth, normals, parts, mask": Buffers(True, geometry=PARTS_AND_NORMALS),
        "all passes but peels": Buffers(True, geometry=EVERYTHING),
        "and 4 peels": Buffers(True, geometry=EVERYTHING, depth_layers=4),
    }
    return {name: replace(view, buffers=b) for name, b in buffers.items()}


def cpu_ms(renderer: GLBackend, posed: PosedAvatar, views: dict[str, View], pictures: int) -> dict[str, float]:
    """Median CPU-milliseconds of each way, the ways in turn."""
    took: dict[str, list[float]] = {name: [] for name in views}
    for _ in range(pictures + 2):
        for name, view in views.items():
            start = time.process_time()
            renderer.render(posed, view)
            took[name].append((time.process_time() - start) * 1e3)
    return {name: statistics.median(values[2:]) for name, values in took.items()}


def against_ray_cast(renderer: GLBackend, posed: PosedAvatar, view: View) -> dict[str, float]:
    """Shares of the interior pixels that agree."""
    view = replace(view, mipmaps=False, buffers=Buffers(geometry=frozenset({"geometric_normal"})))
    geometry = renderer.render(posed, view).geometry
    assert geometry is not None and geometry.geometric_normal is not None
    hits = ray_cast(posed, view.camera, view.size)
    interior = binary_erosion(geometry.mask & ~geometry.outline, np.ones((3, 3)))
    hit = hits.triangle >= 0
    gap = np.abs(np.where(geometry.mask, geometry.depth, 0) - np.where(hit, hits.depth, -1))
    primitive = np.append(drawn_triangles(posed.avatar).primitive_of, NOTHING)
    same = (primitive[geometry.triangle] == primitive[hits.triangle]) | (gap < COINCIDENT)
    at = interior & same & hit
    cosine = (geometry.geometric_normal * hits.normal).sum(-1)[at & (geometry.triangle == hits.triangle)]
    return {
        "pixels": int(interior.sum()),
        "ids": float(same[interior].mean()),
        "depth ± 1 mm": float((gap[at] < 1e-3).mean()),
        "normals ± 1°": float((cosine > np.cos(np.radians(1))).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=25)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--avatar", action="append", help="a .vrm file or demo; default: demo and the shared avatars")
    options = parser.parse_args()
    sources = options.avatar or ["demo", *map(str, avatar_files())]
    renderer = GLBackend()
    print(renderer.device)
    rows, costs = [], []
    for source in sources:
        try:
            avatar = open_avatar(source)
            shot, posed = compose_shot(avatar, source, pose="wave", view="full_front_level", size=options.size)
        except VrmSynthError as e:
            print(f"{Path(source).name}: left out, {e}")
            continue
        assert posed is not None
        rows.append((Path(source).name, against_ray_cast(renderer, posed, shot.view())))
        if source == "demo" or Path(source).stem in ("m_expressive", "crimsom"):
            costs.append((Path(source).name, cpu_ms(renderer, posed, ways(avatar, shot.view()), options.pictures)))
    print("\nCPU-ms a picture, drawing and reading back, and the ratio to colour alone\n")
    names = list(costs[0][1]) if costs else []
    print("| avatar |", " | ".join(names), "|\n|---|" + "---|" * len(names))
    for name, ms in costs:
        print(f"| {name} |", " | ".join(f"{ms[n]:.1f} ({ms[n] / ms['colour']:.2f})" for n in names), "|")
    print("\nInterior pixels that agree with a ray cast\n")
    print("| avatar | pixels | ids | depth ± 1 mm | normals ± 1° |\n|---|---|---|---|---|")
    for name, row in rows:
        shares = " | ".join(f"{row[k]:.4f}" for k in ("ids", "depth ± 1 mm", "normals ± 1°"))
        print(f"| {name} | {row['pixels']:.0f} | {shares} |")


if __name__ == "__main__":
    main()
