"""Load a VRM file into an Avatar.

The order bounds the cost of hostile files: headers are read first, then the JSON, and everything that the JSON alone
shows is checked before the rest of the file is read; then all accessors are checked against their buffers and
the limits, then vertex data is read, and images are decoded last.
"""

from __future__ import annotations

from collections.abc import Collection
from io import BufferedReader
from pathlib import Path

import pygltflib

from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.accessors import Accessors, BufferBytes
from vrm_synth.gltf.codecs import draco
from vrm_synth.gltf.codecs.decoder import Decoder
from vrm_synth.gltf.container import ByteSource, FileSource, GlbChunks, MemorySource, find_chunks
from vrm_synth.gltf.document import parse_gltf
from vrm_synth.gltf.images import read_images
from vrm_synth.gltf.json_reader import JsonObject, parse_json
from vrm_synth.gltf.limits import DEFAULT_LIMITS, Limits
from vrm_synth.gltf.materials import Textures, read_material
from vrm_synth.gltf.meshes import MeshReader, check_joints
from vrm_synth.gltf.model import Image, Material, Mesh, Skin
from vrm_synth.gltf.nodes import check_skins, read_nodes, read_skins, scene_nodes
from vrm_synth.gltf.oddities import Oddities
from vrm_synth.gltf.uv_sets import UvSets, assign_uv_sets
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.extension import ExtensionSource, VrmExtension
from vrm_synth.vrm.facing import turn_to_front
from vrm_synth.vrm.humanoid import read_humanoid
from vrm_synth.vrm.rest_pose import correct_rest_pose
from vrm_synth.vrm.vrm0 import read_vrm0
from vrm_synth.vrm.vrm0_materials import read_vrm0_materials
from vrm_synth.vrm.vrm1 import read_vrm1


def load(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> Avatar:
    """Load the avatar in a VRM 0.x or 1.0 file.

    Raises AvatarError, one line that names the file, what is wrong and where, for a file that cannot be
    read, is not a VRM, contradicts itself, requires something unsupported, or is beyond the limits.
    """
    try:
        with _open(Path(path)) as file:
            return _load(FileSource(file), str(path), limits)
    except AvatarError as e:
        raise e.at(path) from e


def _open(path: Path) -> BufferedReader:
    try:
        if path.exists() and not path.is_file():
            raise AvatarError("not a file", got="a folder or a device")
        return path.open("rb")
    except OSError as e:
        raise AvatarError(f"cannot read the file: {e.strerror or e}") from e
    except ValueError as e:  # a path with a NUL
        raise AvatarError(f"cannot read the file: {e}") from e


def load_bytes(data: bytes, source: str, limits: Limits = DEFAULT_LIMITS) -> Avatar:
    """Load the avatar in the bytes of a VRM file; `source` is what messages call it."""
    try:
        return _load(MemorySource(data), source, limits)
    except AvatarError as e:
        raise e.at(source) from e


def _load(file: ByteSource, source: str, limits: Limits) -> Avatar:
    oddities = Oddities()
    chunks = find_chunks(file, limits, oddities)
    root = parse_json(bytes(file.read(*chunks.json)), limits, oddities)
    gltf = parse_gltf(root, limits)
    ext1, ext0 = root.extension("VRMC_vrm"), root.extension("VRM")
    if ext1 is None and ext0 is None:
        raise AvatarError("a glTF file, but not a VRM", got="no VRM or VRMC_vrm extension", where="extensions")
    if ext1 is not None and ext0 is not None:
        oddities.add("file has both VRM and VRMC_vrm; it is read as VRM 1.0")

    nodes = read_nodes(gltf, limits, oddities)
    scene = scene_nodes(gltf, nodes, oddities)
    extension = (
        read_vrm1(ExtensionSource(ext1, root, gltf, limits, oddities))
        if ext1 is not None
        else read_vrm0(ExtensionSource(ext0 or JsonObject({}), root, gltf, limits, oddities))
    )
    bones = read_humanoid(extension.bones, scene, oddities)
    textures = Textures(gltf, oddities)
    materials, uv_sets = assign_uv_sets(_materials(root, extension, textures, limits, oddities), oddities)

    skins, meshes, images = _read_buffers(file, chunks, gltf, textures.used_images, uv_sets, limits, oddities)
    if any(p.material == len(materials) for m in meshes for p in m.primitives):
        oddities.add("some primitives have no material; glTF's default material is taken")
        materials = (*materials, Material(name="default"))

    avatar = Avatar(
        source=source,
        sha256=file.sha256(),
        vrm_version=extension.version,
        generator=extension.exporter or gltf.asset.generator,
        meta=extension.meta,
        nodes=nodes,
        scene_nodes=scene,
        meshes=meshes,
        skins=skins,
        images=images,
        textures=tuple(textures.textures),
        materials=materials,
        humanoid=bones,
        expressions=extension.expressions,
        reference_expressions=extension.reference_expressions,
        look_at=extension.look_at,
        constraints=extension.constraints,
        colliders=extension.colliders,
        springs=extension.springs,
        first_person=extension.first_person,
        extensions_used=tuple(gltf.extensionsUsed),
        oddities=oddities.lines(),
    )
    return correct_rest_pose(turn_to_front(avatar))


def _read_buffers(
    file: ByteSource,
    chunks: GlbChunks,
    gltf: pygltflib.GLTF2,
    used_images: Collection[int],
    uv_sets: tuple[UvSets, ...],
    limits: Limits,
    oddities: Oddities,
) -> tuple[tuple[Skin, ...], tuple[Mesh, ...], tuple[Image | None, ...]]:
    """Read skins, meshes and images from the file's buffers; everything is checked before data is read."""
    with Decoder(limits) as decoder:
        bin_chunk = file.read(*chunks.bin) if chunks.bin is not None else None
        buffers = BufferBytes(gltf, bin_chunk, limits, oddities, decoder)
        accessors = Accessors(gltf, buffers, limits)
        draco.decompress_primitives(accessors, buffers)
        reader = MeshReader(gltf, accessors, limits, oddities, uv_sets)
        check_skins(gltf, accessors, limits)
        reader.check()
        skins = read_skins(gltf, accessors)
        meshes = reader.read()
        check_joints(gltf, meshes, oddities)
        images = read_images(gltf, buffers, used_images, limits, oddities)
    return skins, meshes, images


def _materials(
    root: JsonObject, extension: VrmExtension, textures: Textures, limits: Limits, oddities: Oddities
) -> tuple[Material, ...]:
    materials = root.children("materials", limits.items)
    if extension.version == "1":
        return tuple(read_material(f, textures) for f in materials)
    ext = root.extension("VRM") or JsonObject({})
    return read_vrm0_materials(materials, ext.children("materialProperties", limits.items), textures, oddities)
