"""Read nodes, the tree of the scene, and skins."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pygltflib
from numpy.typing import NDArray

from vrm_synth.core.errors import AvatarError
from vrm_synth.core.transforms import Array, compose, decompose
from vrm_synth.gltf.accessors import Accessors
from vrm_synth.gltf.json_reader import out_of_range
from vrm_synth.gltf.limits import Limits
from vrm_synth.gltf.model import Node, Skin, Vec3, Vec4
from vrm_synth.gltf.oddities import Oddities

IDENTITY: Vec4 = (0.0, 0.0, 0.0, 1.0)


def node_label(gltf: pygltflib.GLTF2, node: int) -> str:
    """Return a node's index, and its name where it has one, for messages."""
    name = gltf.nodes[node].name
    return f"nodes[{node}] {name[:60]!r}" if name else f"nodes[{node}]"


def read_nodes(gltf: pygltflib.GLTF2, limits: Limits, oddities: Oddities) -> tuple[Node, ...]:
    """Read all nodes, with their parents.

    Raises AvatarError, with names, for a node of two parents, for a cycle and for nodes nested too deeply.
    """
    parents = _parents(gltf)
    _refuse_cycles(gltf, parents)
    _refuse_depth(gltf, parents, limits)
    return tuple(_node(gltf, i, parents[i], oddities) for i in range(len(gltf.nodes)))


def _parents(gltf: pygltflib.GLTF2) -> list[int]:
    parents = [-1] * len(gltf.nodes)
    for i, node in enumerate(gltf.nodes):
        for k, child in enumerate(node.children):
            json_path = f"nodes[{i}].children[{k}]"
            if child >= len(parents):
                raise out_of_range("nodes", child, len(gltf.nodes), json_path)
            if parents[child] != -1:
                both = f"{node_label(gltf, parents[child])} and {node_label(gltf, i)}"
                raise AvatarError(
                    "node has two parents", got=f"{node_label(gltf, child)} under {both}", where=json_path
                )
            parents[child] = i
    return parents


def _refuse_cycles(gltf: pygltflib.GLTF2, parents: list[int]) -> None:
    known = set[int]()
    for start in range(len(parents)):
        path: list[int] = []
        on_path: set[int] = set()
        node = start
        while node != -1 and node not in known:
            if node in on_path:
                loop = [node_label(gltf, n) for n in path[path.index(node) :]][::-1]
                raise AvatarError("nodes form a cycle", got=" → ".join([*loop[:6], loop[0]]), where=f"nodes[{node}]")
            path.append(node)
            on_path.add(node)
            node = parents[node]
        known |= on_path


def _refuse_depth(gltf: pygltflib.GLTF2, parents: list[int], limits: Limits) -> None:
    depth = 0
    level = [i for i, parent in enumerate(parents) if parent == -1]
    while level:
        depth += 1
        if depth > limits.node_depth:
            raise AvatarError(
                "nodes are nested too deeply", got=node_label(gltf, level[0]), allowed=limits.node_depth, where="nodes"
            )
        level = [child for i in level for child in gltf.nodes[i].children]


def _node(gltf: pygltflib.GLTF2, i: int, parent: int, oddities: Oddities) -> Node:
    node, json_path = gltf.nodes[i], f"nodes[{i}]"
    for key, entries in (("mesh", gltf.meshes), ("skin", gltf.skins)):
        value = getattr(node, key)
        if value is not None and value >= len(entries):
            allowed = f"0 to {len(entries) - 1}" if entries else f"nothing, the file has no {key} list"
            raise AvatarError(f"{key} is out of range", got=value, allowed=allowed, where=f"{json_path}.{key}")
    translation, rotation, scale = _transform(gltf, i, oddities)
    return Node(
        name=node.name,
        parent=parent,
        children=tuple(node.children),
        translation=translation,
        rotation=rotation,
        scale=scale,
        mesh=node.mesh,
        skin=node.skin,
        weights=_morph_weights(gltf, i, oddities),
    )


def _morph_weights(gltf: pygltflib.GLTF2, i: int, oddities: Oddities) -> tuple[float, ...] | None:
    """Read the node's own morph weights, one per target; missing ones are the mesh's (as in three.js)."""
    node = gltf.nodes[i]
    if node.weights is None:
        return None
    if node.mesh is None:
        oddities.add(f"{node_label(gltf, i)} has weights but no mesh; they are left out")
        return None
    mesh = gltf.meshes[node.mesh]
    count = max((len(p.targets) for p in mesh.primitives), default=0)
    if len(node.weights) != count:
        oddities.add(f"{node_label(gltf, i)} has {len(node.weights)} weights for {count} morph targets")
    rest = [*mesh.weights, *[0.0] * count][:count]
    return (*node.weights[:count], *rest[len(node.weights) :])


