"""Pictures per second against a plain pyrender loop: the same shots, the same files at the end, in one run.

    python benchmarks/against_pyrender.py [--shots 30] [--rounds 3] [--python PYTHON] [--avatars NAME …]

What pyrender does here is what a user without a toon renderer would write: vertices skinned and morphed on the CPU
(by our own code: no slower than what they would have), a pyrender.Scene of textured meshes, and for an outline every
outlined mesh once more, inside out, grown along its normals, in the outline's colour. Both loops run in one process
each, one after the other, round by round in alternating order, with one llvmpipe thread; both pose, draw, read back,
encode with the same encoder and write. pyrender multisamples 4×, hard-wired; we draw as `shots` do, without.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import numpy as np
from machine import quartiles
from numpy.typing import NDArray
from random_shots import avatar_files, plain_shot

from vrm_synth.dataset.render_shot import pose_for, render_shot
from vrm_synth.io.png_encoder import encode_png
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.shot import Shot
from vrm_synth.vrm import load
from vrm_synth.vrm.avatar import Avatar

WARM_UP = 3
Draw = Callable[[Shot], NDArray[np.uint8]]


def our_loop(avatar: Avatar) -> Draw:
    """Shot → (H, W, 4) uint8 by our renderer."""
    from vrm_synth.render import open_backend

    renderer = open_backend("gl")
    return lambda shot: render_shot(renderer, avatar, shot)[1].rgba


def pyrender_loop(avatar: Avatar) -> Draw:
    """Shot → (H, W, 4) uint8 by pyrender alone: its own renderer, shaders and materials."""
    # Ours sets up pyrender's platform; everything drawn below is pyrender's own.
    from vrm_synth.render.pyrender_import import pyrender

    off: list[Any] = []
    materials = [_material(pyrender, avatar, i) for i in range(len(avatar.materials))]

    def draw(shot: Shot) -> NDArray[np.uint8]:
        posed, view = pose_for(avatar, shot), shot.view()
        if not off:
            off.append(pyrender.OffscreenRenderer(*view.size))
        scene = pyrender.Scene(bg_color=[0, 0, 0, 0], ambient_light=_light(view.ambient))
        for mesh in _meshes(pyrender, posed, materials):
            scene.add(mesh)
        camera = view.camera
        lens = pyrender.PerspectiveCamera(np.radians(camera.fov_y), znear=camera.near, zfar=camera.far)
        if camera.ortho_height is not None:
            half = camera.ortho_height / 2
            lens = pyrender.OrthographicCamera(half, half, znear=camera.near, zfar=camera.far)
        scene.add(lens, pose=camera.world_from_view())
        if view.light is not None:
            sun = pyrender.DirectionalLight(color=np.array(view.light.color), intensity=3 * view.light.intensity)
            scene.add(sun, pose=_toward(np.array(view.light.direction)))
        pixels, _ = off[0].render(scene, flags=pyrender.RenderFlags.RGBA)
        return np.asarray(pixels)

    return draw


def _material(pyrender: Any, avatar: Avatar, index: int) -> tuple[Any, Any]:
    """(surface, outline or None) of one of the avatar's materials."""
    m = avatar.materials[index]
    texture = None
    if m.base_color_texture is not None:
        image = avatar.images[avatar.textures[m.base_color_texture.texture].image]
        assert image is not None
        texture = pyrender.Texture(source=image.pixels, source_channels="RGBA")
    surface = pyrender.MetallicRoughnessMaterial(
        alphaMode=m.alpha_mode, alphaCutoff=m.alpha_cutoff, doubleSided=m.double_sided, metallicFactor=0.0,
        roughnessFactor=1.0, baseColorFactor=np.array(m.base_color_factor, np.float32), baseColorTexture=texture,
    )  # fmt: skip
    if m.mtoon is None or m.mtoon.outline_width_mode == "none" or not m.mtoon.outline_width_factor:
        return surface, None
    color = np.array([*m.mtoon.outline_color_factor, 1.0], np.float32)
    return surface, pyrender.MetallicRoughnessMaterial(
        baseColorFactor=color, emissiveFactor=color[:3], metallicFactor=0.0, doubleSided=False
    )


def _meshes(pyrender: Any, posed: PosedAvatar, materials: list[tuple[Any, Any]]) -> list[Any]:
    out = []
    for _, primitive, positions, normals in posed_primitives(posed):
        if not len(primitive.indices):
            continue
        surface, outline = materials[primitive.material]
        info = posed.materials[primitive.material].base_color_texture
        uv = primitive.tex_coords[info.tex_coord] if info is not None and primitive.tex_coords else None
        flipped = None if uv is None else np.stack([uv[:, 0], 1.0 - uv[:, 1]], 1)
        out.append(_mesh(pyrender, positions, normals, primitive.indices, surface, flipped))
        mtoon = posed.materials[primitive.material].mtoon
        if outline is not None and mtoon is not None and normals is not None:
            width = mtoon.outline_width_factor
            width *= 1.0 if mtoon.outline_width_mode == "worldCoordinates" else 0.5
            grown = positions + width * normals
            out.append(_mesh(pyrender, grown, normals, primitive.indices[:, ::-1], outline, None))
    return out


