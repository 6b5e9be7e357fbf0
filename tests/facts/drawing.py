"""Draw one pose of an avatar, with the surface counted by region alone: what facts of the body are found in."""

from __future__ import annotations

from functools import cache
from weakref import WeakKeyDictionary

import numpy as np

from vrm_synth.appearance.surface_groups import Feature, SurfaceGroups, group_surface, region_name
from vrm_synth.camera.camera import Camera
from vrm_synth.camera.views import find_view
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.parts.surface import measure_surface
from vrm_synth.pose.pose_library import Pose
from vrm_synth.render.base import Buffers, Frame, View
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.shot.body_parts import bones_of_nodes
from vrm_synth.shot.body_view import BodyView
from vrm_synth.shot.posed_body import PosedBody, pose_body
from vrm_synth.vrm.avatar import Avatar

_GROUPS: WeakKeyDictionary[Avatar, SurfaceGroups] = WeakKeyDictionary()


@cache
def backend() -> GLBackend:
    return GLBackend()


def region_groups(avatar: Avatar) -> SurfaceGroups:
    """The surface by the region of the body that moves each triangle most."""
    if avatar not in _GROUPS:
        surface = measure_surface(avatar)
        bone = bones_of_nodes(avatar)[0][surface.lead]
        names = [region_name(int(b)) for b in bone]
        regions = sorted(set(names))
        vertices_of = surface.triangles.vertices_of
        _GROUPS[avatar] = group_surface(
            int(surface.triangles.first_vertex[-1]),
            vertices_of[:, 2],
            np.arange(len(vertices_of)),
            surface.area,
            np.array([regions.index(n) for n in names]),
            [Feature("skin", r) for r in regions],
        )
    return _GROUPS[avatar]


def draw(
    avatar: Avatar,
    pose: Pose | PosedBody,
    view: str | Camera,
    size: tuple[int, int] = (512, 512),
    geometry: bool = False,
) -> tuple[DrawnBody, Frame]:
    """A pose, seen by a camera or in a view of the presets. geometry: with Frame.geometry, for ray-cast truth."""
    body = pose if isinstance(pose, PosedBody) else pose_body(avatar, pose)
    if isinstance(view, str):
        v = find_view(view)
        view = body.frame(v.crop.down_to, v.aim(), v.crop.room(), size[0] / size[1])
    groups = region_groups(avatar)
    buffers = Buffers(surface=True, vertex_labels=groups.labels, geometry=frozenset() if geometry else None)
    frame = backend().render(body.posed, View(view, size, buffers=buffers))
    assert frame.surface is not None and frame.surface.label is not None
    body_view = BodyView(body.parts, body.posed, body.vertices, view, size)
    return DrawnBody(body_view, frame.surface.depth, groups.count(frame.surface.label)), frame
