"""Write the glTF that both VRM versions share (buffers, accessors, meshes, skin, nodes, images), and the GLB file."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image
import pygltflib

from vrm_synth.builtin_avatar.demo_character import DemoCharacter
from vrm_synth.gltf.model import Image, Material, Mesh, Primitive, TextureInfo

Json = dict[str, Any]
GENERATOR = "vrm-synth demo avatar"
FLOAT, U16, U32, U8 = 5126, 5123, 5125, 5121  # component types
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963  # targets of buffer views
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


class BufferPacker:
    """Builder of one binary buffer with its views and accessors; views are aligned to 4 bytes.

    Attributes:
        blob: the buffer so far.
        views: its buffer views, as glTF JSON.
        accessors: its accessors, as glTF JSON.
    """

    def __init__(self) -> None:
        self.blob = bytearray()
        self.views: list[Json] = []
        self.accessors: list[Json] = []

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append a buffer view of `data`; return its index."""
        self.blob += b"\0" * (-len(self.blob) % 4)
        view: Json = {"buffer": 0, "byteOffset": len(self.blob), "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        self.views.append(view)
        self.blob += data
        return len(self.views) - 1

    def accessor(self, array: np.ndarray, component: int, target: int | None = None, bounds: bool = False) -> int:
        """Append an accessor of (N,) scalars or (N, C) rows, matrices in column order; return its index."""
        a = np.ascontiguousarray(array, {FLOAT: "<f4", U16: "<u2", U32: "<u4", U8: "u1"}[component])
        width = 1 if a.ndim == 1 else a.shape[1]
        entry: Json = {
            "bufferView": self.view(a.tobytes(), target),
            "componentType": component,
            "count": len(a),
            "type": _TYPES[width],
        }
        if bounds:
            entry |= {"min": a.min(0).tolist(), "max": a.max(0).tolist()}
        self.accessors.append(entry)
        return len(self.accessors) - 1

    def sparse(self, array: np.ndarray) -> int:
        """Append a sparse VEC3 accessor with only the rows that are not zero (at least one); return its index."""
        a = np.ascontiguousarray(array, "<f4")
        rows = np.flatnonzero(np.any(a != 0, axis=1))
        rows = rows if len(rows) else np.array([0])
        self.accessors.append(
            {
                "componentType": FLOAT,
                "count": len(a),
                "type": "VEC3",
                "min": a.min(0).tolist(),
                "max": a.max(0).tolist(),
                "sparse": {
                    "count": len(rows),
                    "indices": {"bufferView": self.view(rows.astype("<u4").tobytes()), "componentType": U32},
                    "values": {"bufferView": self.view(a[rows].tobytes())},
                },
            }
        )
        return len(self.accessors) - 1


def png_bytes(image: Image) -> bytes:
    """Encode an image as a PNG; the bytes depend on its pixels alone, and opaque images are stored as RGB."""
    pixels = image.pixels if image.pixels[..., 3].min() < 255 else image.pixels[..., :3]
    out = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG", compress_level=6)
    return out.getvalue()


def base_gltf(character: DemoCharacter, packer: BufferPacker, turn: bool, material: Callable[[Material], Json]) -> Json:
    """Build the glTF JSON without its VRM extension; turn: face −Z instead of +Z (VRM 0.x)."""
    axis_signs = np.array([-1.0, 1.0, -1.0] if turn else [1.0, 1.0, 1.0])  # (−1, 1, −1) turns by 180° about Y
    return {
        "asset": {"version": "2.0", "generator": GENERATOR, "extras": {"vrm_synth_facts": dict(character.facts)}},
        "scene": 0,
        "scenes": [{"nodes": [i for i, n in enumerate(character.nodes) if n.parent < 0]}],
        "nodes": [_node(n, axis_signs) for n in character.nodes],
        "meshes": [_mesh(m, packer, axis_signs) for m in character.meshes],
        "skins": [_skin(character, packer, axis_signs)],
        "materials": [material(m) for m in character.materials],
        "textures": [
            {"source": t.image, "sampler": _samplers(character).index(t.sampler), "name": t.name}
            for t in character.textures
        ],
        "samplers": [
            {"magFilter": s.mag_filter, "minFilter": s.min_filter, "wrapS": s.wrap_s, "wrapT": s.wrap_t}
            for s in _samplers(character)
        ],
        "images": [
            {"name": i.name, "mimeType": "image/png", "bufferView": packer.view(png_bytes(i))} for i in character.images
        ],
    }


def write_glb(gltf: Json, packer: BufferPacker) -> bytes:
    """Serialize glTF JSON and buffer as a GLB file, with pygltflib."""
    packer.blob += b"\0" * (-len(packer.blob) % 4)
    document = pygltflib.GLTF2(
        asset=pygltflib.Asset(**gltf["asset"]),
        scene=gltf["scene"],
        buffers=[pygltflib.Buffer(byteLength=len(packer.blob))],
        bufferViews=[pygltflib.BufferView(**v) for v in packer.views],
        # a byteOffset, pygltflib's default, is an error where there is no bufferView (glTF 2.0, 5.1)
        accessors=[pygltflib.Accessor(**({"byteOffset": None} | a)) for a in packer.accessors],
        **{key: [kind(**row) for row in gltf[key]] for key, kind in _OBJECTS.items()},
        extensions=gltf["extensions"],
        extensionsUsed=gltf["extensionsUsed"],
    )
    document.set_binary_blob(bytes(packer.blob))
    return b"".join(document.save_to_bytes())


# pygltflib's classes are filled one level deep: its own JSON reader takes a second for the same
_OBJECTS = {
    "scenes": pygltflib.Scene,
    "nodes": pygltflib.Node,
    "meshes": pygltflib.Mesh,
    "skins": pygltflib.Skin,
    "materials": pygltflib.Material,
    "textures": pygltflib.Texture,
    "samplers": pygltflib.Sampler,
    "images": pygltflib.Image,
}


def texture_info(info: TextureInfo, **more: float) -> Json:
    """Return a glTF textureInfo, with KHR_texture_transform where it is not the identity."""
    out: Json = {"index": info.texture, "texCoord": info.tex_coord, **more}
    if (info.offset, info.rotation, info.scale) != ((0.0, 0.0), 0.0, (1.0, 1.0)):
        out["extensions"] = {
            "KHR_texture_transform": {
                "offset": list(info.offset),
                "rotation": info.rotation,
                "scale": list(info.scale),
            }
        }
    return out


def plain_material(m: Material) -> Json:
    """Return the core part of a glTF material, KHR_materials_unlit included."""
    pbr: Json = {"baseColorFactor": list(m.base_color_factor), "metallicFactor": 0.0, "roughnessFactor": 0.9}
    if m.base_color_texture is not None:
        pbr["baseColorTexture"] = texture_info(m.base_color_texture)
    out: Json = {
        "name": m.name,
        "pbrMetallicRoughness": pbr,
        "alphaMode": m.alpha_mode,
        "doubleSided": m.double_sided,
        "extensions": {},
    }
    if m.alpha_mode == "MASK":
        out["alphaCutoff"] = m.alpha_cutoff
    if m.normal_texture is not None:
        out["normalTexture"] = texture_info(m.normal_texture, scale=m.normal_scale)
    if m.kind == "unlit":
        out["extensions"]["KHR_materials_unlit"] = {}
    return out


def used_extensions(character: DemoCharacter) -> list[str]:
    """Return the Khronos extensions that the materials use."""
    used = {"KHR_materials_unlit"} if any(m.kind == "unlit" for m in character.materials) else set()
    if any(
        i.offset != (0.0, 0.0) or i.scale != (1.0, 1.0) for m in character.materials for i in m.texture_infos().values()
    ):
        used.add("KHR_texture_transform")
    return sorted(used)


def _samplers(character: DemoCharacter) -> list[Any]:
    return list(dict.fromkeys(t.sampler for t in character.textures))


def _node(node: Any, axis_signs: np.ndarray) -> Json:
    out: Json = {"name": node.name, "translation": (np.array(node.translation) * axis_signs + 0.0).tolist()}
    if node.children:
        out["children"] = list(node.children)
    if node.mesh is not None:
        out |= {"mesh": node.mesh, "skin": node.skin}
    return out


def _skin(character: DemoCharacter, packer: BufferPacker, axis_signs: np.ndarray) -> Json:
    matrices = np.array(character.skin.inverse_bind, np.float64)
    matrices[:, :3, 3] *= axis_signs
    columns = np.swapaxes(matrices, 1, 2).reshape(-1, 16) + 0.0
    root = character.humanoid["hips"]
    return {
        "joints": list(character.skin.joints),
        "inverseBindMatrices": packer.accessor(columns, FLOAT),
        "skeleton": character.nodes[root].parent if character.nodes[root].parent >= 0 else root,
        "name": character.skin.name,
    }


def _mesh(mesh: Mesh, packer: BufferPacker, axis_signs: np.ndarray) -> Json:
    out: Json = {"name": mesh.name, "primitives": [_primitive(p, mesh, packer, axis_signs) for p in mesh.primitives]}
    if mesh.weights:
        out |= {"weights": list(mesh.weights), "extras": {"targetNames": list(mesh.target_names)}}
    return out


def _primitive(p: Primitive, mesh: Mesh, packer: BufferPacker, axis_signs: np.ndarray) -> Json:
    if p.normals is None or p.joints is None or p.weights is None:
        raise TypeError("a primitive of the built-in avatar has normals, joints and weights")
    count = len(p.positions)
    attributes = {
        "POSITION": packer.accessor(p.positions * axis_signs, FLOAT, ARRAY_BUFFER, bounds=True),
        "NORMAL": packer.accessor(p.normals * axis_signs, FLOAT, ARRAY_BUFFER),
        "TEXCOORD_0": packer.accessor(p.tex_coords[0], FLOAT, ARRAY_BUFFER),
        "JOINTS_0": packer.accessor(p.joints, U8 if p.joints.max() < 256 else U16, ARRAY_BUFFER),
        "WEIGHTS_0": packer.accessor(p.weights, FLOAT, ARRAY_BUFFER),
    }
    indices = packer.accessor(p.indices.reshape(-1), U16 if count < 65535 else U32, ELEMENT_ARRAY_BUFFER)
    out: Json = {"attributes": attributes, "indices": indices, "material": p.material, "mode": 4}
    if len(p.morph_positions):
        out["targets"] = [{"POSITION": packer.sparse(d * axis_signs)} for d in p.morph_positions]
        out["extras"] = {"targetNames": list(mesh.target_names)}
    return out