def _mesh(pyrender: Any, positions: Any, normals: Any, indices: Any, material: Any, uv: Any) -> Any:
    part = pyrender.Primitive(
        positions=positions.astype(np.float32),
        normals=None if normals is None else normals.astype(np.float32),
        texcoord_0=None if uv is None else uv.astype(np.float32),
        indices=indices,
        material=material,
        mode=4,
    )
    return pyrender.Mesh([part])


def _light(ambient: Any) -> NDArray[np.float64]:
    return np.zeros(3) if ambient is None else np.array(ambient.color) * ambient.intensity


def _toward(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """A camera pose whose −z axis points along `direction`."""
    back = -direction / np.linalg.norm(direction)
    side = np.cross([0.0, 1.0, 0.0] if abs(back[1]) < 0.99 else [1.0, 0.0, 0.0], back)
    side /= np.linalg.norm(side)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2] = side, np.cross(back, side), back
    return pose


def one_side(name: str, file: Path, out: Path, rounds: int) -> None:
    """Main loop of a child process: warm up, then run a round per input line and print pictures per second."""
    entries = json.loads(file.read_text())
    avatar = load(entries[0]["avatar"])
    shots = [Shot.from_json(e) for e in entries]
    draw = (our_loop if name == "ours" else pyrender_loop)(avatar)
    for shot in shots[:WARM_UP]:
        draw(shot)
    print("ready", flush=True)
    for _ in range(rounds):
        sys.stdin.readline()
        start = time.perf_counter()
        for shot in shots:
            (out / f"{name}_{shot.id}.png").write_bytes(encode_png(draw(shot)))
        print(len(shots) / (time.perf_counter() - start), flush=True)


def measure(label: str, path: Path, count: int, rounds: int, keep: Path | None, python: str) -> dict[str, Any]:
    """Measure one row: both loops on the same shots, in alternating rounds."""
    avatar = load(path)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        listed, out = work / "shots.json", keep or work
        listed.write_text(json.dumps([plain_shot(avatar, path, label, i) for i in range(count)]))
        crew = {}
        for side in ("ours", "pyrender"):
            command = [
                sys.executable if side == "ours" else python,
                __file__,
                "--side",
                side,
                str(listed),
                str(out),
                str(rounds),
            ]
            crew[side] = subprocess.Popen(
                command, env=machine.environment({"LP_NUM_THREADS": "0"}), text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            _read_line(crew[side])
        rates: dict[str, list[float]] = {side: [] for side in crew}
        for n in range(rounds):
            for side in list(crew) if n % 2 == 0 else reversed(list(crew)):
                stdin = crew[side].stdin
                assert stdin is not None
                stdin.write("go\n")
                stdin.flush()
                rates[side].append(float(_read_line(crew[side])))
        for process in crew.values():
            process.communicate()
    low, mid, high = quartiles([a / b for a, b in zip(rates["ours"], rates["pyrender"], strict=True)])
    return {
        "avatar": label,
        "triangles": avatar.triangle_count,
        "shots": count,
        "rounds": rounds,
        "ours": round(statistics.median(rates["ours"]), 2),
        "pyrender": round(statistics.median(rates["pyrender"]), 2),
        "ratio": round(mid, 2),
        "ratio_q1": round(low, 2),
        "ratio_q3": round(high, 2),
    }


def _read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    if not line:
        raise SystemExit("a drawing process died")
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--avatars", nargs="+", default=["m_expressive", "crimsom", "zombie", "robot", "demo"])
    parser.add_argument("--shots", type=int, default=30, help="shots an avatar")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has pyrender")
    parser.add_argument("--keep", type=Path, help="leave the pictures here, to look at")
    parser.add_argument("--dry", action="store_true", help="add nothing to the results")
    o = parser.parse_args()
    rows, facts = [], machine.facts()
    sources = [machine.avatar(a) for a in o.avatars]
    if o.keep:
        o.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        for label, path in avatar_files(sources, Path(name), versions=("1",)):
            rows.append(measure(label, path, o.shots, o.rounds, o.keep, o.python))
            r = rows[-1]
            print(
                f"{r['avatar']:15}{r['triangles']:8d} triangles: ours {r['ours']:6.1f}/s,"
                f" pyrender {r['pyrender']:6.1f}/s, ratio {r['ratio']:.2f} ({r['ratio_q1']:.2f}–{r['ratio_q3']:.2f})",
                flush=True,
            )
    print(f"geometric mean {statistics.geometric_mean(r['ratio'] for r in rows):.2f}; load before {facts['load']},"
          f" {os.cpu_count()} cores, {facts['cpu']}, commit {facts['commit']}")  # fmt: skip
    if not o.dry:
        machine.append("against_pyrender", [facts | r for r in rows])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        one_side(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5]))
    else:
        main()
