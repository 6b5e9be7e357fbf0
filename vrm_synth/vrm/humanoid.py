"""The humanoid map (bone → node), and world transforms at rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from vrm_synth.core.bones import BONE_NAMES, REQUIRED
from vrm_synth.core.errors import AvatarError
from vrm_synth.core.transforms import Array, compose
from vrm_synth.gltf.model import Node
from vrm_synth.gltf.oddities import Oddities


def read_humanoid(listed: Iterable[tuple[str, int, str]], scene: tuple[int, ...], oddities: Oddities) -> dict[str, int]:
    """Return bone → node in the order of VRM 1.0's table.

    listed: (VRM 1.0 name, node, place in the file) as the file lists them.

    Unknown names, repeated bones and bones outside the scene are left out with an oddity. Raises AvatarError
    where a required bone is missing then.
    """
    in_scene = set(scene)
    bones: dict[str, int] = {}
    for name, node, place in listed:
        if name not in BONE_NAMES:
            oddities.add(f"{place} is the unknown bone {name[:60]!r}")
        elif name in bones:
            oddities.add(f"{place} names {name} again; the first one counts")
        elif node not in in_scene:
            oddities.add(f"{place} puts {name} at nodes[{node}], which is not in the scene")
        else:
            if node in bones.values():
                oddities.add(f"{place} puts {name} at nodes[{node}], which is another bone already")
            bones[name] = node
    missing = sorted(REQUIRED - bones.keys(), key=BONE_NAMES.index)
    if missing:
        raise AvatarError("required humanoid bones are missing", got=", ".join(missing), where="humanoid.humanBones")
    return {name: bones[name] for name in BONE_NAMES if name in bones}


def rest_world_matrix(nodes: tuple[Node, ...], node: int, cache: dict[int, Array] | None = None) -> Array:
    """Return world_from_node (4, 4) at rest.

    cache: results by node, for reuse between calls.
    """
    cache = {} if cache is None else cache
    path = []
    while node != -1 and node not in cache:
        path.append(node)
        node = nodes[node].parent
    world = cache.get(node, np.eye(4))
    for step in reversed(path):
        n = nodes[step]
        world = world @ compose(n.translation, n.rotation, n.scale)
        cache[step] = world
    return world


def bone_rest_positions(nodes: tuple[Node, ...], bones: Mapping[str, int]) -> dict[str, Array]:
    """Return the position of each bone at rest: (3,), world meters, in the axes of `nodes`."""
    cache: dict[int, Array] = {}
    return {bone: rest_world_matrix(nodes, node, cache)[:3, 3] for bone, node in bones.items()}
