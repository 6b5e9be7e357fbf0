"""Share of rasterization in the time of a picture.

    python benchmarks/raster.py [--shots 40] [--rounds 5] [--avatars NAME …] [--dry]

`ratio`: our draw() (palette, morphs, materials, draw order, textures, draws) against a bare moderngl loop. The bare
loop issues what draw() issued for the same picture, recorded at moderngl's own methods: same buffers, same vertex
arrays, same shaders; calls that set what is set already are left out. Its picture must be the same. Both to
the end of glFinish, alternating, by the clock; the aim is 1.25.

The rest is CPU-milliseconds a picture (of the whole process), medians: pose, what draw() costs beyond the bare loop,
read back, encode, answer (the JSON), write. `else` is their sum; the aim is 4. As in a list of shots, springs settle
anew for each picture and its files are new ones (to replace a file takes ext4 as long again as to write it).

One llvmpipe thread, the calling one. The bare loop is recorded, not written by hand, so that it follows the renderer.
First measured (llvmpipe, 2 cores at load 1.3, 4 shots each, commit 49db55b): ratio 1.13, 1.26 and 1.06 and `else`
8.0, 6.3 and 13.0 ms for m_expressive, robot and the built-in avatar; half of it is posing, where springs settle.

Rejected for drawing (CPU-ms a picture, least of several, interleaved): llvmpipe's approximations by
GALLIVM_PERF on crimsom and robot, brilinear 2.31 and 3.21, rho_approx 2.67 and 3.13, neither 2.40 and 3.00; no
`discard` on m_expressive 7.30, with it 7.46; skinning by one joint in place of four 3.3 of the built-in avatar's 4.5
for vertices, which would be another picture.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import machine
import moderngl
import numpy as np
from random_shots import avatar_files, plain_shot

from vrm_synth.dataset.render_shot import answer, pose_for
from vrm_synth.io.atomic_files import to_json, write_file
from vrm_synth.io.png_encoder import encode_png
from vrm_synth.pose import springs
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import Frame, View
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.shot import Shot
from vrm_synth.vrm import load
from vrm_synth.vrm.avatar import Avatar

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
STAGES = ("pose", "draw beyond bare", "read back", "encode", "answer", "write")
WARM_UP = 3

# What reaches the driver while a picture is drawn, and what each call sets: (class, method) → the key of the state,
# None where the call is never redundant.
_METHODS: dict[tuple[type, str], Callable[..., Any] | None] = {
    (moderngl.VertexArray, "render"): None,
    (moderngl.VertexArray, "render_indirect"): None,
    (moderngl.Framebuffer, "clear"): None,
    (moderngl.Framebuffer, "use"): lambda o: "framebuffer",
    (moderngl.Buffer, "bind_to_uniform_block"): lambda o, binding=0, *a, **k: ("block", binding),
    (moderngl.Buffer, "bind_to_storage_buffer"): lambda o, binding=0, *a, **k: ("storage", binding),
    (moderngl.Texture, "use"): lambda o, location=0: ("texture", location),
    (moderngl.TextureArray, "use"): lambda o, location=0: ("texture", location),
    (moderngl.Sampler, "use"): lambda o, location=0: ("sampler", location),
    (moderngl.Sampler, "clear"): lambda o, location=0: ("sampler", location),
    (moderngl.Program, "__setitem__"): lambda o, name, value: ("uniform", id(o), name),
}
_PROPERTIES = (
    (moderngl.Context, ("front_face", "cull_face", "blend_func", "blend_equation", "depth_func", "wireframe")),
    (moderngl.Framebuffer, ("depth_mask", "color_mask", "viewport", "scissor")),
)


@contextmanager
def recording() -> Iterator[list[Call]]:
    """Record the calls that reach the driver, without redundant ones."""
    calls: list[Call] = []
    state: dict[Any, Any] = {}
    undo: list[tuple[type, str, Any]] = []

    def replace_attribute(owner: type, name: str, new: Any) -> None:
        undo.append((owner, name, owner.__dict__[name]))
        setattr(owner, name, new)

    def issue(key: Any, value: Any, call: Call) -> None:
        if key is None or key not in state or state[key] != value:
            calls.append(call)
        if key is not None:
            state[key] = value

    def method(owner: type, name: str, key_of: Callable[..., Any] | None) -> None:
        original = owner.__dict__[name]

        def wrapped(self: Any, *args: Any, **kwargs: Any) -> Any:
            key = key_of(self, *args, **kwargs) if key_of else None
            issue(key, (id(self), name, args, kwargs), (original, (self, *args), kwargs))
            return original(self, *args, **kwargs)

        replace_attribute(owner, name, wrapped)

    def switch(name: str) -> None:
        original = moderngl.Context.__dict__[name]

        def wrapped(self: Any, flags: int) -> None:
            bits = [bit for bit in (1, 2, 4, 8, 16) if flags & bit]
            if any(state.get(("flag", bit)) != name for bit in bits):
                calls.append((original, (self, flags), {}))
            state.update({("flag", bit): name for bit in bits})
            original(self, flags)

        replace_attribute(moderngl.Context, name, wrapped)

    def setter(owner: type, name: str) -> None:
        original = owner.__dict__[name]

        def assign(self: Any, value: Any) -> None:
            issue((owner, name), (id(self), value), (original.fset, (self, value), {}))
            original.fset(self, value)

        replace_attribute(owner, name, property(original.fget, assign))

    for (owner, name), key_of in _METHODS.items():
        method(owner, name, key_of)
    for name in ("enable", "disable"):
        switch(name)
    for owner, names in _PROPERTIES:
        for name in names:
            setter(owner, name)
    try:
        yield calls
    finally:
        for owner, name, original in undo:
            setattr(owner, name, original)


class StageTimes:
    """Milliseconds by name."""

    def __init__(self) -> None:
        self.wall: dict[str, list[float]] = defaultdict(list)
        self.cpu: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def lap(self, name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.cpu[name].append((time.process_time() - cpu) * 1e3)
        self.wall[name].append((time.perf_counter() - wall) * 1e3)


def one_picture(renderer: GLBackend, avatar: Avatar, shot: Shot, rounds: int, out: Path) -> tuple[StageTimes, int]:
    """Every stage of one picture `rounds` times, and how many calls its bare loop has."""
    times, view = StageTimes(), replace(shot.view(), compat="none")
    posed = pose_for(avatar, shot)
    renderer.draw(posed, view)
    with recording() as calls:
        renderer.draw(posed, view)
    check_same_picture(renderer, posed, view, calls)
    for n in range(rounds):
        springs._LAST_SETTLED.clear()  # what they have just done for the same shot
        with times.lap("pose"):
            posed = pose_for(avatar, shot)
        with times.lap("draw"):
            order = renderer.draw(posed, view)
            renderer.finish()
        with times.lap("bare"):
            replay(calls)
            renderer.finish()
        with times.lap("read back"):
            rgba = renderer.read_back(view)
        with times.lap("encode"):
            data = encode_png(rgba)
        with times.lap("answer"):
            answer_json = (to_json(answer(shot, posed, Frame(rgba, order))) + "\n").encode()
        with times.lap("write"):
            write_file(out / f"{shot.id}_{n}.png", data)
            write_file(out / f"{shot.id}_{n}.json", answer_json)
    return times, len(calls)


def replay(calls: Sequence[Call]) -> None:
    """The bare loop, in the context that was recorded (which nothing keeps current for us)."""
    context = next(args[0].ctx for _, args, _ in calls if isinstance(args[0], moderngl.VertexArray))
    with context:
        for function, args, kwargs in calls:
            function(*args, **kwargs)


def check_same_picture(renderer: GLBackend, posed: PosedAvatar, view: View, calls: Sequence[Call]) -> None:
    """Exit if the bare loop draws another picture."""
    renderer.draw(posed, view)
    ours = renderer.read_back(view)
    renderer.draw(posed, replace(view, background=(1.0, 0.0, 1.0, 1.0)))  # to be cleared away
    replay(calls)
    if not np.array_equal(ours, renderer.read_back(view)):
        raise SystemExit("the bare loop draws another picture: a call that draw() makes is not recorded")


def measure(label: str, path: Path, count: int, rounds: int, out: Path) -> dict[str, Any]:
    """Measure one row: `count` pictures of one avatar."""
    avatar = load(path)
    renderer = GLBackend()
    (out / "warm_up").mkdir(exist_ok=True)
    shots = [Shot.from_json(plain_shot(avatar, path, label, i)) for i in range(count)]
    for shot in shots[:WARM_UP]:
        one_picture(renderer, avatar, shot, 1, out / "warm_up")
    pictures = [one_picture(renderer, avatar, shot, rounds, out) for shot in shots]
    renderer.close()

    def mean(kind: str, name: str) -> float:
        """Mean over the shots of each one's median."""
        return statistics.mean(statistics.median(getattr(times, kind)[name]) for times, _ in pictures)

    cpu = {s: mean("cpu", s) for s in STAGES if s != "draw beyond bare"}
    cpu["draw beyond bare"] = mean("cpu", "draw") - mean("cpu", "bare")
    return {
        "avatar": label,
        "triangles": avatar.triangle_count,
        "shots": count,
        "calls": round(statistics.mean(n for _, n in pictures)),
        "draw_ms": round(mean("wall", "draw"), 2),
        "bare_ms": round(mean("wall", "bare"), 2),
        "ratio": round(mean("wall", "draw") / mean("wall", "bare"), 3),
        **{f"cpu_{s.replace(' ', '_')}": round(cpu[s], 2) for s in STAGES},
        "cpu_else": round(sum(cpu.values()), 2),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as aligned text."""
    head = f"{'avatar':15}{'triangles':>10}{'calls':>7}{'draw':>9}{'bare':>9}{'ratio':>8}   CPU-ms:"
    lines = [head + "".join(f"{s:>18}" for s in STAGES) + f"{'else':>8}"]
    for r in rows:
        cells = "".join(f"{r['cpu_' + s.replace(' ', '_')]:18.2f}" for s in STAGES)
        lines.append(
            f"{r['avatar'][:14]:15}{r['triangles']:10d}{r['calls']:7d}{r['draw_ms']:9.2f}{r['bare_ms']:9.2f}"
            f"{r['ratio']:8.3f}{'':10}{cells}{r['cpu_else']:8.2f}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--avatars", nargs="+", default=["m_expressive", "crimsom", "zombie", "robot", "demo"])
    parser.add_argument("--shots", type=int, default=40, help="shots an avatar")
    parser.add_argument("--rounds", type=int, default=5, help="times each shot is drawn")
    parser.add_argument("--dry", action="store_true", help="add nothing to the results")
    o = parser.parse_args()
    os.environ["LP_NUM_THREADS"] = "0"  # read when the first context is made
    facts, rows = machine.facts(), []
    sources = [machine.avatar(a) for a in o.avatars]
    with tempfile.TemporaryDirectory() as name:
        for label, path in avatar_files(sources, Path(name), versions=("1",)):
            rows.append(measure(label, path, o.shots, o.rounds, Path(name)))
    print(f"{facts['cpu']}, {facts['cores']} cores, load before {facts['load']}, commit {facts['commit']}")
    print(table(rows))
    if not o.dry:
        machine.append("raster", [facts | r for r in rows])


if __name__ == "__main__":
    main()
