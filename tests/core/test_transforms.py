"""Algebraic laws of the transforms, broadcasting, and agreement with scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from vrm_synth.core.transforms import (
    clip_from_view_orthographic,
    clip_from_view_perspective,
    compose,
    decompose,
    direction_to_camera,
    matrix_quat,
    normal_matrix,
    quat_axis_angle,
    quat_between,
    quat_inverse,
    quat_matrix,
    quat_mul,
    quat_rotate,
    transform_points,
    world_from_view,
)

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=40, deadline=None)


def quats(seed: int, *shape: int) -> np.ndarray:
    q = np.random.default_rng(seed).normal(size=(*shape, 4))
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def same_turn(a: np.ndarray, b: np.ndarray, tolerance: float = 1e-12) -> None:
    """q and −q are the same rotation."""
    np.testing.assert_allclose(np.abs(np.sum(a * b, -1)), 1.0, atol=tolerance)


@few
@given(seeds)
def test_quaternions_are_a_group(seed: int) -> None:
    a, b, c = quats(seed, 3, 7)
    one = np.array([0.0, 0.0, 0.0, 1.0])
    np.testing.assert_allclose(quat_mul(a, quat_inverse(a)), np.broadcast_to(one, a.shape), atol=1e-14)
    np.testing.assert_allclose(quat_mul(a, one), a)
    np.testing.assert_allclose(quat_mul(one, a), a)
    np.testing.assert_allclose(quat_mul(quat_mul(a, b), c), quat_mul(a, quat_mul(b, c)), atol=1e-14)
    np.testing.assert_allclose(np.linalg.norm(quat_mul(a, b), axis=-1), 1.0)


@few
@given(seeds)
def test_quaternions_agree_with_scipy(seed: int) -> None:
    a, b = quats(seed, 2, 9)
    v = np.random.default_rng(seed).normal(size=(9, 3))
    ra, rb = Rotation.from_quat(a), Rotation.from_quat(b)
    np.testing.assert_allclose(quat_matrix(a), ra.as_matrix(), atol=1e-14)
    np.testing.assert_allclose(quat_rotate(a, v), ra.apply(v), atol=1e-14)
    same_turn(quat_mul(a, b), (ra * rb).as_quat())
    np.testing.assert_allclose(matrix_quat(ra.as_matrix()), ra.as_quat(canonical=True), atol=1e-14)


@few
@given(seeds)
def test_matrices_and_quaternions_convert_both_ways(seed: int) -> None:
    a, b = quats(seed, 2, 5)
    np.testing.assert_allclose(quat_matrix(quat_mul(a, b)), quat_matrix(a) @ quat_matrix(b), atol=1e-14)
    same_turn(matrix_quat(quat_matrix(a)), a)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, 0, 0.8), (0.6, 0.8, 0)])
def test_half_turns_have_no_w_and_survive(axis: tuple[float, float, float]) -> None:
    q = quat_axis_angle(axis, np.pi)
    same_turn(matrix_quat(quat_matrix(q)), q)


@few
@given(seeds)
def test_axis_angle_is_a_rotation_vector(seed: int) -> None:
    r = np.random.default_rng(seed)
    axis = r.normal(size=(6, 3))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = r.uniform(-np.pi, np.pi, 6)
    same_turn(quat_axis_angle(axis, angle), Rotation.from_rotvec(axis * angle[:, None]).as_quat())


@few
@given(seeds)
def test_quat_between_is_the_shortest_turn(seed: int) -> None:
    r = np.random.default_rng(seed)
    a, b = r.normal(size=(2, 8, 3))
    a, b = (v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (a, b))
    q = quat_between(a, b)
    np.testing.assert_allclose(quat_rotate(q, a), b, atol=1e-12)
    angle = 2 * np.arccos(np.clip(q[:, 3], -1, 1))
    np.testing.assert_allclose(angle, np.arccos(np.clip(np.sum(a * b, -1), -1, 1)), atol=1e-7)


@pytest.mark.parametrize("a", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (-0.6, 0.8, 0), (0, -0.6, 0.8)])
def test_quat_between_opposites_and_equals(a: tuple[float, float, float]) -> None:
    v = np.array(a, float)
    np.testing.assert_allclose(quat_rotate(quat_between(v, -v), v), -v, atol=1e-12)
    np.testing.assert_allclose(quat_between(v, v), [0, 0, 0, 1], atol=1e-15)


@few
@given(seeds)
def test_decompose_undoes_compose(seed: int) -> None:
    r = np.random.default_rng(seed)
    t, q, s = r.normal(size=3), quats(seed, 1)[0], r.uniform(0.1, 3, 3)
    if seed % 2:
        s[0] = -s[0]  # a mirrored node
    t2, q2, s2 = decompose(compose(t, q, s))
    np.testing.assert_allclose(t2, t)
    np.testing.assert_allclose(s2, s)
    same_turn(q2, q)


def test_decompose_of_a_node_scaled_to_nothing_is_finite() -> None:
    for scale in [(0, 0, 0), (1, 0, 1), (0, 2, 3)]:
        t, q, s = decompose(compose((1, 2, 3), (0, 0, 0, 1), scale))
        assert np.isfinite(q).all() and np.isclose(np.linalg.norm(q), 1)
        np.testing.assert_allclose(t, (1, 2, 3))
        np.testing.assert_allclose(s, scale)


@few
@given(seeds)
def test_decompose_keeps_the_axes_that_are_left(seed: int) -> None:
    """However many axes are scaled to nothing, the same matrix comes out of what it is taken apart into."""
    r = np.random.default_rng(seed)
    scale = r.uniform(0.1, 3, 3) * (r.random(3) < 0.5)
    matrix = compose(r.normal(size=3), quats(seed, 1)[0], scale)
    np.testing.assert_allclose(compose(*decompose(matrix)), matrix, atol=1e-12)
    assert np.isclose(np.linalg.norm(decompose(matrix)[1]), 1)


@few
@given(seeds)
def test_compose_applies_scale_then_turn_then_shift(seed: int) -> None:
    r = np.random.default_rng(seed)
    t, q, s, p = r.normal(size=3), quats(seed, 1)[0], r.uniform(0.1, 3, 3), r.normal(size=(5, 3))
    np.testing.assert_allclose(transform_points(compose(t, q, s), p), quat_rotate(q, p * s) + t, atol=1e-13)


@few
@given(seeds)
def test_normal_matrix_keeps_normals_square_to_their_surface(seed: int) -> None:
    r = np.random.default_rng(seed)
    m = r.normal(size=(6, 3, 3))
    normal, tangent = r.normal(size=(2, 6, 3))
    tangent -= normal * (np.sum(normal * tangent, -1) / np.sum(normal * normal, -1))[:, None]
    turned = np.einsum("iab,ib->ia", normal_matrix(m), normal)
    moved = np.einsum("iab,ib->ia", m, tangent)
    np.testing.assert_allclose(np.sum(turned * moved, -1), 0, atol=1e-12)
    inverse = np.einsum("iba,ib->ia", np.linalg.inv(m), normal)  # the inverse transpose, direction included
    cos = np.sum(turned * inverse, -1) / np.linalg.norm(turned, axis=-1) / np.linalg.norm(inverse, axis=-1)
    np.testing.assert_allclose(cos, 1, atol=1e-9)


@pytest.mark.parametrize("lead", [(), (1,), (4,), (2, 3)])
def test_shapes_broadcast(lead: tuple[int, ...]) -> None:
    q = quats(0, *lead)
    one = np.array([0.0, 0.0, 0.0, 1.0])
    assert quat_mul(q, one).shape == (*lead, 4)
    assert quat_mul(one, q).shape == (*lead, 4)
    assert quat_rotate(q, np.ones(3)).shape == (*lead, 3)
    assert quat_rotate(one, np.ones((*lead, 3))).shape == (*lead, 3)
    assert quat_matrix(q).shape == (*lead, 3, 3)
    assert matrix_quat(quat_matrix(q)).shape == (*lead, 4)
    assert compose(np.zeros((*lead, 3)), q, np.ones(3)).shape == (*lead, 4, 4)
    assert quat_between(np.broadcast_to([1.0, 0, 0], (*lead, 3)), [0.0, 1, 0]).shape == (*lead, 4)
    assert normal_matrix(quat_matrix(q)).shape == (*lead, 3, 3)
    assert all(f.dtype == np.float64 for f in (quat_mul(q, one), quat_matrix(q.astype(np.float32))))


@few
@given(seeds)
def test_a_camera_is_a_rigid_frame_that_looks_at_its_target(seed: int) -> None:
    r = np.random.default_rng(seed)
    eye, target = r.normal(size=(2, 3))
    m = world_from_view(eye, target)
    np.testing.assert_allclose(m[:3, :3].T @ m[:3, :3], np.eye(3), atol=1e-12)
    assert np.linalg.det(m[:3, :3]) > 0
    ahead = (target - eye) / np.linalg.norm(target - eye)
    np.testing.assert_allclose(-m[:3, 2], ahead, atol=1e-12)
    assert m[1, 1] >= 0, "up stays up"


@pytest.mark.parametrize("up", [(0, 1, 0), (0, 0, 1)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_camera_that_looks_along_its_up_is_still_a_frame(up: tuple[int, int, int], sign: int) -> None:
    m = world_from_view((0, 0, 0), sign * np.array(up), up)
    np.testing.assert_allclose(m[:3, :3].T @ m[:3, :3], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(-m[:3, 2], sign * np.array(up), atol=2e-4)


@pytest.mark.parametrize("project", [clip_from_view_perspective, clip_from_view_orthographic])
def test_projections_put_near_at_minus_one_and_far_at_one(project: object) -> None:
    clip = project(40.0, 1.5, 0.1, 20.0)  # type: ignore[operator]
    for z, ndc in ((-0.1, -1), (-20, 1)):
        p = clip @ [0, 0, z, 1]
        assert p[2] / p[3] == pytest.approx(ndc)


def test_spherical_directions_are_unit() -> None:
    for a in range(-180, 181, 30):
        for e in range(-90, 91, 30):
            assert np.linalg.norm(direction_to_camera(a, e)) == pytest.approx(1)
