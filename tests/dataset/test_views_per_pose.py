"""A dataset of several views of each body: transforms.json re-projects what the rows say."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from tests.dataset.test_derive import derive, render_source, samples_by_key
from vrm_synth.dataset.verify.checks import verify
from vrm_synth.io.store import LocalStore

VIEWS, COUNT = 3, 7  # the last body has one view


@pytest.fixture(scope="module")
def store(avatars, tmp_path_factory) -> LocalStore:
    folder = tmp_path_factory.mktemp("views") / "set"
    return render_source(folder, avatars, "imagefolder", passes=("parts",), annotations=True, count=COUNT,
                         views_per_pose=VIEWS, size=[64, 96])  # fmt: skip


def test_each_body_has_a_file_of_its_cameras(store):
    names = store.list("transforms")
    assert names == [f"transforms/{first:06d}.json" for first in range(0, COUNT, VIEWS)]
    frames = [len(json.loads(store.read(n))["frames"]) for n in names]
    assert frames == [VIEWS, VIEWS, 1]
    assert verify(store).faults == ()
    store_files = json.loads(store.read("complete.json"))["sha256"]
    assert {*names, "coco.json", "legends.json"} <= store_files.keys()


def test_transforms_project_the_joints_onto_their_pixels(store):
    rows = {key: s.row for (_, key), s in samples_by_key(store).items()}
    projected = 0
    for name in store.list("transforms"):
        content = json.loads(store.read(name))
        for frame in content["frames"]:
            path = PurePosixPath(name).parent / frame["file_path"]
            picture = Path(store.folder) / path
            assert picture.is_file()
            joints = rows[picture.name.partition(".")[0]]["annotations"]["joints"]
            lens = content | frame
            assert (lens["w"], lens["h"]) == (64, 96)
            view_from_world = np.linalg.inv(np.array(frame["transform_matrix"]))
            world = np.array([joint["world"] for joint in joints.values()])
            view = np.c_[world, np.ones(len(world))] @ view_from_world.T
            x = lens["fl_x"] * view[:, 0] / -view[:, 2] + lens["cx"]
            y = lens["fl_y"] * -view[:, 1] / -view[:, 2] + lens["cy"]
            before = view[:, 2] < 0
            pixels = np.array([joint["pixel"] or (np.nan, np.nan) for joint in joints.values()])
            assert np.abs(np.c_[x, y] - pixels)[before].max() < 0.1
            projected += int(before.sum())
    assert projected > 100


def test_the_rows_of_one_body_differ_in_their_view_alone(store):
    shots = {row["i"]: row["shot"] for row in (s.row for s in samples_by_key(store).values())}
    same = ("figures", "avatar", "pose", "expressions", "light", "ambient", "background", "wind", "look_at")
    for i in range(COUNT):
        first, shot = shots[i - i % VIEWS], shots[i]
        assert [shot.get(k) for k in same] == [first.get(k) for k in same]
        assert i % VIEWS == 0 or shot["camera"] != first["camera"]
    splits = {row["i"]: split for (split, _), row in ((k, s.row) for k, s in samples_by_key(store).items())}
    assert all(splits[i] == splits[i - i % VIEWS] for i in splits)


def test_other_formats_and_one_view_have_no_transforms(store, avatars, tmp_path):
    assert derive([store], tmp_path / "tars", "convert", "webdataset").list("transforms") == []
    plain = render_source(tmp_path / "plain", avatars, "imagefolder", passes=(), count=2, splits={})
    assert plain.list("transforms") == []


def test_a_smaller_or_greater_dataset_of_views_keeps_its_bodies(store, avatars, tmp_path):
    grown = render_source(tmp_path / "sets" / "grown", avatars, "imagefolder", passes=("parts",), annotations=True,
                          count=COUNT + 2, views_per_pose=VIEWS, size=[64, 96])  # fmt: skip
    before, after = samples_by_key(store), samples_by_key(grown)
    assert all(after[k].picture == s.picture for k, s in before.items())
    assert len(json.loads(grown.read("transforms/000006.json"))["frames"]) == 3
