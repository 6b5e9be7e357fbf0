"""Small avatars of known numbers, for the pose tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vrm_synth.core.bones import BONES
from vrm_synth.gltf.model import Node
from vrm_synth.licensing.license import License
from vrm_synth.vrm.avatar import Avatar, Meta


def node(name: str, parent: int, translation: Sequence[float] = (0, 0, 0), **fields: Any) -> Node:
    """A node without children yet; `avatar` fills them in."""
    values: dict[str, Any] = {"rotation": (0.0, 0.0, 0.0, 1.0), "scale": (1.0, 1.0, 1.0), **fields}
    values = {k: tuple(map(float, v)) if k in ("rotation", "scale") else v for k, v in values.items()}
    return Node(name, parent, (), tuple(map(float, translation)), **values)


def avatar(nodes: Sequence[Node], humanoid: Mapping[str, int] | None = None, **fields: Any) -> Avatar:
    """An avatar of these nodes; children are worked out from the parents, every node is in the scene
    unless scene_nodes says otherwise."""
    children: list[list[int]] = [[] for _ in nodes]
    for i, n in enumerate(nodes):
        if n.parent >= 0:
            children[n.parent].append(i)
    linked = tuple(replace(n, children=tuple(children[i])) for i, n in enumerate(nodes))
    values: dict[str, Any] = {
        "source": "test",
        "sha256": "",
        "vrm_version": "1",
        "generator": "",
        "meta": Meta("", "", (), License("")),
        "nodes": linked,
        "scene_nodes": _parents_first(linked),
        "meshes": (),
        "skins": (),
        "images": (),
        "textures": (),
        "materials": (),
        "humanoid": humanoid or {},
        "expressions": {},
    }
    return Avatar(**{**values, **fields})


def _parents_first(nodes: Sequence[Node]) -> tuple[int, ...]:
    order: list[int] = []
    todo = [i for i, n in enumerate(nodes) if n.parent < 0]
    while todo:
        i = todo.pop(0)
        order.append(i)
        todo.extend(nodes[i].children)
    return tuple(order)


def random_rotation(r: np.random.Generator) -> tuple[float, ...]:
    """A uniformly random unit quaternion."""
    q = r.normal(size=4)
    return tuple(float(v) for v in q / np.linalg.norm(q))


def random_humanoid(r: np.random.Generator, *, keep: float = 0.8, turned: bool = False) -> Avatar:
    """A humanoid with random rest rotations, places, uniform scales and helper nodes between its bones.

    Optional bones are kept with probability `keep`; a bone hangs on the nearest one that is there.
    turned: under a root that holds half a turn about Y, as the loader does for VRM 0.x.
    """
    nodes: list[Node] = []
    if turned:
        nodes.append(node("turn", -1, rotation=(0, 1, 0, 0)))
    nodes.append(node("armature", len(nodes) - 1, r.normal(size=3), rotation=random_rotation(r), scale=[1.3] * 3))
    top = len(nodes) - 1
    at: dict[str, int] = {}
    parent_of = {b.name: b.parent for b in BONES}
    for bone in BONES:
        if not (bone.required or r.random() < keep):
            continue
        above = bone.parent
        while above is not None and above not in at:
            above = parent_of[above]
        parent = at[above] if above else top
        if r.random() < 0.3:
            nodes.append(node(f"helper of {bone.name}", parent, r.normal(size=3) * 0.1, rotation=random_rotation(r)))
            parent = len(nodes) - 1
        nodes.append(node(bone.name, parent, r.normal(size=3) * 0.2, rotation=random_rotation(r)))
        at[bone.name] = len(nodes) - 1
    return avatar(nodes, at)
