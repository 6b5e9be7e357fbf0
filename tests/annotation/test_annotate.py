"""The annotation as a whole: the same for the same picture, complete as JSON, strict about its input."""

import json

import numpy as np
import pytest

from tests.annotation.scene import SKINNED, avatar_of, scene
from tests.corpus import avatar_files, needs_corpus
from vrm_synth.annotation.annotate import annotate
from vrm_synth.annotation.part_regions import PartIds
from vrm_synth.api.avatars import load
from vrm_synth.camera.camera import Camera
from vrm_synth.core.errors import ShotError
from vrm_synth.pose.evaluate import evaluate


def test_the_same_picture_has_the_same_annotation():
    s = scene(pose="wave")
    again = annotate(s.posed, s.camera, s.size, s.depth.copy(), s.triangle.copy())
    assert json.dumps(again.to_json()) == json.dumps(s.annotation.to_json())


def test_the_json_is_plain_and_has_everything():
    out = json.loads(json.dumps(scene(crop="bust").annotation.to_json(), allow_nan=False))
    assert len(out["keypoints"]) == 133 and set(out["joints"]) == set(avatar_of("demo").humanoid)
    assert out["keypoints"]["left_ankle"]["visibility"] == "outside"
    assert set(out["boxes"]) == {"figure", "head", "face", "left_hand", "right_hand"}
    assert out["size"] == [256, 320] and out["camera"]["model"] == "perspective"
    assert {"yaw", "pitch", "roll"} == out["head"].keys() and len(out["gaze"]["direction"]) == 3


def test_what_does_not_fit_is_refused():
    s = scene()
    with pytest.raises(ShotError, match="depth does not fit"):
        annotate(s.posed, s.camera, (320, 256), s.depth, s.triangle)
    with pytest.raises(ShotError, match="part ids do not fit"):
        annotate(s.posed, s.camera, s.size, s.depth, s.triangle, PartIds(["a"], np.zeros(3, int)))


def test_an_empty_picture_is_annotated():
    s = scene()
    away = Camera((0.0, 1.0, 3.0), (0.0, 1.0, 6.0))
    empty = annotate(s.posed, away, s.size, np.full_like(s.depth, np.inf), np.full_like(s.triangle, -1))
    assert set(empty.keypoints.visibility) == {"outside"} and set(empty.boxes.values()) == {None}
    assert set(empty.visible_share.values()) == {0.0}


@needs_corpus
@pytest.mark.corpus
def test_every_shared_avatar_is_annotated():
    assert len(SKINNED) == 10
    for path in avatar_files():
        avatar = load(path)
        depth, triangle = np.full((40, 30), np.inf, np.float32), np.full((40, 30), -1, np.int32)
        annotation = annotate(evaluate(avatar), Camera((0.0, 1.0, 3.0), (0.0, 1.0, 0.0)), (30, 40), depth, triangle)
        json.dumps(annotation.to_json(), allow_nan=False)
        k = annotation.keypoints
        assert all((v == "unlabeled") == bool(np.isnan(w).any()) for v, w in zip(k.visibility, k.world, strict=True))
        assert bool(annotation.missing) == ("unlabeled" in k.visibility), path.name
