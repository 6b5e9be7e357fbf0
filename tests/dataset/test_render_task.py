"""The render task: paths and gaze of the shots it writes, retried attempts, quarantine."""

from __future__ import annotations

import json
import os

import pytest

from tests.dataset.renders import COUNT, claim, open_cached, render, rows
from vrm_synth.builtin_avatar.avatar_source import open_avatar
from vrm_synth.core.errors import ShotError
from vrm_synth.dataset import image_checks, render_task
from vrm_synth.dataset import render_shot as render_shot_module
from vrm_synth.dataset.render_shot import pose_for, render_shot
from vrm_synth.dataset.render_task import gaze_in_angles, path_from
from vrm_synth.io.image_decoder import decode_rgba
from vrm_synth.pose.evaluate import LookAtAngles
from vrm_synth.shot import Shot, load_recipe, plan_shot, source_at

pytestmark = pytest.mark.usefixtures("cached_avatars")


def test_shots_name_avatar_files_relative_to_their_folder_and_the_built_in_avatar_by_name(rendered, avatars):
    for lines in rendered.glob("t*/*/metadata.jsonl"):
        for line in lines.read_text().splitlines():
            avatar = json.loads(json.loads(line)["shot"])["avatar"]
            assert avatar == "demo" or os.path.samefile(lines.parent / avatar, avatars / "free.vrm")


def test_relative_paths_from_a_symlinked_folder_resolve(tmp_path):
    (tmp_path / "deep" / "real").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "real")
    (tmp_path / "a.vrm").write_bytes(b"")
    assert os.path.samefile(
        tmp_path / "link" / path_from(tmp_path / "link", str(tmp_path / "a.vrm")), tmp_path / "a.vrm"
    )


def test_a_gaze_at_a_point_is_stored_as_angles_that_draw_the_same_picture(gl, avatars):
    avatar = open_avatar(str(avatars / "free.vrm"))
    camera = {"position": [0.5, 1.6, 3], "target": [0, 1.6, 0]}
    entry = {"id": "a", "avatar": "x", "camera": camera, "size": [64, 64], "look_at": [0.5, 1.9, 2]}
    shot = Shot.from_json(entry | {"pose": {"bones": {"head": [0, 0.1, 0, 0.995]}}})
    angled = gaze_in_angles(avatar, shot)
    assert isinstance(angled.figure.look_at, LookAtAngles)
    (before, first), (after, second) = render_shot(gl, avatar, shot), render_shot(gl, avatar, angled)
    assert before.look_at == after.look_at and before.look_at.yaw != 0
    assert (first.rgba == second.rgba).all() and (before.world_from_node == after.world_from_node).all()


def test_a_shot_without_a_gaze_is_posed_once(recipe_file, gl, monkeypatch):
    """Drawing reuses the pose that planning computed; only a shot with a gaze is posed again."""
    recipe, posed_again = load_recipe(recipe_file), []
    monkeypatch.setattr(render_shot_module, "pose_for", lambda *a: posed_again.append(a[1].id) or pose_for(*a))
    licenses = {source: dict.fromkeys(render_task.LICENSE, "") for source in recipe.avatars}
    task = render_task.RenderTask(recipe, None, licenses)
    drawn = [render_task.render_sample(task, gl, open_cached, i) for i in range(COUNT)]
    gazes = [plan_shot(recipe, i, open_cached).shot.figure.look_at is not None for i in range(COUNT)]
    assert 0 < sum(gazes) < COUNT
    assert posed_again == [f"{i:06d}" for i, gaze in enumerate(gazes) if gaze]
    for d in drawn:
        shot = Shot.from_json(d.sample.row["shot"])
        redrawn = render_shot(gl, open_cached(source_at(recipe, d.i)), shot)[1].rgba
        assert (decode_rgba(d.sample.picture) == redrawn).all(), shot.id


def test_a_picture_that_shows_nothing_is_retried_and_its_row_counts_attempts(recipe_file, tmp_path, monkeypatch):
    find_fault, calls = image_checks.find_fault, []

    def black_twice(rgba, size):
        calls.append(1)
        return "black" if len(calls) in (3, 4) else find_fault(rgba, size)

    monkeypatch.setattr(render_task, "find_fault", black_twice)
    out = render(recipe_file, tmp_path / "g")
    attempts = [row["attempt"] for row in rows(out)]
    assert sorted(attempts) == [0] * (COUNT - 1) + [2]
    (retried,) = [row for row in rows(out) if row["attempt"]]
    assert json.loads((out / "complete.json").read_text())["quarantined"] == {}
    recipe = load_recipe(recipe_file)
    shots = [plan_shot(recipe, retried["i"], open_cached, attempt).shot for attempt in range(3)]
    assert len({json.dumps(s.to_json()["camera"]) for s in shots}) == 3 and len({s.figure.avatar for s in shots}) == 1
    assert shots[2].to_json()["camera"] == retried["shot"]["camera"]


def test_a_shot_that_shows_nothing_in_any_attempt_is_quarantined_and_reported(recipe_file, tmp_path, monkeypatch):
    def plan_or_fail(recipe, i, open_avatar, attempt):
        if i == 5:
            raise ShotError("nothing to see")
        return plan_shot(recipe, i, open_avatar, attempt)

    monkeypatch.setattr(render_task, "plan_shot", plan_or_fail)
    notes = []
    out = render(recipe_file, tmp_path / "q", note=notes.append)
    assert notes == ["shot 000005 is quarantined: nothing to see"]
    assert [row["i"] for row in rows(out)] == [i for i in range(COUNT) if i != 5]
    assert json.loads((out / "complete.json").read_text())["quarantined"] == {"000005": "nothing to see"}
    assert f"(of {COUNT} that the recipe asks for)" in (out / "README.md").read_text()
    assert "- quarantined: 1;" in (out / "README.md").read_text()
    assert claim(recipe_file, out).missing() == []
