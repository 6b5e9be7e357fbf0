"""Planned shots and figures under known cameras, drawn with their parts labeled: what facts of faces are tested on."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from weakref import WeakKeyDictionary

import numpy as np

from vrm_synth.appearance.surface_groups import Feature, SurfaceGroups, group_surface, region_name
from vrm_synth.camera.camera import Camera
from vrm_synth.core.transforms import Array
from vrm_synth.dataset.render_shot import pose_for
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.parts.labeling import label_parts
from vrm_synth.parts.part_names import PART_NAMES
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import Buffers, Frame, View
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.shot import PlannedShot
from vrm_synth.shot.body_parts import body_parts_of, bones_of_nodes, posed_vertices
from vrm_synth.shot.body_view import BodyView
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.drawn_triangles import drawn_triangles

_GROUPS: WeakKeyDictionary[Avatar, SurfaceGroups] = WeakKeyDictionary()


@cache
def backend() -> GLBackend:
    """One renderer for all tests of a module."""
    return GLBackend()


def groups_of(avatar: Avatar) -> SurfaceGroups:
    """The avatar's surface by part and region, every triangle of one part."""
    if avatar not in _GROUPS:
        d = drawn_triangles(avatar)
        part = label_parts(avatar).triangles.astype(np.intp)
        bone = _leading_bones(avatar)
        corners = np.concatenate([p.positions[p.indices] for p in d.primitives]).astype(np.float64)
        area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
        keys = part * 100 + bone + 1
        used, feature = np.unique(keys, return_inverse=True)
        features = [Feature(PART_NAMES[k // 100], region_name(k % 100 - 1)) for k in used.tolist()]
        triangle = np.arange(len(d))
        _GROUPS[avatar] = group_surface(
            int(d.first_vertex[-1]), d.vertices_of[:, 2], triangle, area, feature.reshape(-1), features
        )
    return _GROUPS[avatar]


def _leading_bones(avatar: Avatar) -> np.ndarray:
    bone_of_node, _, _ = bones_of_nodes(avatar)
    out = []
    d = drawn_triangles(avatar)
    for node, p in zip(d.nodes.tolist(), d.primitives, strict=True):
        skin = avatar.skin_of(node, p)
        if skin is None:
            out.append(np.full(len(p.indices), bone_of_node[node], np.intp))
            continue
        assert p.joints is not None and p.weights is not None
        most = p.weights.argmax(1)
        joint = np.take_along_axis(p.joints, most[:, None], 1)[:, 0]
        out.append(bone_of_node[np.asarray(skin.joints)[joint]][p.indices[:, 2]].astype(np.intp))
    return np.concatenate(out)


def draw(posed: PosedAvatar, view: View) -> tuple[DrawnBody, Frame]:
    """A posed avatar in a view, and its picture."""
    avatar = posed.avatar
    groups = groups_of(avatar)
    frame = backend().render(posed, replace(view, buffers=Buffers(surface=True, vertex_labels=groups.labels)))
    assert frame.surface is not None and frame.surface.label is not None
    parts = body_parts_of(avatar)
    body = BodyView(parts, posed, posed_vertices(parts, posed), view.camera, view.size)
    return DrawnBody(body, frame.surface.depth, groups.count(frame.surface.label)), frame


def draw_planned(planned: PlannedShot) -> tuple[DrawnBody, Frame]:
    """The picture of a planned shot: the body as it was planned, as facts get it."""
    shot = planned.shot
    posed = pose_for(planned.view.posed.avatar, shot) if planned.posed is None else planned.posed
    drawn, frame = draw(posed, shot.view())
    return replace(drawn, view=planned.view), frame


def camera_around(point: Array, azimuth: float, elevation: float, distance: float, fov_y: float = 30.0) -> Camera:
    """A camera that looks at a point from known angles around the world's axes, degrees."""
    a, e = np.radians((azimuth, elevation))
    toward = np.array([np.cos(e) * np.sin(a), np.sin(e), np.cos(e) * np.cos(a)])
    x, y, z = (np.asarray(point) + distance * toward).tolist()
    tx, ty, tz = np.asarray(point).tolist()
    return Camera((x, y, z), (tx, ty, tz), fov_y=fov_y)
