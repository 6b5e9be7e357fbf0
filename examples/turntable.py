"""An animated picture, as fast as the renderer goes: python examples/turntable.py [AVATAR] [OUT.webp] [FRAMES]"""

import math
import sys
import time
from dataclasses import replace

import vrm_synth as vs


def main(source: str = "demo", out: str = "turntable.webp", frames: str = "36") -> None:
    avatar, count = vs.load(source), int(frames)
    camera = vs.frame_body(avatar, "stand", crop="full")
    (x, y, z), (cx, _, cz) = camera.position, camera.target
    turns = [2 * math.pi * k / count for k in range(count)]
    around = (
        (cx + (x - cx) * math.cos(t) + (z - cz) * math.sin(t), y, cz + (z - cz) * math.cos(t) - (x - cx) * math.sin(t))
        for t in turns
    )
    options: vs.RenderOptions = {"pose": "stand", "antialias": "auto"}
    pictures = (options | {"camera": replace(camera, position=p)} for p in around)
    with vs.Renderer() as renderer:
        start = time.perf_counter()
        # On a GPU the next picture is drawn while one comes back.
        images = [frame.image for frame in renderer.stream(avatar, pictures)]
        seconds = time.perf_counter() - start
    images[0].save(out, save_all=True, append_images=images[1:], duration=80, loop=0, quality=90)
    print(f"{out}: {count} pictures, {count / seconds:.0f} a second in one process")


if __name__ == "__main__":
    main(*sys.argv[1:])
