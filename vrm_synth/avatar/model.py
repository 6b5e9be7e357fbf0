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

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Vec2 = tuple[float, float]
Vec3 = tuple[float, float, float]
Vec4 = tuple[float, float, float, float]
Turn = Literal[0, 90, 180, -90]

# ---------------------------------------------------------------- textures and materials


@dataclass(frozen=True)
class Image:
    """A decoded picture. pixels: (H, W, 4) uint8 RGBA, as stored (no colour conversion), top row first."""

    name: str
    mime_type: str
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Sampler:
    """glTF sampler; values are OpenGL's enumerants (glTF 2.0, 5.26), absent filters already defaulted
    to LINEAR and LINEAR_MIPMAP_LINEAR as three.js and UniVRM do."""

    mag_filter: int = 9729
    min_filter: int = 9987
    wrap_s: int = 10497
    wrap_t: int = 10497


@dataclass(frozen=True)
class Texture:
    """image: index into Avatar.images."""

    image: int
    sampler: Sampler
    name: str = ""


@dataclass(frozen=True)
class TextureInfo:
    """A use of a texture by a material, with KHR_texture_transform folded in.

    uv' = offset + R(rotation) · (scale ⊙ uv), rotation in radians, counter-clockwise as in
    KHR_texture_transform; tex_coord is the UV set (the extension's own value wins), as Primitive.tex_coords has it.
    """

    texture: int
    tex_coord: int = 0
    offset: Vec2 = (0.0, 0.0)
    rotation: float = 0.0
    scale: Vec2 = (1.0, 1.0)


@dataclass(frozen=True)
class MToon:
    """VRMC_materials_mtoon 1.0, field for field. Colours are linear RGB."""

    transparent_with_z_write: bool = False
    render_queue_offset_number: int = 0
    shade_color_factor: Vec3 = (0.0, 0.0, 0.0)
    shade_multiply_texture: TextureInfo | None = None
    shading_shift_factor: float = 0.0
    shading_shift_texture: TextureInfo | None = None
    shading_shift_texture_scale: float = 1.0
    shading_toony_factor: float = 0.9
    gi_equalization_factor: float = 0.9
    matcap_factor: Vec3 = (1.0, 1.0, 1.0)
    matcap_texture: TextureInfo | None = None
    parametric_rim_color_factor: Vec3 = (0.0, 0.0, 0.0)
    rim_multiply_texture: TextureInfo | None = None
    rim_lighting_mix_factor: float = 1.0
    parametric_rim_fresnel_power_factor: float = 5.0
    parametric_rim_lift_factor: float = 0.0
    outline_width_mode: Literal["none", "worldCoordinates", "screenCoordinates"] = "none"
    outline_width_factor: float = 0.0
    outline_width_multiply_texture: TextureInfo | None = None
    outline_color_factor: Vec3 = (0.0, 0.0, 0.0)
    outline_lighting_mix_factor: float = 1.0
    uv_animation_mask_texture: TextureInfo | None = None
    uv_animation_scroll_x_speed_factor: float = 0.0
    uv_animation_scroll_y_speed_factor: float = 0.0
    uv_animation_rotation_speed_factor: float = 0.0


@dataclass(frozen=True)
class Material:
    """A glTF material. kind says which shading it asks for; `mtoon` is set exactly when kind is "mtoon".

    Colours are linear. For unlit materials base colour is all that shows (KHR_materials_unlit).
    """

    name: str = ""
    kind: Literal["mtoon", "unlit", "pbr"] = "pbr"
    base_color_factor: Vec4 = (1.0, 1.0, 1.0, 1.0)
    base_color_texture: TextureInfo | None = None
    metallic_factor: float = 1.0
    roughness_factor: float = 1.0
    metallic_roughness_texture: TextureInfo | None = None
    normal_texture: TextureInfo | None = None
    normal_scale: float = 1.0
    occlusion_texture: TextureInfo | None = None
    occlusion_strength: float = 1.0
    emissive_factor: Vec3 = (0.0, 0.0, 0.0)
    emissive_strength: float = 1.0
    emissive_texture: TextureInfo | None = None
    alpha_mode: Literal["OPAQUE", "MASK", "BLEND"] = "OPAQUE"
    alpha_cutoff: float = 0.5
    double_sided: bool = False
    mtoon: MToon | None = None

    def texture_infos(self) -> dict[str, TextureInfo]:
        """Every texture this material uses, by field name (MToon's own fields included)."""
        both = [vars(self), vars(self.mtoon) if self.mtoon else {}]
        return {k: v for d in both for k, v in d.items() if isinstance(v, TextureInfo)}


# ---------------------------------------------------------------- geometry


@dataclass(frozen=True)
class Primitive:
    """One indexed triangle list.

    positions, normals, morph deltas: metres and unit vectors in mesh space, as stored.
    positions (V, 3); normals (V, 3) or None (then flat shading, glTF 3.7.2.1); tangents (V, 4) or None;
    tex_coords: one (V, 2) array a UV set, v down as in glTF; at most four, by the file's own numbers unless its
    material reads higher ones (uv_sets.py); colors (V, 4) or None;
    joints (V, 4) uint16 into the skin's joints, weights (V, 4) float32 that sum to 1, or both None;
    indices (T, 3) uint32; material: index into Avatar.materials;
    morph_positions (M, V, 3), morph_normals (M, V, 3) or None: deltas of M targets (M may be 0).
    """

    positions: F32
    indices: NDArray[np.uint32]
    material: int
    normals: F32 | None = None
    tangents: F32 | None = None
    tex_coords: tuple[F32, ...] = ()
    colors: F32 | None = None
    joints: NDArray[np.uint16] | None = None
    weights: F32 | None = None
    morph_positions: F32 = field(default_factory=lambda: np.zeros((0, 0, 3), np.float32))
    morph_normals: F32 | None = None


@dataclass(frozen=True)
class Mesh:
    """weights: (M,) default morph weights; target_names may be shorter than M or empty."""

    name: str
    primitives: tuple[Primitive, ...]
    weights: tuple[float, ...] = ()
    target_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skin:
    """joints: node indices (J,); inverse_bind: (J, 4, 4) float32, joint_from_mesh at bind time."""

    joints: tuple[int, ...]
    inverse_bind: F32
    name: str = ""


@dataclass(frozen=True)
class Node:
    """translation, rotation (x, y, z, w), scale: local, at rest. parent is -1 at the top.

    weights: (M,) default morph weights of the mesh under this node, instead of the mesh's own (glTF 3.7.2.2);
    None: the mesh's own.
    """

    name: str
    parent: int
    children: tuple[int, ...]
    translation: Vec3
    rotation: Vec4
    scale: Vec3
    mesh: int | None = None
    skin: int | None = None
    weights: tuple[float, ...] | None = None


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
class Licence:
    """What the file itself says. name: what identifies it (licence.py), "" when absent; url: where it can be read.

    terms: the permission fields as written (allowedUserName, avatarPermission, commercialUsage …).
    """

    name: str
    url: str = ""
    is_cc0: bool = False
    terms: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Meta:
    """thumbnail: index into the file's images, not decoded; raw: the meta object as it stands."""

    name: str
    version: str
    authors: tuple[str, ...]
    licence: Licence
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
