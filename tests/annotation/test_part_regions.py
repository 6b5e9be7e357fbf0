"""Boxes and shares of labeled parts."""

import numpy as np
import pytest

from tests.annotation.scene import Scene, scene
from vrm_synth.annotation.annotate import annotate
from vrm_synth.annotation.drawn_depth import DrawnDepth
from vrm_synth.annotation.part_regions import PartIds
from vrm_synth.core.errors import ShotError
from vrm_synth.vrm.drawn_triangles import drawn_triangles


def by_material(s: Scene) -> PartIds:
    return PartIds([m.name for m in s.posed.avatar.materials], drawn_triangles(s.posed.avatar).material_of)


def test_boxes_are_tight():
    s = scene()
    ids = by_material(s)
    labeled = annotate(s.posed, s.camera, s.size, s.depth, s.triangle, ids)
    material = np.where(s.triangle >= 0, ids.triangles[s.triangle], -1)
    for name, (x, y, w, h) in labeled.part_boxes.items():
        rows, columns = np.nonzero(material == ids.names.index(name))
        assert (x, y, w, h) == (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    assert {"Hair", "Skirt", "Shoe"} <= labeled.part_boxes.keys()


def test_shares_say_what_is_hidden():
    front, back = scene(), scene(azimuth=180.0)
    seen, unseen = (annotate(s.posed, s.camera, s.size, s.depth, s.triangle, by_material(s)) for s in (front, back))
    share = seen.part_visible_share
    assert share["Iris"] > 0.9 and share["Shoe"] > 0.8 and all(0 <= v <= 1 for v in share.values())
    assert unseen.part_visible_share["Iris"] == 0 and "Iris" not in unseen.part_boxes


def test_ids_of_pixels_count_before_those_of_triangles():
    s = scene()
    pixels = np.ones((s.size[1], s.size[0]), np.uint8)
    pixels[:, : s.size[0] // 2] = 0
    ids = PartIds(
        ["left of the picture", "right of it"], np.zeros_like(drawn_triangles(s.posed.avatar).material_of), pixels
    )
    labeled = annotate(s.posed, s.camera, s.size, s.depth, s.triangle, ids)
    assert set(labeled.part_boxes) == set(ids.names) and set(labeled.part_visible_share) == {ids.names[0]}
    x, _, w, _ = labeled.part_boxes["left of the picture"]
    assert x + w == s.size[0] // 2 == labeled.part_boxes["right of it"][0]


@pytest.mark.parametrize(
    ("triangles", "pixels", "message"),
    [
        (np.zeros(3, int), None, "part ids do not fit"),
        (np.zeros(2), None, "part ids do not fit"),
        (np.array([0, 2]), None, r"no such part id; got \(0, 2\)"),
        (np.array([-1, 0]), None, "no such part id"),
        (np.zeros(2, int), np.zeros((4, 3), int), "part ids do not fit"),
        (np.zeros(2, int), np.full((3, 4), 9), "no such part id"),
    ],
)
def test_ids_that_do_not_fit_are_refused(triangles, pixels, message):
    drawn = DrawnDepth(np.zeros((3, 4), np.float32), np.zeros((3, 4), np.int32))
    with pytest.raises(ShotError, match=message):
        PartIds(["a", "b"], triangles, pixels).check(2, drawn)
