"""Which node is which bone, and which way the avatar faces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from vrm_synth.avatar.glb import Notes
from vrm_synth.avatar.model import Node
from vrm_synth.core.errors import AvatarError
from vrm_synth.core.humanoid import BONE_NAMES, REQUIRED
from vrm_synth.core.transforms import Array, compose

TURN_NAME = "half turn to face +Z"


def humanoid(found: Iterable[tuple[str, int, str]], scene: tuple[int, ...], notes: Notes) -> dict[str, int]:
    """bone → node in the order of VRM 1.0's table, from (VRM 1.0 name, node, place) as the file lists them.

    Unknown names, repeated bones and bones outside the scene are left out with an oddity. Raises AvatarError
    where a required bone is missing then.
    """
    in_scene = set(scene)
    bones: dict[str, int] = {}
    for name, node, place in found:
        if name not in BONE_NAMES:
            notes.add(f"{place} is the unknown bone {name[:60]!r}")
        elif name in bones:
            notes.add(f"{place} names {name} again; the first one counts")
        elif node not in in_scene:
            notes.add(f"{place} puts {name} at nodes[{node}], which is not in the scene")
        else:
            if node in bones.values():
                notes.add(f"{place} puts {name} at nodes[{node}], which is another bone already")
            bones[name] = node
    missing = sorted(REQUIRED - bones.keys(), key=BONE_NAMES.index)
    if missing:
        raise AvatarError("required humanoid bones are missing", got=", ".join(missing), where="humanoid.humanBones")
    return {name: bones[name] for name in BONE_NAMES if name in bones}


def faces_backwards(nodes: tuple[Node, ...], bones: dict[str, int]) -> bool:
    """Whether the left arm lies at −X at rest: the avatar faces −Z (the 0.x way), not +Z."""
    # Hands alone would mislead where a file crosses its arms; the whole arms' x is summed.
    known: dict[int, Array] = {}
    left, right = (
        sum(float(world_at_rest(nodes, bones[f"{side}{part}"], known)[0, 3]) for part in ("UpperArm", "Hand"))
        for side in ("left", "right")
    )
    return left < right


def world_at_rest(nodes: tuple[Node, ...], node: int, known: dict[int, Array] | None = None) -> Array:
    """world_from_node (4, 4) at rest; `known` remembers nodes from call to call."""
    known = {} if known is None else known
    path = []
    while node != -1 and node not in known:
        path.append(node)
        node = nodes[node].parent
    world = known.get(node, np.eye(4))
    for step in reversed(path):
        n = nodes[step]
        world = world @ compose(n.translation, n.rotation, n.scale)
        known[step] = world
    return world


def turned(nodes: tuple[Node, ...], scene: tuple[int, ...]) -> tuple[tuple[Node, ...], tuple[int, ...]]:
    """The same scene under one more root, a half turn about Y through the origin."""
    root = len(nodes)
    tops = tuple(n for n in scene if nodes[n].parent == -1)
    moved = tuple(replace(n, parent=root) if i in tops else n for i, n in enumerate(nodes))
    turn = Node(TURN_NAME, -1, tops, (0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return (*moved, turn), (root, *scene)
