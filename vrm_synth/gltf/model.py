"""What glTF says: images, textures, materials (MToon among them), meshes, skins and nodes, as frozen data.

Arrays are read-only. Indices (`node`, `mesh`, `texture` …) are the file's own glTF indices, so that a report can
point into the file. Frame: right-handed, +Y up, metres.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.vectors import Vec2 as Vec2
from vrm_synth.core.vectors import Vec3 as Vec3
from vrm_synth.core.vectors import Vec4 as Vec4

F32 = NDArray[np.float32]

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
