"""Frozen data types for the content of a glTF file: images, textures, materials (with MToon), meshes, skins, nodes.

Arrays are read-only. Indices (`node`, `mesh`, `texture` …) are the file's own glTF indices, so that a report can
point into the file. Frame: right-handed, +Y up, meters.
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

# OpenGL's enumerants of filters and wraps (glTF 2.0, 5.26)
NEAREST, LINEAR = 9728, 9729
NEAREST_MIPMAP_NEAREST, LINEAR_MIPMAP_NEAREST, NEAREST_MIPMAP_LINEAR, LINEAR_MIPMAP_LINEAR = 9984, 9985, 9986, 9987
REPEAT, CLAMP_TO_EDGE = 10497, 33071


@dataclass(frozen=True)
class Image:
    """A decoded image.

    Attributes:
        name: the image's name in the file, "" where it has none.
        mime_type: format that it was stored in, "image/png".
        pixels: (H, W, 4) uint8 RGBA, as stored (no color conversion), top row first.
    """

    name: str
    mime_type: str
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class Sampler:
    """A glTF sampler; values are OpenGL's enumerants (glTF 2.0, 5.26).

    Attributes:
        mag_filter: magnification filter; LINEAR where absent, as in three.js and UniVRM.
        min_filter: minification filter; LINEAR_MIPMAP_LINEAR where absent, as in three.js and UniVRM.
        wrap_s: wrapping along u; REPEAT where absent.
        wrap_t: wrapping along v; REPEAT where absent.
    """

    mag_filter: int = LINEAR
    min_filter: int = LINEAR_MIPMAP_LINEAR
    wrap_s: int = REPEAT
    wrap_t: int = REPEAT


@dataclass(frozen=True)
class Texture:
    """An image with its sampler.

    Attributes:
        image: index into Avatar.images.
        sampler: filters and wrapping.
        name: the texture's name in the file.
    """

    image: int
    sampler: Sampler
    name: str = ""


@dataclass(frozen=True)
class TextureInfo:
    """A material's reference to a texture (glTF textureInfo), with KHR_texture_transform applied.

    uv' = offset + R(rotation) · (scale ⊙ uv).

    Attributes:
        texture: index into Avatar.textures.
        tex_coord: UV set, an index into Primitive.tex_coords; the extension's own value wins.
        offset: (u, v).
        rotation: radians, counter-clockwise as in KHR_texture_transform.
        scale: (u, v).
    """

    texture: int
    tex_coord: int = 0
    offset: Vec2 = (0.0, 0.0)
    rotation: float = 0.0
    scale: Vec2 = (1.0, 1.0)


@dataclass(frozen=True)
class MToon:
    """The fields of VRMC_materials_mtoon 1.0, under its own names and with its defaults.

    Colors are linear RGB. outline_width_factor is in meters in the mode worldCoordinates, and relative to
    the screen's height in screenCoordinates; scroll speeds are in UVs a second, the rotation speed in radians a second.
    """

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
    """A glTF material: the core fields under glTF's own names, and MToon's where the file has them.

    Colors are linear. For unlit materials base color is all that shows (KHR_materials_unlit).

    Attributes:
        kind: the shading that the material asks for.
        mtoon: MToon's fields; set exactly when kind is "mtoon".
        alpha_cutoff: alpha from which on a "MASK" material is drawn.
        normal_scale: factor on x and y of the normal texture's vectors.
        emissive_strength: factor on emissive_factor (KHR_materials_emissive_strength).
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
        """Return every texture reference of this material by field name, MToon's included."""
        both = [vars(self), vars(self.mtoon) if self.mtoon else {}]
        return {k: v for d in both for k, v in d.items() if isinstance(v, TextureInfo)}


# ---------------------------------------------------------------- geometry


@dataclass(frozen=True)
class Primitive:
    """An indexed triangle list with V vertices, T triangles and M morph targets (M may be 0), in mesh space.

    Attributes:
        positions: (V, 3) float32, meters, as stored.
        indices: (T, 3) uint32 into the vertices.
        material: index into Avatar.materials.
        normals: (V, 3) float32 unit vectors; None for flat shading (glTF 3.7.2.1).
        tangents: (V, 4) float32, the handedness last; or None.
        tex_coords: one (V, 2) float32 array per UV set, v down as in glTF; at most four, under the file's own set
            numbers unless the material reads higher ones (uv_sets.py).
        colors: (V, 4) float32 RGBA, linear; or None.
        joints: (V, 4) uint16 into Skin.joints; None where the primitive is not skinned.
        weights: (V, 4) float32, each row sums to 1; None exactly where joints is.
        morph_positions: (M, V, 3) float32 displacements, meters.
        morph_normals: (M, V, 3) float32 displacements; None where no target has any.
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
    """A glTF mesh.

    Attributes:
        name: its name in the file.
        primitives: those that are drawn (points and lines are left out).
        weights: (M,) default morph weights.
        target_names: names of the morph targets; may be shorter than M, or empty.
    """

    name: str
    primitives: tuple[Primitive, ...]
    weights: tuple[float, ...] = ()
    target_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skin:
    """A glTF skin with J joints.

    Attributes:
        joints: (J,) node indices.
        inverse_bind: (J, 4, 4) float32, joint_from_mesh at bind time.
        name: its name in the file.
    """

    joints: tuple[int, ...]
    inverse_bind: F32
    name: str = ""


@dataclass(frozen=True)
class Node:
    """A glTF node with its local transform at rest.

    Attributes:
        name: its name in the file, "" where it has none.
        parent: node index; -1 for a root.
        children: node indices.
        translation: meters, in the parent's frame.
        rotation: unit quaternion (x, y, z, w).
        scale: factors along the node's axes.
        mesh: index into Avatar.meshes, or None.
        skin: index into Avatar.skins, or None.
        weights: (M,) default morph weights that replace the mesh's own (glTF 3.7.2.2); None: the mesh's own.
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
