"""The description of a built-in avatar that the writers of both VRM versions take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vrm_synth.gltf.model import Image, Material, Mesh, Node, Skin, Texture
from vrm_synth.vrm.avatar import Collider, Constraint, Expression, FirstPersonType, LookAt, Spring


@dataclass(frozen=True, eq=False)
class DemoCharacter:
    """A built-in avatar in VRM 1.0 and MToon 1.0 terms, facing +Z, in the types of gltf.model and vrm.avatar.

    Its nodes have no rotation and no scale at rest, so that turning it changes translations only. Fields without a
    description are as in Avatar.

    Attributes:
        name: title in the file's meta.
        facts: what a picture of it shows, in caption words ("hair": "long pink hair").
        skin: the one skin, of all meshes.
        thumbnail: index of its portrait in `images`.
    """

    name: str
    facts: Mapping[str, str]
    nodes: tuple[Node, ...]
    meshes: tuple[Mesh, ...]
    skin: Skin
    images: tuple[Image, ...]
    textures: tuple[Texture, ...]
    materials: tuple[Material, ...]
    humanoid: Mapping[str, int]
    expressions: Mapping[str, Expression]
    look_at: LookAt
    constraints: tuple[Constraint, ...]
    colliders: tuple[Collider, ...]
    springs: tuple[Spring, ...]
    first_person: Mapping[int, FirstPersonType]
    thumbnail: int
