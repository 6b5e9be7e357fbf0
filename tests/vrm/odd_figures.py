"""The built-in avatar as files that face another way, swap their sides, or rest in an A-pose."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np

from tests.vrm.vrm_file import Doc, glb
from vrm_synth.builtin_avatar import DemoParams
from vrm_synth.builtin_avatar.build import build_character
from vrm_synth.builtin_avatar.demo_character import DemoCharacter
from vrm_synth.builtin_avatar.write_vrm0 import write_vrm0
from vrm_synth.builtin_avatar.write_vrm1 import write_vrm1
from vrm_synth.core.transforms import Array, quat_axis_angle, quat_matrix
from vrm_synth.gltf.model import Mesh, Primitive
from vrm_synth.vrm.avatar import Collider


@cache
def character() -> DemoCharacter:
    return build_character(DemoParams())


def written(c: DemoCharacter, vrm: str) -> bytes:
    return write_vrm0(c) if vrm == "0" else write_vrm1(c)


@cache
def plain(vrm: str) -> bytes:
    return written(character(), vrm)


def edited(data: bytes, change: Callable[[Doc], object]) -> bytes:
    """A GLB file after a change to its JSON."""
    length = int.from_bytes(data[12:16], "little")
    doc = json.loads(data[20 : 20 + length])
    change(doc)
    return glb(doc, data[28 + length :])


def under_root(data: bytes, **transform: list[float]) -> bytes:
    """The file with all its scene under one more node."""

    def change(doc: Doc) -> None:
        scene = doc["scenes"][0]
        doc["nodes"].append({"name": "above", "children": scene["nodes"], **transform})
        scene["nodes"] = [len(doc["nodes"]) - 1]

    return edited(data, change)


def turned(data: bytes, degrees: float) -> bytes:
    """The file turned about Y, counter-clockwise from above."""
    half = math.radians(degrees) / 2
    return under_root(data, rotation=[0, math.sin(half), 0, math.cos(half)])


def mirrored(data: bytes) -> bytes:
    """The file with x mirrored: its left bones move to its right side."""
    return under_root(data, scale=[-1, 1, 1])


def sides_swapped(data: bytes) -> bytes:
    """The file with each left bone named right, and the reverse."""

    def other(name: str) -> str:
        for one, two in (("left", "right"), ("right", "left")):
            if name.startswith(one):
                return two + name[len(one) :]
        return name

    def change(doc: Doc) -> None:
        if "VRM" in doc["extensions"]:
            for entry in doc["extensions"]["VRM"]["humanoid"]["humanBones"]:
                entry["bone"] = other(entry["bone"])
        else:
            bones = doc["extensions"]["VRMC_vrm"]["humanoid"]
            bones["humanBones"] = {other(name): entry for name, entry in bones["humanBones"].items()}

    return edited(data, change)


def without(data: bytes, *bones: str) -> bytes:
    """The file without these bones in its humanoid, in VRM 1.0's names."""

    def change(doc: Doc) -> None:
        humanoid = (doc["extensions"].get("VRM") or doc["extensions"]["VRMC_vrm"])["humanoid"]
        listed = humanoid["humanBones"]
        if isinstance(listed, list):
            humanoid["humanBones"] = [e for e in listed if e["bone"] not in bones]
        else:
            humanoid["humanBones"] = {n: e for n, e in listed.items() if n not in bones}

    return edited(data, change)


def resting(vrm: str, down: float, right: float | None = None, bend: float = 0.0) -> bytes:
    """The file with its arms `down` degrees below level at rest, mesh and bind matrices with them, and no node rotated.

    right: another angle for the right arm. bend: degrees by which each forearm goes down farther still.
    """
    c = character()
    upper = {"left": -down, "right": down if right is None else right}
    turns: dict[int, Array] = {}
    for side, degrees in upper.items():
        turns[c.humanoid[f"{side}UpperArm"]] = _about_z(degrees)
        remaining = math.copysign(bend, degrees)
        turns[c.humanoid[f"{side}LowerArm"]] = _about_z(degrees + remaining)
    return written(_rested(c, turns), vrm)


def _about_z(degrees: float) -> Array:
    return quat_matrix(quat_axis_angle([0.0, 0.0, 1.0], math.radians(degrees)))


def _rested(c: DemoCharacter, turns: dict[int, Array]) -> DemoCharacter:
    """The character at rest as if these nodes' (3, 3) world rotations were its pose; children go with them."""
    old, new, linear = [], [], []
    for i, node in enumerate(c.nodes):  # parents come first
        t = np.array(node.translation)
        above = node.parent
        own = turns.get(i, linear[above] if above >= 0 else np.eye(3))
        old.append(t + (old[above] if above >= 0 else 0))
        new.append((new[above] + linear[above] @ t) if above >= 0 else t)
        linear.append(own)
    nodes = tuple(
        replace(n, translation=tuple((new[i] - (new[n.parent] if n.parent >= 0 else 0)).tolist()))
        for i, n in enumerate(c.nodes)
    )
    joints = list(c.skin.joints)
    bind = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
    bind[:, :3, 3] = [-new[j] for j in joints]
    turn, shift = np.array([linear[j] for j in joints]), np.array([new[j] - linear[j] @ old[j] for j in joints])
    return replace(
        c,
        nodes=nodes,
        skin=replace(c.skin, inverse_bind=bind),
        meshes=tuple(_rested_mesh(m, turn, shift) for m in c.meshes),
        colliders=tuple(_rested_collider(x, linear[x.node]) for x in c.colliders),
    )


def _rested_mesh(mesh: Mesh, turn: Array, shift: Array) -> Mesh:
    def rested(p: Primitive) -> Primitive:
        assert p.joints is not None and p.weights is not None and p.normals is not None
        blend = np.einsum("vj,vjab->vab", p.weights, turn[p.joints])
        moved = np.einsum("vab,vb->va", blend, p.positions) + np.einsum("vj,vja->va", p.weights, shift[p.joints])
        normals = np.einsum("vab,vb->va", blend, p.normals)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return replace(p, positions=moved.astype(np.float32), normals=normals.astype(np.float32))

    return replace(mesh, primitives=tuple(map(rested, mesh.primitives)))


def _rested_collider(c: Collider, turn: Array) -> Collider:
    x, y, z = (turn @ c.offset).tolist()
    u, v, w = (turn @ c.tail).tolist()
    return replace(c, offset=(x, y, z), tail=(u, v, w))
