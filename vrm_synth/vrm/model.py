"""The Avatar: what a VRM file says, in VRM 1.0 and MToon 1.0 terms, whichever version it came from.

Everything is frozen; arrays are read-only. Indices (`node`, `mesh`, `texture` …) are the file's own
glTF indices, so that a report can point into the file. Past the loader nobody asks for the version.

Frame: right-handed, +Y up, metres; the avatar faces +Z with its left hand at +X. Where a file faces
another way (all of VRM 0.x), the loader appends one root node that holds the turn about Y (see facing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from vrm_synth.gltf.model import Image, Material, Mesh, Node, Primitive, Skin, Texture, Vec2, Vec3, Vec4
from vrm_synth.licensing.license import License

Turn = Literal[0, 90, 180, -90]

# ---------------------------------------------------------------- VRM runtime


@dataclass(frozen=True)
class MorphTargetBind:
    """node: the node that holds the mesh; index: morph target; weight: at expression weight 1, in 0..1."""

    node: int
    index: int
    weight: float


@dataclass(frozen=True)
class MaterialColorBind:
    """type: color, emissionColor, shadeColor, matcapColor, rimColor or outlineColor; target: linear RGBA."""

    material: int
    type: str
    target: Vec4


@dataclass(frozen=True)
class TextureTransformBind:
    """offset and scale at expression weight 1, applied to every texture of the material but the matcap."""

    material: int
    offset: Vec2
    scale: Vec2


Override = Literal["none", "block", "blend"]


@dataclass(frozen=True)
class Expression:
    """VRMC_vrm expressions; a VRM 0.x blend-shape group under its VRM 1.0 name."""

    name: str
    is_preset: bool
    is_binary: bool = False
    override_blink: Override = "none"
    override_look_at: Override = "none"
    override_mouth: Override = "none"
    morph_target_binds: tuple[MorphTargetBind, ...] = ()
    material_color_binds: tuple[MaterialColorBind, ...] = ()
    texture_transform_binds: tuple[TextureTransformBind, ...] = ()

    @property
    def is_bound(self) -> bool:
        """Whether the expression changes anything (Avatar.visible_expressions: anything that is drawn)."""
        return bool(self.morph_target_binds or self.material_color_binds or self.texture_transform_binds)


@dataclass(frozen=True)
class RangeMap:
    """input_max_value: degrees; output_scale: degrees (bone) or weight (expression).

    curve: VRM 0.x's keyframes, flat (time, value, in-tangent, out-tangent)*; () means linear, as in 1.0.
    """

    input_max_value: float = 90.0
    output_scale: float = 10.0
    curve: tuple[float, ...] = ()


@dataclass(frozen=True)
class LookAt:
    """VRMC_vrm lookAt; offset_from_head_bone in the head node's own local frame, metres at its scale."""

    type: Literal["bone", "expression"]
    offset_from_head_bone: Vec3
    horizontal_inner: RangeMap
    horizontal_outer: RangeMap
    vertical_down: RangeMap
    vertical_up: RangeMap


@dataclass(frozen=True)
class Constraint:
    """VRMC_node_constraint. axis: "X"/"Y"/"Z" (roll), "PositiveX"… (aim), None (rotation)."""

    node: int
    kind: Literal["roll", "aim", "rotation"]
    source: int
    weight: float = 1.0
    axis: str | None = None


