"""A Character: the one source description that both writers turn into a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vrm_synth.gltf.model import Image, Material, Mesh, Node, Skin, Texture
from vrm_synth.vrm.avatar import Collider, Constraint, Expression, FirstPersonType, LookAt, Spring


@dataclass(frozen=True, eq=False)
class Character:
    """An avatar in VRM 1.0 and MToon 1.0 terms, facing +Z, with the loader's own types (see avatar.model).

    facts: what the avatar is known to show ("hair": "long pink hair"). images[thumbnail] is its portrait.
    Its nodes have no rotation and no scale at rest, so that turning it is a matter of translations.
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
