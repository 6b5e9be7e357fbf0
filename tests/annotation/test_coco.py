"""coco.json: pycocotools loads it, its masks are the drawn ones, readers of COCO-WholeBody find their keys."""

import json

import numpy as np
import pytest

from tests.annotation.scene import scene
from vrm_synth.annotation.coco import CocoImage, coco_annotation, coco_dataset, coco_image, run_lengths
from vrm_synth.annotation.keypoint_names import BODY

WHOLEBODY_KEYS = {"foot_kpts": 18, "face_kpts": 204, "lefthand_kpts": 63, "righthand_kpts": 63, "face_box": 4,
                  "lefthand_box": 4, "righthand_box": 4}  # fmt: skip


def scenes():
    return [scene(), scene(pose="wave", azimuth=60.0), scene(crop="face"), scene(azimuth=180.0)]


def test_pycocotools_loads_it(tmp_path):
    tools = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(coco_dataset([coco_image(f"{i}.png", s.annotation) for i, s in enumerate(scenes())])))
    coco = tools.COCO(str(path))
    assert coco.getCatIds(catNms=["person"]) == [1] and len(coco.getImgIds()) == 4
    for image, s in zip(coco.loadImgs(coco.getImgIds()), scenes(), strict=True):
        (annotation,) = coco.loadAnns(coco.getAnnIds(imgIds=image["id"], iscrowd=False))
        mask = coco.annToMask(annotation).astype(bool)
        assert (mask == (s.triangle >= 0)).all() and annotation["area"] == mask.sum()
        x, y, w, h = (int(v) for v in annotation["bbox"])
        assert mask[y : y + h, x : x + w].sum() == mask.sum() and mask[y].any() and mask[:, x + w - 1].any()


def test_pycocotools_scores_its_own_keypoints(tmp_path):
    tools = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    from pycocotools.cocoeval import COCOeval

    data = coco_dataset([coco_image(f"{i}.png", s.annotation) for i, s in enumerate(scenes())])
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(data))
    truth = tools.COCO(str(path))
    results = [
        {**{k: a[k] for k in ("image_id", "category_id", "keypoints")}, "score": 1.0} for a in data["annotations"]
    ]
    scores = COCOeval(truth, truth.loadRes(results), "keypoints")
    scores.evaluate()
    scores.accumulate()
    scores.summarize()
    assert scores.stats[0] == pytest.approx(1.0)


def test_wholebody_keys():
    for s in scenes():
        figure = coco_annotation(s.annotation)
        assert {k: len(figure[k]) for k in WHOLEBODY_KEYS} == WHOLEBODY_KEYS
        assert {type(figure[f"{g}_valid"]) for g in ("foot", "face", "lefthand", "righthand")} == {bool}
        assert len(figure["keypoints"]) == 51 and set(figure["keypoints"][2::3]) <= {0, 1, 2}
        assert figure["num_keypoints"] == sum(v > 0 for v in figure["keypoints"][2::3])


def test_what_is_not_seen_is_not_valid_and_zero():
    back = coco_annotation(scene(azimuth=180.0).annotation)
    assert not back["face_valid"] and not any(back["face_kpts"]) and not any(back["face_box"])
    face = coco_annotation(scene(crop="face").annotation)
    assert face["face_valid"] and any(face["face_box"]) and not face["foot_valid"] and not any(face["foot_kpts"])


def test_the_category_has_cocos_keypoints():
    (category,) = coco_dataset([])["categories"]
    assert (
        category["keypoints"] == list(BODY) and category["skeleton"][0] == [16, 14] and len(category["skeleton"]) == 19
    )


def test_a_picture_without_its_figure_keeps_its_place():
    empty = {**coco_annotation(scene().annotation), "area": 0}
    data = coco_dataset([CocoImage("a.png", (8, 8), [empty]), CocoImage("b.png", (8, 8), [])])
    assert [i["id"] for i in data["images"]] == [1, 2] and data["annotations"] == []


@pytest.mark.parametrize("first", [True, False])
def test_run_lengths_count_down_the_columns(first):
    mask = np.array([[first, False, True], [True, True, False]])
    assert run_lengths(mask) == {"counts": [0, 2, 1, 2, 1] if first else [1, 1, 1, 2, 1], "size": [2, 3]}
    assert run_lengths(np.zeros((2, 3), bool))["counts"] == [6]
    assert run_lengths(np.ones((2, 3), bool))["counts"] == [0, 6]
