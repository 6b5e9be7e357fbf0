"""Answers of shots: pictures and facts, failures beside successes, and several processes."""

from __future__ import annotations

import hashlib
import itertools
import json
import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.dataset.conftest import shot
from vrm_synth.core.errors import DatasetError, RenderError
from vrm_synth.dataset.shot_list.answers import LoadedAvatar, ShotAnswer
from vrm_synth.dataset.shot_list.reader import read_shots
from vrm_synth.dataset.shot_list.shot_list_task import ShotListTask, answer_shots


@pytest.fixture
def answer(avatars, tmp_path):
    """Answer these shots; returns the events and what lies in the folder, name → bytes."""

    def answer(shots, workers=1, out=None):
        (avatars / "shots.json").write_text(json.dumps(shots))
        job = ShotListTask(out or tmp_path / "out", avatars, "gl", 0)
        events = list(answer_shots(read_shots(avatars / "shots.json"), job, workers))
        return events, {p.name: p.read_bytes() for p in job.out.iterdir()}

    return answer


GOOD = [
    shot("plain"),
    shot("turned", "kept.vrm", pose={"bones": {"hips": [0, 0.6, 0, 0.8], "jaw": [0, 0, 0, 1]}}),
    shot("happy", expressions={"happy": 1.0}, background=[0.2, 0.4, 0.6, 1]),
    shot("gaze", look_at={"yaw": 20, "pitch": -5}, spring_bones={"settle_seconds": 0.1}),
]


def test_a_shot_is_answered_with_a_picture_and_its_facts(answer, avatars):
    events, files = answer([shot("a", look_at={"yaw": 20, "pitch": -5}, expressions={"happy": 0.5})])
    path = avatars / "free.vrm"
    assert events == [LoadedAvatar(str(path), hashlib.sha256(path.read_bytes()).hexdigest(), "CC0"), ShotAnswer("a")]
    assert sorted(files) == ["a.json", "a.png"]
    answer_json = json.loads(files["a.json"])
    expected = {"id", "vrm_version", "bones", "expressions", "look_at", "draw_order", "warnings"}
    assert set(answer_json) - {"effective_expressions"} == expected
    assert (answer_json["id"], answer_json["vrm_version"], answer_json["warnings"]) == ("a", "1", [])
    assert answer_json["bones"]["hips"] == [0, 1, 0] and answer_json["bones"]["head"] == [0, 1.5, 0]
    assert answer_json["expressions"] == {"happy": 0.5, "wink": 0}
    assert answer_json["look_at"] == {"type": "bone", "yaw": 20, "pitch": -5}
    assert answer_json["draw_order"] == [["body", "skin", "surface"], ["body", "skin (Outline)", "outline"]]


def test_the_picture_shows_the_avatar_where_the_camera_sees_it(answer, tmp_path):
    answer([shot("a"), shot("b", background=[0.2, 0.4, 0.6, 1])])
    with Image.open(tmp_path / "out" / "a.png") as picture:
        alpha = np.asarray(picture.convert("RGBA"))[..., 3]
    rows, columns = np.nonzero(alpha > 127)
    # A quad 1 m wide, 1.5 m high, 4 m away, in 32 pixels for 2 · 4 m · tan 20°: 11 by 16.5 pixels.
    assert np.ptp(columns) + 1 == pytest.approx(11, abs=1) and np.ptp(rows) + 1 == pytest.approx(16.5, abs=1)
    with Image.open(tmp_path / "out" / "b.png") as picture:
        assert picture.mode == "RGBA" and picture.getpixel((0, 0)) == (51, 102, 153, 255)


def test_a_missing_bone_is_a_warning(answer):
    _, files = answer([GOOD[1]])
    assert any("jaw" in warning for warning in json.loads(files["turned.json"])["warnings"])