def _transform(gltf: pygltflib.GLTF2, i: int, oddities: Oddities) -> tuple[Vec3, Vec4, Vec3]:
    node = gltf.nodes[i]
    if node.matrix is not None:
        matrix = np.array(node.matrix, np.float64).reshape(4, 4).T
        axes = matrix[:3, :3]
        axes = axes[:, np.any(axes != 0, axis=0)]  # an axis of length 0 is a scale of 0: exporters hide parts so
        # The volume of the unit axes, squared: 1 where they are at right angles, 0 where they lie in one plane.
        unit = axes / np.abs(axes).max(0)
        unit = unit / np.linalg.norm(unit, axis=0)
        if np.linalg.det(unit.T @ unit) <= 1e-18:
            raise AvatarError("matrix squashes space flat", got=node.matrix, where=f"nodes[{i}].matrix")
        t, r, s = decompose(matrix)
        if not np.allclose(compose(t, r, s)[:3], matrix[:3], rtol=1e-4, atol=1e-4 * float(np.abs(matrix).max())):
            oddities.add(
                f"{node_label(gltf, i)} has a matrix that is not a rotation, scale and translation; its shear is lost"
            )
        if tuple(matrix[3]) != (0.0, 0.0, 0.0, 1.0) and matrix.any():
            oddities.add(
                f"{node_label(gltf, i)} has a matrix whose last row is not 0, 0, 0, 1; it is taken as if it were"
            )
        return _vec3(t), _vec4(r), _vec3(s)
    translation = _vec3(node.translation or (0.0, 0.0, 0.0))
    scale = _vec3(node.scale or (1.0, 1.0, 1.0))
    rotation = node.rotation or IDENTITY
    length = math.hypot(*rotation)
    if length < 1e-6:
        oddities.add(f"{node_label(gltf, i)} has a rotation of length 0, taken as none")
        return translation, IDENTITY, scale
    if abs(length - 1) > 1e-3:
        oddities.add(f"{node_label(gltf, i)} has a rotation of length {length:.3g}, normalized")
    return translation, _vec4([v / length for v in rotation]), scale


def _vec3(values: Sequence[float] | Array) -> Vec3:
    x, y, z = values
    return float(x), float(y), float(z)


def _vec4(values: Sequence[float] | Array) -> Vec4:
    x, y, z, w = values
    return float(x), float(y), float(z), float(w)


def scene_nodes(gltf: pygltflib.GLTF2, nodes: tuple[Node, ...], oddities: Oddities) -> tuple[int, ...]:
    """Return the nodes of the default scene, parents before children, siblings in the file's order (glTF 3.5.1)."""
    if not gltf.scenes:
        oddities.add("file has no scene; all its nodes are taken")
        roots = [i for i, n in enumerate(nodes) if n.parent == -1]
    else:
        chosen = gltf.scene or 0
        if chosen >= len(gltf.scenes):
            raise AvatarError(
                "scene is out of range", got=chosen, allowed=f"0 to {len(gltf.scenes) - 1}", where="scene"
            )
        roots = _roots(gltf, nodes, chosen, oddities)
    order: list[int] = []
    stack = roots[::-1]
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(reversed(nodes[node].children))
    return tuple(order)


def _roots(gltf: pygltflib.GLTF2, nodes: tuple[Node, ...], scene: int, oddities: Oddities) -> list[int]:
    listed = list(dict.fromkeys(gltf.scenes[scene].nodes))
    for k, node in enumerate(gltf.scenes[scene].nodes):
        if node >= len(nodes):
            raise out_of_range("nodes", node, len(gltf.nodes), f"scenes[{scene}].nodes[{k}]")
    tops = set(listed)
    for node in listed:
        top = node
        while nodes[top].parent != -1:
            top = nodes[top].parent
        if top != node:
            if top not in tops:
                raise AvatarError(
                    "scene lists a node whose parent is not in it",
                    got=node_label(gltf, node),
                    allowed="root nodes",
                    where=f"scenes[{scene}].nodes",
                )
            oddities.add(f"scene lists {node_label(gltf, node)}, which is already there below {node_label(gltf, top)}")
    return [n for n in listed if nodes[n].parent == -1]


def check_skins(gltf: pygltflib.GLTF2, accessors: Accessors, limits: Limits) -> None:
    """Refuse skins whose joints or inverse bind matrices do not exist, before any data is read."""
    for i, skin in enumerate(gltf.skins):
        json_path = f"skins[{i}]"
        if not 1 <= len(skin.joints) <= limits.items:
            raise AvatarError(
                "wrong number of joints",
                got=len(skin.joints),
                allowed=f"1 to {limits.items}",
                where=f"{json_path}.joints",
            )
        for k, joint in enumerate(skin.joints):
            if joint >= len(gltf.nodes):
                raise out_of_range("nodes", joint, len(gltf.nodes), f"{json_path}.joints[{k}]")
        if skin.inverseBindMatrices is not None:
            where = f"{json_path}.inverseBindMatrices"
            count = accessors.check(skin.inverseBindMatrices, where, ("MAT4",), (pygltflib.FLOAT,))
            if count < len(skin.joints):
                raise AvatarError(
                    "fewer inverse bind matrices than joints", got=count, allowed=f"{len(skin.joints)}", where=where
                )


def read_skins(gltf: pygltflib.GLTF2, accessors: Accessors) -> tuple[Skin, ...]:
    """Read the skins; missing inverse bind matrices are the identity (glTF 3.7.3.1)."""
    matrices_by_accessor: dict[int, NDArray[np.float32]] = {}  # skins may share their matrices
    return tuple(_skin(skin, i, accessors, matrices_by_accessor) for i, skin in enumerate(gltf.skins))


def _skin(
    skin: pygltflib.Skin, i: int, accessors: Accessors, matrices_by_accessor: dict[int, NDArray[np.float32]]
) -> Skin:
    count = len(skin.joints)
    if skin.inverseBindMatrices is None:
        matrices = np.tile(np.eye(4, dtype=np.float32), (count, 1, 1))
    else:
        where = f"skins[{i}].inverseBindMatrices"
        index = skin.inverseBindMatrices
        if index not in matrices_by_accessor:
            matrices_by_accessor[index] = accessors.read(index, where)
        columns = matrices_by_accessor[index][:count].reshape(-1, 4, 4)  # column-major in the file
        matrices = np.ascontiguousarray(columns.transpose(0, 2, 1))
        if not np.isfinite(matrices).all():
            bad = int(np.argmin(np.isfinite(matrices).all((1, 2))))
            raise AvatarError("inverse bind matrix is not finite", got=f"matrix {bad}", where=where)
    matrices.setflags(write=False)
    return Skin(tuple(skin.joints), matrices, skin.name)
