"""The surface of an avatar at rest, by triangle: where it lies, which zone moves it, what hangs together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.core.transforms import Array
from vrm_synth.gltf.model import Primitive
from vrm_synth.parts.zones import ZONE_NAMES, ZONES
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.drawn_triangles import DrawnTriangles, drawn_triangles

WELD = 1e-5  # vertices nearer than this share of the body's height are one point of the surface

Ids = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Surface:
    """The drawn triangles of an avatar at rest: T triangles, E shared edges, B humanoid bones.

    triangles: the numbering.
    corners: (T, 3, 3) float64, world metres.
    area: (T,) square metres.
    zone: (T,) uint8, index into ZONE_NAMES.
    loose: (T,) share of the weight whose node is no humanoid bone itself but hangs below one (hair, skirts).
    lead: (T,) int32, node that moves the triangle most.
    piece: (T,) int32, number of the connected piece of surface.
    neighbors: (E, 2) int32, triangles that share an edge.
    landmarks: humanoid bone → (3,) world position, metres.
    floor, top: height of the lowest and of the highest corner, metres.
    """

    triangles: DrawnTriangles
    corners: Array
    area: Array
    zone: NDArray[np.uint8]
    loose: Array
    lead: Ids
    piece: Ids
    neighbors: Ids
    landmarks: dict[str, Array]
    floor: float
    top: float

    def in_zone(self, *names: str) -> NDArray[np.bool_]:
        """(T,) mask of the triangles in the named zones."""
        return np.isin(self.zone, [ZONE_NAMES.index(n) for n in names])

    @property
    def centers(self) -> Array:
        """(T, 3) centers of the triangles, world metres."""
        return self.corners.mean(1)


def measure_surface(avatar: Avatar) -> Surface:
    """Measure an avatar's surface at rest; an avatar that draws nothing has T = 0."""
    numbered = drawn_triangles(avatar)
    posed = evaluate(avatar)
    bone_of_node, is_bone = _bones_of_nodes(avatar)
    corners, nodes = [np.zeros((0, 3, 3))], [np.zeros(0, np.intp)]
    zones, loose, leads = [np.zeros(0, np.uint8)], [np.zeros(0)], [np.zeros(0, np.int32)]
    for node, primitive, positions, _ in posed_primitives(posed, with_normals=False):
        corners.append(positions[primitive.indices])
        zone, free, lead = _moved_by(avatar, node, primitive, bone_of_node, is_bone)
        zones.append(zone)
        loose.append(free)
        leads.append(lead)
        nodes.append(np.full(len(primitive.indices), node))
    points = np.concatenate(corners)
    heights = points[..., 1]
    floor, top = (float(heights.min()), float(heights.max())) if heights.size else (0.0, 0.0)
    neighbors, piece = _connect(points, np.concatenate(nodes), max(top - floor, 1e-6))
    return Surface(
        triangles=numbered,
        corners=points,
        area=np.linalg.norm(np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]), axis=1) / 2,
        zone=np.concatenate(zones),
        loose=np.concatenate(loose),
        lead=np.concatenate(leads),
        piece=piece,
        neighbors=neighbors,
        landmarks={k: v.copy() for k, v in posed.bone_positions().items()},
        floor=floor,
        top=top,
    )


def _bones_of_nodes(avatar: Avatar) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """(N,) humanoid bone at or above each node (−1: none), and (N,) whether the node is that bone itself."""
    own = {node: BONE_NAMES.index(name) for name, node in avatar.humanoid.items()}
    bones = np.full(len(avatar.nodes), -1, np.int16)
    for node in avatar.scene_nodes:  # parents first
        parent = avatar.nodes[node].parent
        bones[node] = own.get(node, bones[parent] if parent >= 0 else -1)
    return bones, np.isin(np.arange(len(avatar.nodes)), list(own))


def _moved_by(
    avatar: Avatar, node: int, primitive: Primitive, bone_of_node: NDArray[np.int16], is_bone: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], Array, Ids]:
    """(T,) zone, (T,) loose share and (T,) leading node of a primitive's triangles."""
    zone_of_bone = np.zeros(len(BONE_NAMES) + 1, np.intp)  # the last is for no bone
    for z, bones in enumerate(ZONES.values()):
        zone_of_bone[[BONE_NAMES.index(b) for b in bones]] = z
    count = len(primitive.positions)
    skin = avatar.skin_of(node, primitive)
    by_zone = np.zeros((count, len(ZONES)), np.float32)
    t = primitive.indices
    lead = np.full(len(t), node, np.int32)
    if skin is None:
        by_zone[:, zone_of_bone[bone_of_node[node]]] = 1.0
        free = np.full(count, float(bone_of_node[node] < 0))
    else:
        assert primitive.joints is not None and primitive.weights is not None
        joint_nodes = np.asarray(skin.joints)[primitive.joints]
        np.add.at(by_zone, (np.arange(count)[:, None], zone_of_bone[bone_of_node[joint_nodes]]), primitive.weights)
        free = (primitive.weights * ~is_bone[joint_nodes]).sum(1)
        lead = _leading(joint_nodes[t].reshape(len(t), -1), primitive.weights[t].reshape(len(t), -1))
    zone = (by_zone[t[:, 0]] + by_zone[t[:, 1]] + by_zone[t[:, 2]]).argmax(1)
    return zone.astype(np.uint8), free[t].mean(1), lead


def _leading(nodes: NDArray[np.intp], weights: NDArray[np.float32]) -> Ids:
    """(T,) node with most weight of the 12 nodes (T, 12) that move a triangle's corners."""
    total = np.zeros_like(weights)
    for k in range(nodes.shape[1]):
        total += (nodes == nodes[:, k : k + 1]) * weights[:, k : k + 1]
    return np.take_along_axis(nodes, total.argmax(1)[:, None], 1)[:, 0].astype(np.int32)


def _connect(corners: Array, node: NDArray[np.intp], height: float) -> tuple[Ids, Ids]:
    """(E, 2) pairs of triangles of one node that share an edge, and (T,) connected pieces; corners are welded."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(corners)
    if not count:
        return np.zeros((0, 2), np.int32), np.zeros(0, np.int32)
    grid = np.round(corners.reshape(-1, 3) / (height * WELD)).astype(np.int64)
    keyed = np.concatenate([grid, np.repeat(node, 3)[:, None]], 1)
    point = np.unique(keyed, axis=0, return_inverse=True)[1].reshape(-1, 3)
    edges = np.sort(np.concatenate([point[:, [0, 1]], point[:, [1, 2]], point[:, [2, 0]]]), 1)
    owner = np.tile(np.arange(count), 3)
    order = np.lexsort((owner, edges[:, 1], edges[:, 0]))
    edges, owner = edges[order], owner[order]
    same = (edges[1:] == edges[:-1]).all(1) & (owner[1:] != owner[:-1])
    pairs = np.stack([owner[:-1][same], owner[1:][same]], 1).astype(np.int32)
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return pairs, connected_components(graph, directed=False)[1].astype(np.int32)
