"""Types and checks that the readers of both VRM versions share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import pygltflib

from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.json_reader import JsonObject
from vrm_synth.gltf.limits import Limits
from vrm_synth.gltf.oddities import Oddities
from vrm_synth.vrm.avatar import Collider, Constraint, Expression, FirstPersonType, LookAt, Meta, RangeMap, Spring

PRESETS = frozenset(
    {"happy", "angry", "sad", "relaxed", "surprised", "neutral"}
    | {"aa", "ih", "ou", "ee", "oh", "blink", "blinkLeft", "blinkRight"}
    | {"lookUp", "lookDown", "lookLeft", "lookRight"}
)

# Degrees; a range map with a smaller input range would divide by (nearly) zero. three-vrm uses the same value.
_SMALLEST_RANGE = 0.01


@dataclass(frozen=True)
class ExtensionSource:
    """Input of the VRM readers.

    Attributes:
        ext: the VRM or VRMC_vrm extension.
        root: the file's JSON.
        gltf: the parsed document.
        limits: bounds on lists.
        oddities: collects what is left out or repaired.
    """

    ext: JsonObject
    root: JsonObject
    gltf: pygltflib.GLTF2
    limits: Limits
    oddities: Oddities


@dataclass(frozen=True)
class VrmExtension:
    """The parts of an Avatar that come from a VRM extension; fields without a description are as in Avatar.

    Attributes:
        version: "0" or "1".
        exporter: program that wrote the file, according to the extension; "" where only glTF's asset names it.
        bones: (VRM 1.0 name, node, place in the file) in the file's order.
    """

    version: Literal["0", "1"]
    exporter: str
    meta: Meta
    bones: tuple[tuple[str, int, str], ...]
    expressions: Mapping[str, Expression]
    reference_expressions: Mapping[str, Expression] | None = None
    look_at: LookAt | None = None
    constraints: tuple[Constraint, ...] = ()
    colliders: tuple[Collider, ...] = ()
    springs: tuple[Spring, ...] = ()
    first_person: Mapping[int, FirstPersonType] = field(default_factory=dict)


def range_map(maximum: float, scale: float, curve: tuple[float, ...], where: str, oddities: Oddities) -> RangeMap:
    """Return a look-at range map whose input range is large enough to divide by."""
    if maximum < _SMALLEST_RANGE:
        oddities.add(f"{where} has an input range of {maximum:g}°, taken as {_SMALLEST_RANGE}°")
        maximum = _SMALLEST_RANGE
    return RangeMap(maximum, scale, curve)


def morph_target_counts(gltf: pygltflib.GLTF2) -> dict[int, int]:
    """Return node → number of morph targets of its mesh, for the nodes that have a mesh."""
    count_of_mesh = [max((len(p.targets) for p in m.primitives), default=0) for m in gltf.meshes]
    return {i: count_of_mesh[n.mesh] for i, n in enumerate(gltf.nodes) if n.mesh is not None}


def check_spring_limits(springs: tuple[Spring, ...], limits: Limits, where: str) -> tuple[Spring, ...]:
    """Return the springs; raise AvatarError where settling them would take unreasonable time or memory.

    The simulation reserves for every joint as many collider slots as the joint with the most has.
    """
    joints = sum(len(s.joints) for s in springs)
    hits = joints * max((len(s.colliders) for s in springs), default=0)
    for problem, got, allowed in (
        ("too many spring joints", joints, limits.spring_joints),
        ("too many spring joints times colliders", hits, limits.spring_hits),
    ):
        if got > allowed:
            raise AvatarError(problem, got=got, allowed=allowed, where=where)
    return springs


class ReferenceLimit:
    """Limit on the references that the lists of a VRM extension expand to (joints, binds, collider uses).

    A list can name the same group many times, so a small file could otherwise expand to a huge avatar.
    """

    def __init__(self, limits: Limits):
        self.limit, self.used = limits.references, 0

    def add(self, count: int, where: str) -> None:
        """Add `count` references to the total; raise AvatarError where it exceeds the limit."""
        self.used += count
        if self.used > self.limit:
            raise AvatarError(
                "too many joints, binds or colliders", got=f"{self.used} and more", allowed=self.limit, where=where
            )
