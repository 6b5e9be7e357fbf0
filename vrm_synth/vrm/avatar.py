"""The Avatar: the content of a VRM file in VRM 1.0 and MToon 1.0 terms, whichever version the file has.

Everything is frozen; arrays are read-only. Indices (`node`, `mesh`, `texture` …) are the file's own
glTF indices, so that a report can point into the file. Only avatar_loader.py and what it calls depend on the version.

Frame: right-handed, +Y up, meters; the avatar faces +Z with its left hand at +X. Where a file faces
another way (all of VRM 0.x), the loader appends one root node that holds the turn about Y (facing.py).
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
    """Effect of an expression on a morph target.

    Attributes:
        node: the node that has the mesh.
        index: morph target of the mesh.
        weight: morph weight at expression weight 1, in 0..1.
    """

    node: int
    index: int
    weight: float


@dataclass(frozen=True)
class MaterialColorBind:
    """Effect of an expression on a color of a material.

    Attributes:
        material: index into Avatar.materials.
        type: "color", "emissionColor", "shadeColor", "matcapColor", "rimColor" or "outlineColor".
        target: linear RGBA at expression weight 1.
    """

    material: int
    type: str
    target: Vec4


@dataclass(frozen=True)
class TextureTransformBind:
    """Effect of an expression on the UV transform of every texture of a material but the matcap.

    Attributes:
        material: index into Avatar.materials.
        offset: (u, v) at expression weight 1.
        scale: (u, v) at expression weight 1.
    """

    material: int
    offset: Vec2
    scale: Vec2


Override = Literal["none", "block", "blend"]


@dataclass(frozen=True)
class Expression:
    """A VRMC_vrm expression, or a VRM 0.x blend-shape group under its VRM 1.0 name.

    Attributes:
        name: plain (core.names), unique in the avatar.
        is_preset: True for VRM 1.0's presets.
        is_binary: its weight counts as 0 or 1 only.
        override_blink: effect on the blink expressions while this one is active.
        override_look_at: effect on the gaze expressions.
        override_mouth: effect on the mouth expressions.
        morph_target_binds: morph targets that it moves.
        material_color_binds: material colors that it changes.
        texture_transform_binds: UV transforms that it changes.
    """

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
        """True where the expression has any bind (Avatar.visible_expressions: any that affects what is drawn)."""
        return bool(self.morph_target_binds or self.material_color_binds or self.texture_transform_binds)


@dataclass(frozen=True)
class RangeMap:
    """A look-at range map: from the angle of the gaze to the rotation of an eye, or to an expression's weight.

    Attributes:
        input_max_value: degrees at which the output reaches its maximum.
        output_scale: the maximum, degrees (type "bone") or weight (type "expression").
        curve: VRM 0.x's keyframes, flat (time, value, in-tangent, out-tangent)*; () means linear, as in 1.0.
    """

    input_max_value: float = 90.0
    output_scale: float = 10.0
    curve: tuple[float, ...] = ()


@dataclass(frozen=True)
class LookAt:
    """VRMC_vrm lookAt.

    Attributes:
        type: what moves the gaze, the eye bones or the look expressions.
        offset_from_head_bone: the point between the eyes in the head node's local frame, meters at its scale.
        horizontal_inner: map of each eye toward the nose.
        horizontal_outer: map of each eye away from the nose.
        vertical_down: map downward.
        vertical_up: map upward.
    """

    type: Literal["bone", "expression"]
    offset_from_head_bone: Vec3
    horizontal_inner: RangeMap
    horizontal_outer: RangeMap
    vertical_down: RangeMap
    vertical_up: RangeMap


@dataclass(frozen=True)
class Constraint:
    """A VRMC_node_constraint.

    Attributes:
        node: the node that follows.
        kind: type of the constraint.
        source: the node that it follows.
        weight: share of the source's rotation, 0..1.
        axis: "X", "Y" or "Z" (roll), "PositiveX" … "NegativeZ" (aim), None (rotation).
    """

    node: int
    kind: Literal["roll", "aim", "rotation"]
    source: int
    weight: float = 1.0
    axis: str | None = None


@dataclass(frozen=True)
class Collider:
    """A spring-bone collider.

    Attributes:
        node: the node that carries it.
        shape: sphere (offset, radius), capsule (offset, tail, radius), plane (offset, normal), and the "inside"
            forms of VRMC_springBone_extended_collider.
        offset: meters, in the node's local frame.
        radius: world meters: node scales do not change it (the pseudo-code of VRMC_springBone).
        tail: end of a capsule, meters, in the node's local frame.
        normal: unit vector of a plane, in the node's local frame.
    """

    node: int
    shape: Literal["sphere", "capsule", "plane", "insideSphere", "insideCapsule"]
    offset: Vec3 = (0.0, 0.0, 0.0)
    radius: float = 0.0
    tail: Vec3 = (0.0, 0.0, 0.0)
    normal: Vec3 = (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class SpringJoint:
    """A joint of a spring. (Angle limits are not part of VRM 1.0 and are not read.)

    Attributes:
        node: the node that swings.
        tail: the node at the end of its bone; None for VRM 0.x's leaf, whose end lies 7 cm further along the bone.
        hit_radius: radius for collisions, meters.
        stiffness: force back to the rest pose.
        gravity_power: magnitude of gravity.
        gravity_dir: direction of gravity, world axes.
        drag_force: deceleration, 0..1.
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
    """A chain of spring-bone joints.

    Attributes:
        name: its name in the file.
        joints: in order from root to tip.
        colliders: indices into Avatar.colliders.
        center: the node whose motion does not swing the spring, or None.
    """

    name: str
    joints: tuple[SpringJoint, ...]
    colliders: tuple[int, ...] = ()
    center: int | None = None