def test_answers_are_the_same_for_any_order_and_number_of_processes(answer, tmp_path):
    _, once = answer(GOOD, out=tmp_path / "once")
    _, reversed_answers = answer(GOOD[::-1], out=tmp_path / "again")
    events, two = answer(GOOD, workers=2, out=tmp_path / "two")
    assert once == reversed_answers == two and len(once) == 8
    assert sorted(e.id for e in events if isinstance(e, ShotAnswer)) == ["gaze", "happy", "plain", "turned"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_shot_that_fails_is_answered_with_its_error_and_the_others_go_on(answer, tmp_path, workers):
    out = tmp_path / "out"
    out.mkdir()
    for name in ("lost", "bad", "weird"):
        (out / f"{name}.png").write_bytes(b"from an earlier run")
    (out / "other.png").write_bytes(b"somebody else's")
    shots = [shot("lost", "none.vrm"), shot("bad", fov=1), shot("weird", "shots.json"), *GOOD]
    events, files = answer(shots, workers, out=out)
    errors = {e.id: e.error for e in events if isinstance(e, ShotAnswer) and e.error}
    assert set(errors) == {"lost", "bad", "weird"}
    assert "none.vrm" in errors["lost"] and "No such file" in errors["lost"]
    assert "unknown key" in errors["bad"] and "fov" in errors["bad"]
    assert "shots.json" in errors["weird"] and "not a VRM file" in errors["weird"]
    for name, error in errors.items():
        assert json.loads(files[f"{name}.json"]) == {"id": name, "error": error}
        assert f"{name}.png" not in files
    assert {f"{s['id']}.png" for s in GOOD} < set(files) and files["other.png"] == b"somebody else's"


def test_an_internal_error_is_reported_as_one_and_the_others_go_on(answer, monkeypatch):
    def broken(renderer, avatar, shot, compat):
        if shot.id == "plain":
            raise ZeroDivisionError("no\nway")
        return real(renderer, avatar, shot, compat)

    import vrm_synth.dataset.shot_list.render_list as module

    real = module.render_shot
    monkeypatch.setattr(module, "render_shot", broken)
    events, files = answer(GOOD)
    assert ShotAnswer("plain", "shot plain: internal error: ZeroDivisionError: no way") in events
    assert "happy.png" in files


def test_each_avatar_is_read_once(answer):
    events, _ = answer([shot(f"s{i}", ["free.vrm", "kept.vrm"][i % 2]) for i in range(6)])
    assert [type(e) for e in events] == [LoadedAvatar, ShotAnswer, ShotAnswer, ShotAnswer] * 2


def one_worker_killed(avatars: Path, out: Path) -> list[str]:
    """Errors of the shots lost when a worker is killed after the first of twelve shots is done."""
    out.mkdir()
    events, killed = [], []
    for event in answer_shots(read_shots(avatars / "shots.json"), ShotListTask(out, avatars, "gl", 0), workers=2):
        events.append(event)
        if isinstance(event, ShotAnswer) and not killed:
            killed.append(multiprocessing.active_children()[0].pid)
            os.kill(killed[0], signal.SIGKILL)
    error_of = {e.id: e.error for e in events if isinstance(e, ShotAnswer)}
    lost = [error for error in error_of.values() if error]
    assert len(error_of) == 12 and len(list(out.glob("*.png"))) == 12 - len(lost)
    assert multiprocessing.active_children() == []
    return lost


def test_a_crashed_worker_loses_only_the_shot_it_was_rendering(avatars, tmp_path):
    shots = [shot(f"s{i:02}", spring_bones={"settle_seconds": 20 + i}) for i in range(12)]
    (avatars / "shots.json").write_text(json.dumps(shots))
    # A worker that has yet to start, or is between two shots, loses none.
    lost = next(filter(None, (one_worker_killed(avatars, tmp_path / f"{n}") for n in itertools.count())))
    assert len(lost) == 1
    assert "the worker process died" in lost[0] and "SIGKILL" in lost[0]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_renderer_that_cannot_start_is_one_error(avatars, tmp_path, workers):
    (avatars / "shots.json").write_text(json.dumps(GOOD))
    with pytest.raises(RenderError):
        list(answer_shots(read_shots(avatars / "shots.json"), ShotListTask(tmp_path, avatars, "gl", 9999), workers))
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_unwritable_folder_stops_the_run(avatars, tmp_path, workers):
    (avatars / "shots.json").write_text(json.dumps(GOOD))
    (tmp_path / "plain.png").mkdir()
    with pytest.raises((DatasetError, RenderError), match=r"plain\.png.*cannot be written: Is a directory"):
        list(answer_shots(read_shots(avatars / "shots.json"), ShotListTask(tmp_path, avatars, "gl", 0), workers))
