"""One picture: python examples/one_picture.py [AVATAR] [OUT.png]"""

import sys

import vrm_synth as vs


def main(source: str = "demo", out: str = "one_picture.png") -> None:
    avatar = vs.load(source)  # a VRM file's path, "demo", or "demo:3"
    with vs.Renderer() as renderer:
        frame = renderer.render(avatar, pose="wave", view="cowboy_three_quarter_left_level", look_at="camera")
    frame.image.save(out)  # frame.rgba has the same pixels, (H, W, 4) uint8
    print(f"{out}: {avatar.meta.name}, license {avatar.meta.license.name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
