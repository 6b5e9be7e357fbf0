"""Cameras as other tools read them: the 3D joints project where they are, by each format's own rules."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.annotation.scene import scene
from vrm_synth.annotation.cameras import NerfFrame, camera_json, nerf_transforms, project_points
from vrm_synth.camera.camera import Camera
from vrm_synth.core.errors import ShotError

VIEWS = [(0.0, 0.0, (256, 320)), (57.0, 20.0, (320, 200)), (-140.0, -15.0, (128, 128))]


@pytest.mark.parametrize(("azimuth", "elevation", "size"), VIEWS)
def test_transforms_json_reprojects_the_joints(azimuth, elevation, size):
    s = scene(azimuth=azimuth, elevation=elevation, size=size)
    text = json.dumps(nerf_transforms([NerfFrame("a.png", s.camera, s.size)]))
    t = json.loads(text)
    world = s.annotation.joints.world
    camera = np.concatenate([world, np.ones((len(world), 1))], 1) @ np.linalg.inv(t["frames"][0]["transform_matrix"]).T
    x = t["cx"] + t["fl_x"] * camera[:, 0] / -camera[:, 2]
    y = t["cy"] - t["fl_y"] * camera[:, 1] / -camera[:, 2]
    assert np.abs(np.stack([x, y], 1) - s.annotation.joints.pixels).max() < 0.1
    assert t["camera_angle_x"] == pytest.approx(2 * np.arctan(size[0] / 2 / t["fl_x"]))
    assert (t["w"], t["h"]) == size


@pytest.mark.parametrize(("azimuth", "elevation", "size"), VIEWS)
def test_the_coco_camera_reprojects_the_joints(azimuth, elevation, size):
    s = scene(azimuth=azimuth, elevation=elevation, size=size)
    camera = json.loads(json.dumps(camera_json(s.camera, s.size)))
    extrinsics = np.array(camera["camera_from_world"])
    points = s.annotation.joints.world @ extrinsics[:3, :3].T + extrinsics[:3, 3]
    assert np.allclose(points, s.annotation.joints.camera) and (points[:, 2] > 0).all()
    pixels = points @ np.array(camera["K"]).T
    assert np.abs(pixels[:, :2] / pixels[:, 2:] - s.annotation.joints.pixels).max() < 0.1
    assert np.linalg.det(extrinsics[:3, :3]) == pytest.approx(1)


def test_axes_are_opencvs():
    camera = Camera((0.0, 1.0, 3.0), (0.0, 1.0, 0.0), fov_y=60.0)
    pixels, points = project_points(camera, (200, 100), np.array([[0.0, 1.0, 0.0], [0.3, 1.2, 0.0], [0.0, 1.0, 4.0]]))
    assert np.allclose(points, [[0, 0, 3], [0.3, -0.2, 3], [0, 0, -1]])
    assert np.allclose(pixels[0], [100, 50]) and pixels[1, 0] > 100 and pixels[1, 1] < 50
    assert np.isnan(pixels[2]).all()


def test_an_orthographic_camera_says_so_and_has_no_focal_length():
    camera = Camera((0.0, 1.0, 3.0), (0.0, 1.0, 0.0), ortho_height=2.0)
    out = camera_json(camera, (200, 100))
    assert out["model"] == "orthographic" and out["pixels_per_meter"] == 50.0
    assert not {"K", "fl_x", "fov_y_degrees"} & out.keys()
    pixels, _ = project_points(camera, (200, 100), np.array([[0.5, 1.5, 0.0], [0.5, 1.5, -2.0]]))
    assert np.allclose(pixels, [[125, 25], [125, 25]])


def test_nerf_refuses_orthographic_cameras_and_nothing():
    camera = Camera((0.0, 1.0, 3.0), (0.0, 1.0, 0.0), ortho_height=2.0)
    with pytest.raises(ShotError, match=r"no orthographic camera; got b\.png") as error:
        nerf_transforms([NerfFrame("b.png", camera, (64, 64))])
    assert "\n" not in str(error.value)
    with pytest.raises(ShotError, match="needs frames"):
        nerf_transforms([])


def test_intrinsics_that_differ_stand_in_the_frames():
    camera = Camera((0.0, 1.0, 3.0), (0.0, 1.0, 0.0))
    frames = [NerfFrame("a.png", camera, (64, 64)), NerfFrame("b.png", replace(camera, fov_y=50.0), (64, 64))]
    t = nerf_transforms(frames)
    assert t["w"] == 64 and t["cx"] == 32 and "fl_x" not in t
    assert [f["fl_x"] for f in t["frames"]] == [c.camera.intrinsics(64, 64)["fx"] for c in frames]
