"""The shots format: read, written and checked; mistakes are refused in one line with their key."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.corpus import CORPUS, needs_corpus
from vrm_synth.camera.camera import Camera
from vrm_synth.core.errors import ShotError
from vrm_synth.pose.lookat import LookAtAngles
from vrm_synth.shot import Shot
from vrm_synth.shot.choices import Choices
from vrm_synth.shot.figure import Figure
from vrm_synth.stage.light_types import Ambient

SMALLEST: dict[str, Any] = {"id": "a", "avatar": "x.vrm", "camera": {"position": [0, 1, 3]}, "size": [64, 48]}
FULL: dict[str, Any] = {
    "id": "a.b-c_1",
    "avatar": "../x.vrm",
    "pose": {"bones": {"head": [0.1, 0.2, 0.3, 0.9273618495495703]}, "hips_offset": [0.1, -0.2, 1 / 3]},
    "expressions": {"happy": 0.7},
    "look_at": {"yaw": 10.5, "pitch": -3},
    "spring_bones": {"settle_seconds": 0.5},
    "camera": {
        "position": [0.1, 1, 3], "target": [0, 1, 0], "up": [0, 1, 0.1], "fov_y": 20, "ortho_height": 2,
        "near": 0, "far": 9,
    },
    "size": [640, 480],
    "light": {"direction": [-0.5, -0.6, -1.0], "color": [1, 0.9, 0.8], "intensity": 0.8},
    "ambient": {"color": [1, 1, 1], "intensity": 0.25},
    "background": [0.2, 0.3, 0.4, 0.5],
    "outlines": False,
    "time": 0.7,
    "supersample": 2,
    "mipmaps": False,
    "choices": Choices(pose="wave", mirrored=True, wording=3).to_json(),
}  # fmt: skip


def changed(path: str, value: Any) -> dict[str, Any]:
    """FULL with one value replaced (`camera.near`), or removed where value is ..."""
    entry = copy.deepcopy(FULL)
    *parents, last = path.split(".")
    inner = entry
    for p in parents:
        inner = inner[p]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return entry


def test_defaults_are_those_of_the_shots_format() -> None:
    s = Shot.from_json(SMALLEST)
    assert s.camera == Camera((0.0, 1.0, 3.0), (0.0, 1.0, 0.0), (0.0, 1.0, 0.0), 30.0, None, 0.1, 20.0)
    assert (s.light, s.ambient, s.background, s.wind) == (None,) * 4 and s.figures == (Figure(s.figure.avatar),)
    assert (s.figure.look_at, s.figure.settle_seconds, s.figure.hips_offset) == (None,) * 3
    assert (s.outlines, s.time, s.supersample, s.mipmaps) == (True, 0.0, 1, True)
    assert (s.figure.bones, s.figure.expressions) == ({}, {})


def test_null_is_absent() -> None:
    optional = set(FULL) - set(SMALLEST)
    assert Shot.from_json(SMALLEST | dict.fromkeys(optional)) == Shot.from_json(SMALLEST)


def test_every_key_is_read() -> None:
    s, v = Shot.from_json(FULL), Shot.from_json(FULL).view()
    assert s.figure.look_at == LookAtAngles(10.5, -3.0)
    assert (v.camera, v.size, v.light, v.ambient, v.background) == (s.camera, s.size, s.light, s.ambient, s.background)
    assert (v.outlines, v.time, v.supersample, v.mipmaps) == (False, 0.7, 2, False)
    assert s.to_json() == FULL


def test_a_gaze_may_be_a_point() -> None:
    s = Shot.from_json(changed("look_at", [1, 2, 3]))
    assert s.figure.look_at == (1.0, 2.0, 3.0)
    assert s.to_json()["look_at"] == [1.0, 2.0, 3.0]


def test_shots_can_be_pickled() -> None:
    s = Shot.from_json(FULL)
    assert pickle.loads(pickle.dumps(s)) == s


@needs_corpus
def test_reference_shots_round_trip_through_json() -> None:
    assert isinstance(CORPUS, Path)
    for entry in json.loads((CORPUS / "reference" / "shots.json").read_text()):
        s = Shot.from_json(entry)
        written = s.to_json()
        assert {k: written[k] for k in entry} == entry
        assert Shot.from_json(json.loads(json.dumps(written))) == s


numbers = st.floats(-1e4, 1e4, allow_nan=False)
units = st.floats(0, 1, allow_nan=False)


@settings(max_examples=150, deadline=None)
@given(
    position=st.tuples(numbers, numbers, numbers).filter(lambda p: abs(p[0]) + abs(p[1] - 1) + abs(p[2]) > 1e-3),
    weights=st.dictionaries(st.sampled_from(["happy", "aa", "わらい"]), units),
    background=st.none() | st.tuples(units, units, units, units),
    yaw=st.floats(-180, 180),
    near=st.floats(1e-6, 1),
)
def test_json_is_lossless(position, weights, background, yaw, near) -> None:  # type: ignore[no-untyped-def]
    s = Shot(
        "a", (Figure("b", expressions=weights, look_at=LookAtAngles(yaw, 0)),),
        Camera(position, (0, 1, 0), near=near), (8, 8), background=background,
    )  # fmt: skip
    assert Shot.from_json(json.loads(json.dumps(s.to_json()))) == s


BAD: list[tuple[str, Any, str]] = [
    ("id", "a/b", "id"),
    ("id", "a\n", "id"),
    ("id", "", "id"),
    ("id", 7, "id"),
    ("id", ..., "id"),
    ("avatar", "", "avatar"),
    ("avatar", "a\0b", "avatar"),
    ("avatar", ["x"], "avatar"),
    ("pose", [], "pose"),
    ("pose.bones", [], "pose.bones"),
    ("pose.bones.head", [0, 0, 0, 1.1], "pose.bones.head"),
    ("pose.bones.head", [0, 0, 1], "pose.bones.head"),
    ("pose.bones.head", [0, 0, "0", 1], "pose.bones.head[2]"),
    ("pose.hips_offset", [0, float("inf"), 0], "pose.hips_offset[1]"),
    ("expressions.happy", 1.01, "expressions.happy"),
    ("expressions.happy", True, "expressions.happy"),
    ("look_at", {"yaw": 200}, "look_at.yaw"),
    ("look_at", {"roll": 2}, "roll"),
    ("look_at", "me", "look_at"),
    ("spring_bones", {}, "settle_seconds"),
    ("spring_bones.settle_seconds", 1e9, "spring_bones.settle_seconds"),
    ("camera.position", [0, 1, 0], "camera"),
    ("camera.position", ..., "position"),
    ("camera.near", -1, "camera.near"),
    ("camera.near", 9, "near"),
    ("camera.fov_y", 180, "camera.fov_y"),
    ("camera.up", [0, 0, 0], "camera.up"),
    ("camera.ortho_height", 0, "camera.ortho_height"),
    ("camera.far", 10**400, "camera.far"),
    ("size", [0, 5], "size[0]"),
    ("size", [5, 8193], "size[1]"),
    ("size", [5.5, 5], "size[0]"),
    ("size", [5], "size"),
    ("light.intensity", -1, "light.intensity"),
    ("light.direction", [0, 0, 0], "light.direction"),
    ("light.colour", [1, 1, 1], "color"),
    ("ambient.color", [1, 1, -1], "ambient.color[2]"),
    ("background", [1, 1, 1], "background"),
    ("background", [1, 1, 1, 2], "background[3]"),
    ("outlines", 1, "outlines"),
    ("time", float("nan"), "time"),
    ("supersample", 0, "supersample"),
    ("supersample", 9, "supersample"),
    ("mipmaps", "yes", "mipmaps"),
    ("choices.pose", {"a": 1}, "choices.pose"),
    ("choices.mirrored", 1, "choices.mirrored"),
    ("choices.wording", -1, "choices.wording"),
    ("choices.poze", "wave", "did you mean pose"),
    ("choices", [], "choices"),
    ("labels", {}, "unknown key"),
    ("suparsample", 2, "did you mean supersample"),
]


@pytest.mark.parametrize(("path", "value", "named"), BAD)
def test_invalid_values_are_refused_by_key(path: str, value: Any, named: str) -> None:
    with pytest.raises(ShotError) as e:
        Shot.from_json(changed(path, value))
    assert named in str(e.value)
    assert "\n" not in str(e.value)
    assert len(str(e.value)) < 700


def test_a_size_beyond_every_driver_is_refused() -> None:
    with pytest.raises(ShotError, match="too large"):
        Shot.from_json({**SMALLEST, "size": [8192, 10], "supersample": 4})


@pytest.mark.parametrize("entry", [None, 3, [], "x"])
def test_an_entry_must_be_an_object(entry: object) -> None:
    with pytest.raises(ShotError, match="not an object"):
        Shot.from_json(entry)


def test_a_shot_made_in_code_is_checked_too() -> None:
    with pytest.raises(ShotError, match=r"expressions\.happy"):
        Figure("b", expressions={"happy": 2})
    figure = Figure("b")
    for figures in ((), (figure, figure), [figure], ("b",)):
        with pytest.raises(ShotError, match="one figure"):
            Shot("a", figures, Camera((0, 1, 3), (0, 1, 0)), (8, 8))  # type: ignore[arg-type]


def test_ambient_from_sky_and_ground_and_wind_survive_json() -> None:
    entry = {
        **FULL,
        "ambient": {"sky": [0.2, 0.4, 0.8], "ground": [0.5, 0.3, 0.1], "intensity": 0.7},
        "spring_bones": {"settle_seconds": 0.5, "wind": [1.0, 0.0, -0.5]},
    }
    shot = Shot.from_json(entry)
    assert shot.view().ambient == Ambient((0.2, 0.4, 0.8), 0.7, (0.5, 0.3, 0.1))
    assert shot.wind == (1.0, 0.0, -0.5)
    assert shot.to_json()["ambient"] == entry["ambient"] and shot.to_json()["spring_bones"] == entry["spring_bones"]
    assert Shot.from_json(json.loads(json.dumps(shot.to_json()))) == shot


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("ambient", {"sky": [1, 1, 1]}, "ground"),
        ("ambient", {"sky": [1, 1, 1], "ground": [1, 1, 1], "color": [1, 1, 1]}, "color"),
        ("ambient", {"sky": [1, 1, 1], "ground": [1, -1, 1]}, r"ambient\.ground\[1\]"),
        ("spring_bones", {"wind": [1, 0, 0]}, "settle_seconds"),
        ("spring_bones", {"settle_seconds": 1, "wind": [1, 0]}, r"spring_bones\.wind"),
    ],
)
def test_half_an_ambient_or_a_wind_with_nothing_to_blow_is_refused(key: str, value: object, message: str) -> None:
    with pytest.raises(ShotError, match=message):
        Shot.from_json({**FULL, key: value})
