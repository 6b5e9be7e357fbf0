"""A posed avatar as pyrender meshes: CPU-skinned vertices through trimesh, materials, textures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from vrm_synth.gltf.model import (
    LINEAR,
    LINEAR_MIPMAP_LINEAR,
    LINEAR_MIPMAP_NEAREST,
    NEAREST,
    NEAREST_MIPMAP_LINEAR,
    NEAREST_MIPMAP_NEAREST,
    Material,
    Primitive,
    TextureInfo,
)
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.render.pyrender_import import pyrender
from vrm_synth.vrm.avatar import Avatar

_WITHOUT_MIPS = {
    NEAREST_MIPMAP_NEAREST: NEAREST,
    LINEAR_MIPMAP_NEAREST: LINEAR,
    NEAREST_MIPMAP_LINEAR: NEAREST,
    LINEAR_MIPMAP_LINEAR: LINEAR,
}


class PyrenderMaterial(pyrender.MetallicRoughnessMaterial):
    """pyrender's material with the glTF material that it was made from, for what pyrender has no parameter for.

    source: the glTF material; textures: pyrender's textures by its keyword.
    """

    def __init__(self, source: Material, **textures: Any):
        super().__init__(
            name=source.name,
            alphaMode=source.alpha_mode,
            baseColorFactor=np.array(source.base_color_factor, np.float32),
            metallicFactor=source.metallic_factor,
            roughnessFactor=source.roughness_factor,
            doubleSided=source.double_sided,
            **textures,
        )
        self.source = source


@dataclass(frozen=True, eq=False)
class PosedMesh:
    """One posed primitive as a pyrender mesh, and what the draw order needs of it.

    mesh: in world coordinates, metres.
    material: its glTF material, expressions applied.
    material_index: of the material in the file.
    center: (3,) float64, metres, world; of the posed bounding box.
    names: (mesh, material).
    """

    mesh: pyrender.Mesh
    material: Material
    material_index: int
    center: NDArray[np.float64]
    names: tuple[str, str]


class TextureCache:
    """The pyrender textures of the avatar drawn last, so that a run of shots of one avatar uploads them once."""

    def __init__(self) -> None:
        self._avatar: Avatar | None = None
        self._textures: dict[tuple[int, bool], pyrender.Texture] = {}

    def get(self, avatar: Avatar, info: TextureInfo | None, mipmaps: bool) -> pyrender.Texture | None:
        """The pyrender texture of a material's slot, None for an empty slot. mipmaps: False reads level 0 alone."""
        if info is None:
            return None
        if avatar is not self._avatar:
            self._avatar, self._textures = avatar, {}
        key = (info.texture, mipmaps)
        if key not in self._textures:
            self._textures[key] = _texture(avatar, info.texture, mipmaps)
        return self._textures[key]


def posed_meshes(posed: PosedAvatar, textures: TextureCache, mipmaps: bool) -> list[PosedMesh]:
    """Skin and morph everything of an avatar that is drawn, in scene order."""
    avatar = posed.avatar
    out = []
    for node, primitive, positions, normals in posed_primitives(posed):
        if not len(primitive.indices):
            continue
        material = posed.materials[primitive.material]
        mirrored = np.linalg.det(posed.world_from_node[node][:3, :3]) < 0
        mesh = _mesh(primitive, positions, normals, _material(avatar, material, textures, mipmaps), mirrored)
        mesh_index = avatar.nodes[node].mesh
        name = avatar.meshes[mesh_index].name if mesh_index is not None else ""
        center = (positions.min(0) + positions.max(0)) / 2
        out.append(PosedMesh(mesh, material, primitive.material, center, (name, material.name)))
    return out


def _mesh(
    primitive: Primitive,
    positions: NDArray[np.float64],
    normals: NDArray[np.float64] | None,
    material: PyrenderMaterial,
    mirrored: bool,
) -> pyrender.Mesh:
    uv = _uv(primitive, material.source)
    shape = trimesh.Trimesh(
        vertices=positions,
        faces=primitive.indices[:, ::-1] if mirrored else primitive.indices,
        vertex_normals=normals,
        # Through the trimesh: as an argument of from_trimesh the material would be copied, textures and all.
        visual=trimesh.visual.TextureVisuals(uv=uv, material=material),
        process=False,
    )
    mesh = pyrender.Mesh.from_trimesh(shape, smooth=True)
    drawn = mesh.primitives[0]
    if normals is None:
        drawn.normals = None  # flat, by the shader (glTF 3.7.2.1); trimesh has made smooth ones up
    if primitive.colors is not None and material.source.kind != "mtoon":  # MToon ignores vertex colours
        drawn.color_0 = primitive.colors
    return mesh


def _material(avatar: Avatar, material: Material, textures: TextureCache, mipmaps: bool) -> PyrenderMaterial:
    pbr = material.kind == "pbr"
    return PyrenderMaterial(
        material,
        baseColorTexture=textures.get(avatar, material.base_color_texture, mipmaps),
        emissiveTexture=textures.get(avatar, material.emissive_texture, mipmaps),
        metallicRoughnessTexture=textures.get(avatar, material.metallic_roughness_texture if pbr else None, mipmaps),
    )


def _uv(primitive: Primitive, material: Material) -> NDArray[np.float64] | None:
    """(V, 2) UVs, v up, with the texture transform folded in; those of the first texture that there is."""
    info = material.base_color_texture or material.emissive_texture or material.metallic_roughness_texture
    if info is None or info.tex_coord >= len(primitive.tex_coords):
        return None
    c, s = np.cos(info.rotation), np.sin(info.rotation)
    scaled = primitive.tex_coords[info.tex_coord].astype(np.float64) * info.scale
    uv = scaled @ np.array([[c, -s], [s, c]]) + info.offset
    return np.stack([uv[:, 0], 1.0 - uv[:, 1]], -1)  # pyrender turns pictures bottom row first


def _texture(avatar: Avatar, index: int, mipmaps: bool) -> pyrender.Texture:
    texture = avatar.textures[index]
    image = avatar.images[texture.image]
    assert image is not None, "the loader decodes every image that a texture of a material names"
    s = texture.sampler
    low = s.min_filter if mipmaps else _WITHOUT_MIPS.get(s.min_filter, s.min_filter)
    sampler = pyrender.Sampler(magFilter=s.mag_filter, minFilter=low, wrapS=s.wrap_s, wrapT=s.wrap_t)
    return pyrender.Texture(source=image.pixels, source_channels="RGBA", sampler=sampler)
