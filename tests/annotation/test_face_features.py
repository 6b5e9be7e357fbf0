"""Landmarks of the face do what their features do: eyelids close, lips part, brows rise."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tests.annotation.scene import avatar_of
from tests.corpus import needs_corpus
from vrm_synth.annotation import keypoint_names as names
from vrm_synth.annotation.landmark import landmark_positions
from vrm_synth.annotation.landmarks import landmarks_of
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.shot.body_parts import body_parts_of, posed_vertices

SHARED = (needs_corpus, pytest.mark.corpus)
# Avatars with expressions that close the eyes.
CONTOURED = ("demo", *(pytest.param(n, marks=SHARED) for n in ("m_expressive", "zombie")))


def face(name: str, **expressions: float) -> dict[str, np.ndarray]:
    """Name → (3,) position of every landmark in the rest pose, under expressions."""
    avatar = avatar_of(name)
    points = landmarks_of(avatar).points
    vertices = posed_vertices(body_parts_of(avatar), evaluate(avatar, expressions=expressions))
    return dict(zip(points, landmark_positions(list(points.values()), vertices), strict=True))


def rows(points: dict[str, np.ndarray], indices: tuple[int, ...]) -> np.ndarray:
    return np.array([points[f"face-{i}"] for i in indices])


def gap(points: dict[str, np.ndarray], upper: tuple[int, ...], lower: tuple[int, ...]) -> float:
    return float(np.mean(rows(points, upper)[:, 1] - rows(points, lower)[:, 1]))


def test_the_built_in_face_has_all_68_points():
    marks = landmarks_of(avatar_of("demo"))
    assert {f"face-{i}" for i in range(68)} <= marks.points.keys() and not marks.missing


def test_points_are_in_ibugs_order():
    points = face("demo")
    x = lambda *i: rows(points, i)[:, 0]  # noqa: E731
    y = lambda *i: rows(points, i)[:, 1]  # noqa: E731
    assert (np.diff(x(*range(17))) > 0).all()  # from the avatar's right to its left: −X to +X
    assert y(8)[0] == y(*range(17)).min() and y(8)[0] < y(57)[0]
    assert (np.diff(x(*range(17, 27))) > 0).all() and y(*range(17, 27)).min() > y(37, 38, 43, 44).max()
    assert (np.diff(y(27, 28, 29, 30)) < 0).all() and (np.diff(x(31, 32, 33, 34, 35)) > 0).all()
    assert (np.diff(x(36, 37, 38, 39)) > 0).all() and (np.diff(x(39, 40, 41, 36)) < 0).all()
    assert (np.diff(x(42, 43, 44, 45)) > 0).all() and (np.diff(x(45, 46, 47, 42)) < 0).all()
    assert y(37)[0] > y(41)[0] and y(44)[0] > y(46)[0]
    assert (np.diff(x(*range(48, 55))) > 0).all() and (np.diff(x(*range(54, 60), 48)) < 0).all()
    assert (np.diff(x(*range(60, 65))) > 0).all() and (np.diff(x(64, 65, 66, 67, 60)) < 0).all()
    assert y(33)[0] < y(30)[0] and points["face-30"][2] == max(rows(points, range(27, 36))[:, 2])


def test_the_built_in_face_is_symmetric():
    points = face("demo")
    for i in range(68):
        mirror = points[names.mirrored_name(f"face-{i}")]
        assert np.abs(points[f"face-{i}"] - mirror * [-1, 1, 1]).max() < 0.002, i


@pytest.mark.parametrize("name", CONTOURED)
def test_a_blink_closes_the_eyes(name):
    still, shut = face(name), face(name, blink=1.0)
    for upper, lower in (((37, 38), (41, 40)), ((43, 44), (47, 46))):
        opening = gap(still, upper, lower)
        assert opening > 0.01 and gap(shut, upper, lower) < 0.5 * opening


@pytest.mark.parametrize("name", ["demo", pytest.param("m_expressive", marks=SHARED)])
def test_vowels_part_the_lips(name):
    still, wide = face(name), face(name, aa=1.0)
    assert gap(wide, (61, 62, 63), (67, 66, 65)) > gap(still, (61, 62, 63), (67, 66, 65)) + 0.005
    assert np.abs(rows(wide, names.NOSE_BRIDGE) - rows(still, names.NOSE_BRIDGE)).max() < 1e-6


def test_surprise_lifts_the_brows():
    still, lifted = face("demo"), face("demo", surprised=1.0)
    brows = (*names.RIGHT_BROW, *names.LEFT_BROW)
    assert (rows(lifted, brows)[:, 1] - rows(still, brows)[:, 1] > 0.003).all()


@needs_corpus
@pytest.mark.corpus
def test_where_the_mesh_does_not_tell_nothing_is_labeled():
    for name in ("skinnie4", "v1_samplebot", "boombox7"):
        marks = landmarks_of(avatar_of(name))
        assert not [n for n in marks.points if n.startswith("face-")] and "nose" not in marks.points
        assert marks.missing["face"] and marks.missing["left_eye contour"]


@needs_corpus
@pytest.mark.corpus
def test_a_blink_that_is_named_after_the_wrong_side_is_put_right():
    # m_expressive's Blink_L closes the eye at −X, which is the avatar's right one.
    left = face("m_expressive", blinkLeft=1.0)
    still = face("m_expressive")
    moved = {side: np.abs(rows(left, r) - rows(still, r)).max() for side, r in
             (("right", names.RIGHT_EYE), ("left", names.LEFT_EYE))}  # fmt: skip
    assert moved["right"] > 0.01 > moved["left"]
    assert still["right_eye"][0] < 0 < still["left_eye"][0]


def test_without_a_blink_the_eyes_are_where_their_bones_are():
    avatar = avatar_of("demo")
    blind = replace(avatar, expressions={n: e for n, e in avatar.expressions.items() if not n.startswith("blink")},
                    meshes=tuple(replace(m, target_names=()) for m in avatar.meshes))  # fmt: skip
    marks = landmarks_of(blind)
    assert "face-36" not in marks.points and marks.missing["right_eye contour"]
    eye = landmark_positions([marks.points["left_eye"]], marks.surface.parts.rest)[0]
    assert np.allclose(eye[:2], marks.surface.parts.landmarks["leftEye"][:2], atol=1e-6)
    assert {"face-8", "face-30", "face-48"} <= marks.points.keys()  # the rest is looked for from them


def test_a_face_of_unknown_direction_has_no_points():
    marks = landmarks_of(replace(avatar_of("demo"), front_known=False))
    assert not [n for n in marks.points if n.startswith("face-")] and "front" in marks.missing["face"]


def test_every_landmark_is_on_the_surface():
    marks = landmarks_of(avatar_of("demo"))
    for name, m in marks.points.items():
        assert sum(m.weights) == pytest.approx(1) and min(m.weights) >= -1e-5, name
        corners = marks.surface.parts.rest[list(m.vertices)]
        assert max(np.linalg.norm(a - b) for a, b in pairwise(corners)) < 0.05, name
