"""An animated picture, as fast as the renderer goes: python examples/turntable.py [AVATAR] [OUT.webp] [FRAMES]"""

import math
import sys
import time
from dataclasses import replace

from PIL import Image

from vrm_synth.dataset.render_shot import pose_for
from vrm_synth.demo_avatar.avatar_source import open_avatar
from vrm_synth.render.gl.renderer import GLRenderer
from vrm_synth.shot import preset_shot


def main(source: str = "demo", out: str = "turntable.webp", frames: str = "36") -> None:
    avatar, count = open_avatar(source), int(frames)
    shot = preset_shot(avatar, source, pose="stand", view_name="full_front_level")
    posed, view = pose_for(avatar, shot), shot.view()
    (x, y, z), (cx, _, cz) = view.camera.position, view.camera.target
    turns = [2 * math.pi * k / count for k in range(count)]
    around = (
        (cx + (x - cx) * math.cos(t) + (z - cz) * math.sin(t), y, cz + (z - cz) * math.cos(t) - (x - cx) * math.sin(t))
        for t in turns
    )
    views = [replace(view, camera=replace(view.camera, position=p), antialias="auto") for p in around]
    renderer = GLRenderer()
    start = time.perf_counter()
    # On a GPU the next picture is drawn while one comes back.
    pictures = [Image.fromarray(frame.rgba) for frame in renderer.stream((posed, v) for v in views)]
    seconds = time.perf_counter() - start
    renderer.close()
    pictures[0].save(out, save_all=True, append_images=pictures[1:], duration=80, loop=0, quality=90)
    print(f"{out}: {count} pictures, {count / seconds:.0f} a second in one process")


if __name__ == "__main__":
    main(*sys.argv[1:])