FirstPersonType = Literal["auto", "both", "thirdPersonOnly", "firstPersonOnly"]


@dataclass(frozen=True)
class Meta:
    """The meta object of a VRM file.

    Attributes:
        name: title of the avatar.
        version: version of the avatar, as its author writes it.
        authors: names of its authors.
        license: license that the file states.
        thumbnail: index into the file's images (not decoded), or None.
        raw: the meta object as it stands in the file.
    """

    name: str
    version: str
    authors: tuple[str, ...]
    license: License
    thumbnail: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


# ---------------------------------------------------------------- the whole


@dataclass(frozen=True, eq=False)
class Avatar:
    """A loaded avatar; see the module's docstring for frames and indices.

    Attributes:
        source: what the user called it, a path or "demo:…".
        sha256: hash of the file's bytes, hexadecimal.
        vrm_version: "0" for VRM 0.x, "1" for VRM 1.0.
        generator: program that wrote the file.
        meta: title, authors, license.
        nodes: the file's nodes in order, and last the turn root where there is one.
        scene_nodes: nodes of the scene, parents before children; the others are never drawn.
        meshes: the file's meshes.
        skins: the file's skins.
        images: the file's images; None for those that no material uses.
        textures: the file's textures.
        materials: the file's materials, and last glTF's default material where a primitive needs it.
        humanoid: bone name (VRM 1.0) → node.
        expressions: by name; names are plain (core.names).
        reference_expressions: expressions as three-vrm reads them; None where they are the same.
        look_at: parameters of the gaze, or None.
        constraints: node constraints.
        colliders: spring-bone colliders.
        springs: spring-bone chains.
        first_person: node → first-person flag.
        extensions_used: glTF's extensionsUsed.
        oddities: what a careful reader of the file would want to know, one line each.
        turn: degrees about Y by which the turn root turns the file; 0 where there is none.
        front_known: True where the figure is known to face +Z.
        rest_corrections: humanoid bone → world rotation (x, y, z, w) from the file's rest pose to the T-pose, where
            the two differ (rest_pose.py); what hangs below such a bone goes with it.
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

        All cameras of this package are third-person, and those do not see what is for the first person only
        (VRMC_vrm firstPerson; VRM 0.x FirstPersonOnly). "auto", "both" and "thirdPersonOnly" are drawn whole.
        """
        return tuple(
            n
            for n in self.scene_nodes
            if self.nodes[n].mesh is not None and self.first_person.get(n) != "firstPersonOnly"
        )

    def primitives_of(self, node: int) -> tuple[Primitive, ...]:
        """Return the primitives of a node's mesh; () where it has no mesh."""
        mesh = self.nodes[node].mesh
        return () if mesh is None else self.meshes[mesh].primitives

    def skin_of(self, node: int, primitive: Primitive) -> Skin | None:
        """Return the skin that deforms a primitive under a node.

        None: the primitive follows the node rigidly, because the node has no skin or the primitive no joints (one
        mesh may be used by skinned and unskinned nodes).
        """
        skin = self.nodes[node].skin
        return None if skin is None or primitive.joints is None or primitive.weights is None else self.skins[skin]

    @cached_property
    def triangle_count(self) -> int:
        """Number of triangles that are drawn."""
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
