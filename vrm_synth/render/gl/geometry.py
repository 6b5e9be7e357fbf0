"""An avatar flattened for the GPU: one vertex buffer, one index buffer, one list of instances.

Pure numpy, no OpenGL: what is computed here depends on the avatar alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.model import Mesh, Node, Primitive
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.drawn_triangles import drawn_triangles

VERTEX = np.dtype(
    [
        ("in_position", "f4", 3),
        ("in_normal", "f4", 3),
        ("in_tangent", "f4", 4),
        ("in_uv01", "f4", 4),
        ("in_uv23", "f4", 4),
        ("in_color", "f4", 4),
        ("in_joints", "u2", 4),
        ("in_weights", "f4", 4),
    ]
)
MAX_MATRICES = 1 << 16  # that in_joints can name
MAX_NUMBER = 1 << 24  # of triangles and vertices: what a float32 can tell apart
_CHUNK = 256  # points that are tested together, most of which lie inside
VERTEX_FORMAT = "3f4 3f4 4f4 4f4 4f4 4f4 4u2 4f4"


@dataclass(frozen=True, eq=False)
class Instance:
    """One primitive under one node.

    node: index of the node.
    mesh: index of the mesh, −1 where there is none.
    primitive: its data.
    name: of the object, for the frame's draw order.
    first_index: where its indices begin in the merged index buffer: 3 times the number of its first triangle.
    index_count: how many there are.
    first_vertex: where its vertices begin in the merged vertex buffer.
    center: (3,) float64, centre of the rest-pose bounding sphere, metres, in the node's space.
    mirrored: the node turns triangles inside out at rest.
    skinned: joints move it, not its node.
    """

    node: int
    mesh: int
    primitive: Primitive
    name: str
    first_index: int
    index_count: int
    first_vertex: int
    center: NDArray[np.float64]
    mirrored: bool
    skinned: bool


@dataclass(frozen=True, eq=False)
class Geometry:
    """An avatar's buffers on the CPU.

    vertices: (V,) VERTEX records, numbered as in vrm.drawn_triangles.
    indices: (I,) uint32 into vertices.
    instances: in scene order.
    skin_base: skin → row of its first joint's matrix in the palette.
    rigid_row: node without a skin → row of its matrix in the palette; that of its normals comes next.
    palette_size: rows of the palette.
    """

    vertices: NDArray[np.void]
    indices: NDArray[np.uint32]
    instances: tuple[Instance, ...]
    skin_base: dict[int, int]
    rigid_row: dict[int, int]
    palette_size: int


def flatten(rest: PosedAvatar) -> Geometry:
    """Merge every drawn primitive of an avatar in its rest pose. Instances are in scene order, depth first.

    Raises AvatarError for more matrices than vertices can name.
    """
    avatar = rest.avatar
    shown = set(avatar.drawn_nodes)
    drawn = [n for n in depth_first(avatar) if n in shown]
    skin_base, rigid_row, palette_size = _palette_rows(avatar, drawn)
    numbered = drawn_triangles(avatar)
    if max(len(numbered), numbered.first_vertex[-1]) >= MAX_NUMBER:
        raise AvatarError(
            "too many triangles or vertices to draw",
            got=max(len(numbered), int(numbered.first_vertex[-1])),
            allowed=MAX_NUMBER - 1,
            where=avatar.source,
        )
    vertices, indices, instances = [], [], []
    rows = zip(numbered.nodes.tolist(), numbered.primitives, numbered.first, numbered.first_vertex, strict=False)
    for n, p, first_triangle, first_vertex in rows:
        node, mesh = avatar.nodes[n], _mesh(avatar, n)
        skinned = avatar.skin_of(n, p) is not None
        row = skin_base[node.skin] if skinned and node.skin is not None else rigid_row[n]
        vertices.append(_records(p, row, skinned))
        indices.append(p.indices.ravel() + np.uint32(first_vertex))
        instances.append(
            Instance(
                node=n,
                mesh=node.mesh if node.mesh is not None else -1,
                primitive=p,
                name=_object_name(node, mesh),
                first_index=3 * int(first_triangle),
                index_count=p.indices.size,
                first_vertex=int(first_vertex),
                center=_center(rest, n, p),
                mirrored=bool(np.linalg.det(rest.world_from_node[n][:3, :3]) < 0),
                skinned=skinned,
            )
        )
    rank = {n: k for k, n in enumerate(drawn)}
    instances.sort(key=lambda i: rank[i.node])  # stable: the primitives of a mesh stay in order
    return Geometry(
        np.concatenate(vertices) if vertices else np.zeros(0, VERTEX),
        np.concatenate(indices).astype(np.uint32) if indices else np.zeros(0, np.uint32),
        tuple(instances),
        skin_base,
        rigid_row,
        palette_size,
    )


def _palette_rows(avatar: Avatar, drawn: list[int]) -> tuple[dict[int, int], dict[int, int], int]:
    """skin_base, rigid_row and palette_size of a Geometry. Raises AvatarError."""
    skin_base: dict[int, int] = {}
    rigid_row: dict[int, int] = {}
    size = 0
    for n in drawn:
        skin = avatar.nodes[n].skin
        if skin is not None and skin not in skin_base:
            skin_base[skin] = size
            size += len(avatar.skins[skin].joints)
        if any(avatar.skin_of(n, p) is None for p in avatar.primitives_of(n)):
            rigid_row[n] = size
            size += 2
    if size > MAX_MATRICES:
        raise AvatarError("too many joints to draw", got=size, allowed=MAX_MATRICES, where=avatar.source)
    return skin_base, rigid_row, size


def rest_positions(rest: PosedAvatar) -> NDArray[np.float32]:
    """Where each vertex of the merged buffer is in the rest pose: (V, 3) float32, world metres."""
    return np.concatenate([points for _, _, points, _ in posed_primitives(rest, with_normals=False)]).astype(np.float32)


def palette(geometry: Geometry, posed: PosedAvatar, view_from_world: NDArray[np.float64]) -> NDArray[np.float32]:
    """Compute the matrix palette of a pose: (P, 3, 4) float32, view space from mesh space.

    A row a joint; two a rigid node, the second for its normals (skinned normals go through their joints' matrices).

    The view is multiplied in here, in float64, so that a character far from the origin does not jitter.
    """
    avatar = posed.avatar
    view_from_node = view_from_world @ posed.world_from_node
    out = np.zeros((max(geometry.palette_size, 1), 3, 4))
    for skin_index, base in geometry.skin_base.items():
        skin = avatar.skins[skin_index]
        rows = (view_from_node[list(skin.joints)] @ skin.inverse_bind)[:, :3]
        out[base : base + len(rows)] = rows
    for node, row in geometry.rigid_row.items():
        m = view_from_node[node]
        out[row] = m[:3]
        # Normals go through the cofactor matrix: the inverse transpose up to length, and defined even
        # where an avatar scales a part to nothing.
        out[row + 1, :, :3] = _cofactor(m[:3, :3])
    return out.astype(np.float32)


def depth_first(avatar: Avatar) -> list[int]:
    """The scene's nodes, each followed by its children: the order in which objects are drawn on ties."""
    in_scene = set(avatar.scene_nodes)
    stack = [n for n in reversed(avatar.scene_nodes) if avatar.nodes[n].parent not in in_scene]
    out = []
    while stack:
        n = stack.pop()
        out.append(n)
        stack.extend(c for c in reversed(avatar.nodes[n].children) if c in in_scene)
    return out


def _mesh(avatar: Avatar, node: int) -> Mesh:
    mesh = avatar.nodes[node].mesh
    assert mesh is not None
    return avatar.meshes[mesh]


def _object_name(node: Node, mesh: Mesh) -> str:
    return (node.name or mesh.name) if len(mesh.primitives) == 1 else (mesh.name or node.name)


def _records(p: Primitive, row: int, skinned: bool) -> NDArray[np.void]:
    """VERTEX records. row: of the palette, the first joint's of a skin or a rigid node's own."""
    out = np.zeros(len(p.positions), VERTEX)
    out["in_position"] = p.positions
    if p.normals is not None:
        out["in_normal"] = p.normals
    if p.tangents is not None:
        out["in_tangent"] = p.tangents
    for k, uv in enumerate(p.tex_coords[:4]):
        out["in_uv01" if k < 2 else "in_uv23"][:, 2 * (k % 2) : 2 * (k % 2) + 2] = uv
    out["in_color"] = 1.0 if p.colors is None else p.colors
    if skinned and p.joints is not None:
        out["in_joints"] = p.joints + row
        out["in_weights"] = p.weights
    else:
        out["in_joints"][:, 0] = row
        out["in_weights"][:, 0] = 1.0
    return out


def _cofactor(m: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([np.cross(m[1], m[2]), np.cross(m[2], m[0]), np.cross(m[0], m[1])])


def _center(rest: PosedAvatar, node: int, p: Primitive) -> NDArray[np.float64]:
    if not len(p.positions):
        return np.zeros(3)
    s = rest.avatar.skin_of(node, p)
    if s is None:
        return (p.positions.min(0).astype(np.float64) + p.positions.max(0)) / 2
    assert p.joints is not None and p.weights is not None
    mesh_from_joint = np.linalg.pinv(rest.world_from_node[node]) @ rest.world_from_node[list(s.joints)] @ s.inverse_bind
    rows = mesh_from_joint[:, :3].reshape(-1, 12)
    blended = np.zeros((len(p.positions), 12))
    for k in range(4):
        blended += p.weights[:, k, None] * rows[p.joints[:, k]]
    per_vertex = blended.reshape(-1, 3, 4)
    return _grown_sphere_center(np.einsum("vij,vj->vi", per_vertex[..., :3], p.positions) + per_vertex[..., 3])


def _grown_sphere_center(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre of the sphere that grows, point by point in order, just enough to hold the next one."""
    (x, y, z), radius = points[0].tolist(), 0.0
    for first in range(1, len(points), _CHUNK):
        chunk = points[first : first + _CHUNK]
        if ((chunk - (x, y, z)) ** 2).sum(-1).max() <= radius * radius:
            continue
        for px, py, pz in chunk.tolist():
            dx, dy, dz = px - x, py - y, pz - z
            if (distance := math.sqrt(dx * dx + dy * dy + dz * dz)) > radius:
                grow = (distance - radius) / 2
                x, y, z = x + dx * grow / distance, y + dy * grow / distance, z + dz * grow / distance
                radius += grow
    return np.array([x, y, z])
