"""An independent ray cast of a posed avatar: which triangle a ray through each pixel's centre meets first, and where.

trimesh and Embree find the hits on vertices that the CPU has skinned; back faces of single-sided materials and texels
that are cut out, or more than half transparent, let the ray through.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray
from trimesh.ray.ray_pyembree import RayMeshIntersector

from vrm_synth.camera.camera import Camera
from vrm_synth.gltf.model import Material, Primitive
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.vrm.drawn_triangles import drawn_triangles

MAX_HITS = 24


@dataclass(frozen=True, eq=False)
class RayHits:
    """The first hit of each pixel's ray, top row first.

    triangle: (H, W) int, number of the triangle, −1 for none.
    depth: (H, W) metres along the view axis.
    normal: (H, W, 3) unit normal of the triangle's plane, view space, towards the viewer.
    """

    triangle: NDArray[np.int64]
    depth: NDArray[np.float64]
    normal: NDArray[np.float64]


def ray_cast(posed: PosedAvatar, camera: Camera, size: tuple[int, int]) -> RayHits:
    """Cast a ray through the centre of each pixel."""
    width, height = size
    parts = posed_primitives(posed, with_normals=False)
    vertices = np.concatenate([p for _, _, p, _ in parts])
    triangles = drawn_triangles(posed.avatar).vertices_of
    view_from_world = camera.view_from_world()
    origins, directions = _rays(camera, width, height)
    candidates = _facing(posed, parts, camera, vertices, triangles)
    translucent = _translucent(posed)[candidates]
    hits = [_cast(vertices, triangles, candidates[~translucent], origins, directions, several=False)]
    hit, ray, point = _cast(vertices, triangles, candidates[translucent], origins, directions, several=True)
    shows = _shows(posed, parts, vertices, hit, point)
    hits.append((hit[shows], ray[shows], point[shows]))
    hit, ray, point = (np.concatenate(columns) for columns in zip(*hits, strict=True))
    view_point = point @ view_from_world[:3, :3].T + view_from_world[:3, 3]
    order = np.lexsort((hit, -view_point[:, 2], ray))
    first = order[np.unique(ray[order], return_index=True)[1]]
    out_triangle = np.full(width * height, -1, np.int64)
    depth = np.full(width * height, np.inf)
    normal = np.zeros((width * height, 3))
    out_triangle[ray[first]] = hit[first]
    depth[ray[first]] = -view_point[first, 2]
    plane = _cross(vertices, triangles[hit[first]]) @ view_from_world[:3, :3].T
    plane /= np.linalg.norm(plane, axis=1, keepdims=True)
    to_viewer = -view_point[first] if camera.ortho_height is None else np.array([0.0, 0.0, 1.0])
    normal[ray[first]] = plane * np.where((plane * to_viewer).sum(1) < 0, -1, 1)[:, None]
    return RayHits(out_triangle.reshape(height, width), depth.reshape(height, width), normal.reshape(height, width, 3))


def _rays(camera: Camera, width: int, height: int) -> tuple[NDArray, NDArray]:
    """(origins, directions), (H · W, 3) each, world frame."""
    world_from_view, clip = camera.world_from_view(), camera.clip_from_view(width, height)
    x = ((np.arange(width) + 0.5) / width * 2 - 1) / clip[0, 0]
    y = (1 - (np.arange(height) + 0.5) / height * 2) / clip[1, 1]
    slopes = np.stack([*np.broadcast_arrays(x[None], y[:, None]), np.full((height, width), -1.0)], -1).reshape(-1, 3)
    if camera.ortho_height is None:
        origins, directions = np.zeros_like(slopes), slopes
    else:
        origins, directions = slopes * [1, 1, 0], np.broadcast_to([0.0, 0.0, -1.0], slopes.shape)
    turn = world_from_view[:3, :3].T
    return origins @ turn + world_from_view[:3, 3], directions @ turn


def _cast(vertices, triangles, of, origins, directions, several: bool) -> tuple[NDArray, NDArray, NDArray]:
    """(triangle, ray, point) of each hit on the triangles whose numbers are `of`."""
    if not len(of):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 3))
    mesh = trimesh.Trimesh(vertices, triangles[of], process=False, validate=False)
    hit, ray, point = RayMeshIntersector(mesh).intersects_id(
        origins, directions, multiple_hits=several, max_hits=MAX_HITS, return_locations=True
    )
    return of[hit], ray, point


def _facing(posed, parts, camera, vertices, triangles) -> NDArray[np.int64]:
    """Numbers of the triangles that are not culled: their side is a matter of where the camera stands alone."""
    cross = _cross(vertices, triangles)
    view_axis = camera.world_from_view()[:3, 2]
    to_eye = np.asarray(camera.position) - vertices[triangles[:, 0]] if camera.ortho_height is None else view_axis
    front = (cross * to_eye).sum(1)
    sides = []
    for node, primitive, _, _ in parts:
        mirrored = np.linalg.det(posed.world_from_node[node][:3, :3]) < 0
        sides.append(0 if posed.materials[primitive.material].double_sided else -1 if mirrored else 1)
    side = np.asarray(sides)[drawn_triangles(posed.avatar).primitive_of]
    return np.flatnonzero((front * side >= 0) & (np.linalg.norm(cross, axis=1) > 0))


def _translucent(posed: PosedAvatar) -> NDArray[np.bool_]:
    numbered = drawn_triangles(posed.avatar)
    cut = [posed.materials[p.material].alpha_mode != "OPAQUE" for p in numbered.primitives]
    return np.asarray(cut, np.bool_)[numbered.primitive_of]


def _cross(vertices: NDArray, triangles: NDArray) -> NDArray:
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def _shows(posed, parts, vertices, hit, point) -> NDArray[np.bool_]:
    """(N,) mask of the hits whose texel is opaque enough to stop a ray."""
    numbered = drawn_triangles(posed.avatar)
    shows = np.ones(len(hit), np.bool_)
    for k, (_, primitive, _, _) in enumerate(parts):
        of = np.flatnonzero(numbered.primitive_of[hit] == k)
        if len(of):
            material: Material = posed.materials[primitive.material]
            least = material.alpha_cutoff if material.alpha_mode == "MASK" else 0.5
            weights = trimesh.triangles.points_to_barycentric(vertices[numbered.vertices_of[hit[of]]], point[of])
            shows[of] = _alpha(posed, primitive, material, hit[of] - numbered.first[k], weights) >= least
    return shows


def _alpha(posed: PosedAvatar, primitive: Primitive, material: Material, triangle, weights) -> NDArray[np.float64]:
    alpha = np.full(len(triangle), material.base_color_factor[3], np.float64)
    corners = primitive.indices[triangle]
    info = material.base_color_texture
    if primitive.colors is not None and material.kind != "mtoon":
        alpha *= (primitive.colors[corners, 3] * weights).sum(1)
    if info is not None and primitive.tex_coords:
        uv = (primitive.tex_coords[info.tex_coord][corners] * weights[..., None]).sum(1)
        c, s = np.cos(info.rotation), np.sin(info.rotation)
        u = c * info.scale[0] * uv[:, 0] + s * info.scale[1] * uv[:, 1] + info.offset[0]
        v = -s * info.scale[0] * uv[:, 0] + c * info.scale[1] * uv[:, 1] + info.offset[1]
        texture = posed.avatar.textures[info.texture]
        image = posed.avatar.images[texture.image]
        assert image is not None
        alpha *= _bilinear(image.pixels[..., 3] / 255, u, v)
    return alpha


def _bilinear(values: NDArray, u: NDArray, v: NDArray) -> NDArray:
    height, width = values.shape
    x, y = u * width - 0.5, v * height - 0.5
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - x0, y - y0
    at = lambda i, j: values[(y0 + j) % height, (x0 + i) % width]  # noqa: E731
    return (at(0, 0) * (1 - fx) + at(1, 0) * fx) * (1 - fy) + (at(0, 1) * (1 - fx) + at(1, 1) * fx) * fy
