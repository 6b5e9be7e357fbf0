"""Pictures with their labels: python examples/annotate.py [AVATAR] [FOLDER]

Draws a pose from four sides; writes the pictures, the poses as a ControlNet is conditioned with (pose_0.png …), the
keypoints for COCO's tools (coco.json) and the cameras for NeRF (transforms.json).
"""

import json
import sys
from pathlib import Path

from PIL import Image

import vrm_synth as vs
from vrm_synth.annotation.annotate import annotate
from vrm_synth.annotation.cameras import NerfFrame, nerf_transforms
from vrm_synth.annotation.coco import coco_dataset, coco_image
from vrm_synth.annotation.openpose import draw_openpose, openpose_person
from vrm_synth.render import open_backend
from vrm_synth.render.base import Buffers, View
from vrm_synth.shot.posed_body import pose_body

SIZE = (512, 512)


def main(source: str = "demo", folder: str = "annotated") -> None:
    out = Path(folder)
    out.mkdir(exist_ok=True)
    avatar = vs.load(source)
    pose = vs.load_poses()["wave"]
    posed = pose_body(avatar, pose).posed
    backend, buffers = open_backend(), Buffers(geometry=frozenset())  # depth and triangle at each pixel's centre
    images, frames = [], []
    for i, azimuth in enumerate((0, 90, 180, -90)):
        camera = vs.frame_body(avatar, pose, azimuth=azimuth)
        frame = backend.render(posed, View(camera, SIZE, supersample=2, buffers=buffers))
        annotation = annotate(posed, camera, SIZE, frame.geometry.depth, frame.geometry.triangle)
        frame.image.save(out / f"{i}.png")
        person = openpose_person(annotation.keypoints)
        Image.fromarray(draw_openpose([person], SIZE)).save(out / f"pose_{i}.png")
        images.append(coco_image(f"{i}.png", annotation))
        frames.append(NerfFrame(f"{i}.png", camera, SIZE))
        seen = annotation.keypoints.visibility.count("visible")
        print(f"{i}.png: {seen} keypoints visible, head turned {annotation.head.yaw:.0f}°")
    backend.close()
    (out / "coco.json").write_text(json.dumps(coco_dataset(images)))
    (out / "transforms.json").write_text(json.dumps(nerf_transforms(frames)))


if __name__ == "__main__":
    main(*sys.argv[1:])
