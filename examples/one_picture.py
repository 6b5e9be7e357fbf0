"""One picture through the library: python examples/one_picture.py [AVATAR] [OUT.png]"""

import sys
from pathlib import Path

from vrm_synth.dataset.render_shot import render_shot
from vrm_synth.demo_avatar.avatar_source import open_avatar
from vrm_synth.io.png_encoder import encode_png
from vrm_synth.render import open_renderer
from vrm_synth.shot import preset_shot


def main(source: str = "demo", out: str = "one_picture.png") -> None:
    avatar = open_avatar(source)  # a VRM file's path, "demo", or "demo:3"
    shot = preset_shot(avatar, source, pose="wave", view_name="cowboy_three_quarter_left_level")
    renderer = open_renderer()
    posed, frame = render_shot(renderer, avatar, shot)  # a frame's pixels are a numpy array, (H, W, 4) uint8
    renderer.close()
    Path(out).write_bytes(encode_png(frame.rgba))
    print(f"{out}: {avatar.meta.name}, license {avatar.meta.license.name}, head at {posed.bone_positions()['head']}")


if __name__ == "__main__":
    main(*sys.argv[1:])