@dataclass(frozen=True)
class Collider:
    """A spring-bone collider on a node; metres in the node's local space.

    shape: sphere (offset, radius), capsule (offset, tail, radius), plane (offset, normal), and the
    "inside" forms of VRMC_springBone_extended_collider. The radius is in world metres: node scales
    leave it as it is (the pseudo-code of VRMC_springBone).
    """

    node: int
    shape: Literal["sphere", "capsule", "plane", "insideSphere", "insideCapsule"]
    offset: Vec3 = (0.0, 0.0, 0.0)
    radius: float = 0.0
    tail: Vec3 = (0.0, 0.0, 0.0)
    normal: Vec3 = (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class SpringJoint:
    """A node that swings, and the node its end points at.

    tail None: VRM 0.x's leaf, whose end lies 7 cm further along the bone. angle limits are not part
    of VRM 1.0 and are not kept.
    """

    node: int
    tail: int | None
    hit_radius: float = 0.0
    stiffness: float = 1.0
    gravity_power: float = 0.0
    gravity_dir: Vec3 = (0.0, -1.0, 0.0)
    drag_force: float = 0.5


@dataclass(frozen=True)
class Spring:
    """joints in order root to tip; colliders: indices into Avatar.colliders; center: node or None."""

    name: str
    joints: tuple[SpringJoint, ...]
    colliders: tuple[int, ...] = ()
    center: int | None = None


FirstPersonType = Literal["auto", "both", "thirdPersonOnly", "firstPersonOnly"]


@dataclass(frozen=True)
class Meta:
    """thumbnail: index into the file's images, not decoded; raw: the meta object as it stands."""

    name: str
    version: str
    authors: tuple[str, ...]
    license: License
    thumbnail: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


# ---------------------------------------------------------------- the whole


@dataclass(frozen=True, eq=False)
class Avatar:
    """One loaded avatar. See the module's docstring for frames and indices.

    nodes: the file's nodes, in order, and last the turn root where there is one.
    scene_nodes: the nodes that are in the scene, parents before children; the others are never drawn
    (drawn_nodes are those whose meshes pictures show).
    turn: degrees about Y by which the turn root turns the file, 0 where there is none.
    front_known: whether the figure is known to face +Z.
    humanoid: bone name (VRM 1.0) → node. expressions: by name, which is plain (core.names);
    reference_expressions: as three-vrm reads them, where that is different, else None. first_person: node → flag.
    rest_corrections: humanoid bone → the world rotation from the file's rest pose to the T-pose, where the two
    differ (see rest_pose); what hangs below such a bone goes with it.
    oddities: one line each, what a careful reader of the file would want to know.
    sha256: of the file's bytes; source: what the user called it (a path, or "demo:…").
    """

    source: str
    sha256: str
    vrm_version: Literal["0", "1"]
    generator: str
    meta: Meta
    nodes: tuple[Node, ...]
    scene_nodes: tuple[int, ...]
    meshes: tuple[Mesh, ...]
    skins: tuple[Skin, ...]
    images: tuple[Image | None, ...]
    textures: tuple[Texture, ...]
    materials: tuple[Material, ...]
    humanoid: Mapping[str, int]
    expressions: Mapping[str, Expression]
    reference_expressions: Mapping[str, Expression] | None = None
    look_at: LookAt | None = None
    constraints: tuple[Constraint, ...] = ()
    colliders: tuple[Collider, ...] = ()
    springs: tuple[Spring, ...] = ()
    first_person: Mapping[int, FirstPersonType] = field(default_factory=dict)
    extensions_used: tuple[str, ...] = ()
    oddities: tuple[str, ...] = ()
    turn: Turn = 0
    front_known: bool = True
    rest_corrections: Mapping[str, Vec4] = field(default_factory=dict)

    def __repr__(self) -> str:
        version = {"0": "0.x", "1": "1.0"}[self.vrm_version]
        counts = f"{len(self.humanoid)} bones, {len(self.expressions)} expressions, {self.triangle_count} triangles"
        return f"Avatar({self.meta.name!r}, {self.source!r}, VRM {version}, {counts}, {self.meta.license.name!r})"

    @cached_property
    def drawn_nodes(self) -> tuple[int, ...]:
        """The scene's nodes whose meshes are drawn, parents before children.

        Every camera of ours is a third person's, and those do not see what is for the first person only
        (VRMC_vrm firstPerson; VRM 0.x FirstPersonOnly). "auto", "both" and "thirdPersonOnly" are drawn whole.
        """
        return tuple(
            n
            for n in self.scene_nodes
            if self.nodes[n].mesh is not None and self.first_person.get(n) != "firstPersonOnly"
        )

    def primitives_of(self, node: int) -> tuple[Primitive, ...]:
        """The primitives of a node's mesh; none where it has no mesh."""
        mesh = self.nodes[node].mesh
        return () if mesh is None else self.meshes[mesh].primitives

    def skin_of(self, node: int, primitive: Primitive) -> Skin | None:
        """The skin that moves a primitive under a node. None: it follows the node rigidly, because the node has no
        skin or the primitive no joints (one mesh may hang below skinned and unskinned nodes)."""
        skin = self.nodes[node].skin
        return None if skin is None or primitive.joints is None or primitive.weights is None else self.skins[skin]

    @cached_property
    def triangle_count(self) -> int:
        """Triangles that are drawn."""
        return sum(len(p.indices) for n in self.drawn_nodes for p in self.primitives_of(n))

    @cached_property
    def visible_expressions(self) -> frozenset[str]:
        """Names of the expressions that can change a picture: one of their binds is for something that is drawn."""
        nodes = set(self.drawn_nodes)
        materials = {p.material for n in nodes for p in self.primitives_of(n)}
        return frozenset(
            name
            for name, e in self.expressions.items()
            if any(b.node in nodes for b in e.morph_target_binds)
            or any(b.material in materials for b in e.material_color_binds)
            or any(b.material in materials for b in e.texture_transform_binds)
        )
