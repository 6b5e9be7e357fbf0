"""KHR_draco_mesh_compression: decompress primitives into buffer views before meshes are read.

Each attribute that the extension lists gets an accessor of its own over the decompressed data, with the component type,
normalization and count that the file's accessor announces. Morph targets are never compressed (the extension leaves
them uncompressed).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pygltflib
from numpy.typing import NDArray

from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.accessors import COMPONENTS, DTYPES, Accessors, BufferBytes
from vrm_synth.gltf.json_reader import JsonObject, integer

NAME = "KHR_draco_mesh_compression"
_FLAG_METADATA = 0x8000
_SEQUENTIAL, _EDGEBREAKER = 0, 1


@dataclass(frozen=True)
class _DracoExtension:
    """The extension of one primitive.

    Attributes:
        view: buffer view of the compressed bytes.
        ids: (attribute name, unique id in the compressed data).
    """

    view: int
    ids: tuple[tuple[str, int], ...]


def decompress_primitives(accessors: Accessors, buffers: BufferBytes) -> None:
    """Replace the compressed primitives of the document by uncompressed ones.

    A primitive whose accessors all have plain data too (a fallback) is left as it is. Raises AvatarError for what
    is damaged, or differs from what its accessors announce.
    """
    gltf = buffers.gltf
    decompressed: dict[tuple[object, ...], tuple[dict[str, int], int]] = {}
    for m, mesh in enumerate(gltf.meshes):
        for p, primitive in enumerate(mesh.primitives):
            where = f"meshes[{m}].primitives[{p}]"
            draco = _read_extension(primitive, where)
            if draco is None or _has_fallback(gltf, primitive, draco):
                continue
            key = (draco, tuple(sorted(primitive.attributes.items())), primitive.indices)
            if key not in decompressed:
                decompressed[key] = _decompress(primitive, draco, accessors, buffers, where)
            attributes, indices = decompressed[key]
            primitive.attributes.update(attributes)
            primitive.indices = indices


def _read_extension(primitive: pygltflib.Primitive, where: str) -> _DracoExtension | None:
    if primitive.extensions.get(NAME) is None:
        return None
    f = JsonObject(primitive.extensions[NAME], f"{where}.extensions.{NAME}")
    if primitive.mode != pygltflib.TRIANGLES:
        raise AvatarError("compressed primitive is no triangle list", got=primitive.mode, allowed=4, where=where)
    f.required("bufferView")
    view = integer(f.data["bufferView"], f.at("bufferView"))
    ids = f.child_or_empty("attributes")
    listed = tuple((name, integer(ids.required(name), ids.at(name))) for name in sorted(ids.data))
    if view < 0 or any(i < 0 for _, i in listed):
        raise AvatarError("must not be negative", where=f.path)
    for name, _ in listed:
        if name not in primitive.attributes:
            raise AvatarError(f"compressed attribute {name} is not in the primitive", where=f.at("attributes"))
    if "POSITION" not in ids.data:
        raise AvatarError("compressed primitive has no POSITION", where=f.at("attributes"))
    return _DracoExtension(view, listed)


def _has_fallback(gltf: pygltflib.GLTF2, primitive: pygltflib.Primitive, draco: _DracoExtension) -> bool:
    wanted = [primitive.attributes[name] for name, _ in draco.ids]
    wanted += [] if primitive.indices is None else [primitive.indices]
    return all(i >= len(gltf.accessors) or gltf.accessors[i].bufferView is not None for i in wanted)


def _decompress(
    primitive: pygltflib.Primitive, draco: _DracoExtension, accessors: Accessors, buffers: BufferBytes, where: str
) -> tuple[dict[str, int], int]:
    gltf = buffers.gltf
    wanted = {name: accessors.get(primitive.attributes[name], f"{where}.attributes.{name}") for name, _ in draco.ids}
    vertices = wanted["POSITION"].count
    for name, accessor in wanted.items():
        if accessor.count != vertices:
            json_path = f"{where}.attributes.{name}"
            raise AvatarError(
                "vertex counts differ", got=accessor.count, allowed=f"POSITION's {vertices}", where=json_path
            )
        if accessor.type not in COMPONENTS or accessor.componentType not in DTYPES or accessor.sparse is not None:
            raise AvatarError("compressed attribute has a wrong accessor", where=f"{where}.attributes.{name}")
    data = buffers.view(draco.view, f"{where}.extensions.{NAME}.bufferView")
    faces = _triangle_count(data, where)
    index = _index_accessor(accessors, primitive, faces, where)
    # 4 bytes a component, whatever its type: the library widens integers.
    numbers = sum(vertices * COMPONENTS[a.type] for a in wanted.values()) + 3 * faces
    found = buffers.decoder.decode("draco", {"ids": [i for _, i in draco.ids]}, data, 4 * numbers, where)
    attributes = {}
    for name, unique_id in draco.ids:
        json_path, accessor = f"{where}.attributes.{name}", wanted[name]
        values = found.get(str(unique_id))
        shape = (vertices, COMPONENTS[accessor.type])
        if values is None or values.shape != shape:
            got = "no such attribute" if values is None else values.shape
            raise AvatarError(
                "compressed attribute is not what its accessor says", got=got, allowed=shape, where=json_path
            )
        attributes[name] = _append_accessor(gltf, buffers, accessor, _cast(values, accessor.componentType, json_path))
    triangles = found.get("faces")
    if triangles is None or triangles.shape != (faces, 3):
        raise AvatarError("compressed triangles are not as many as announced", allowed=faces, where=where)
    indices = _cast(triangles.reshape(-1, 1), index.componentType, f"{where}.indices")
    return attributes, _append_accessor(gltf, buffers, index, indices)


def _index_accessor(accessors: Accessors, primitive: pygltflib.Primitive, faces: int, where: str) -> pygltflib.Accessor:
    """The primitive's index accessor, checked against the compressed data; a new one where it has none."""
    if primitive.indices is None:
        return pygltflib.Accessor(componentType=pygltflib.UNSIGNED_INT, count=3 * faces, type="SCALAR", sparse=None)
    index = accessors.get(primitive.indices, f"{where}.indices")
    if index.type != "SCALAR" or index.componentType not in DTYPES or index.sparse is not None:
        raise AvatarError("compressed indices have a wrong accessor", where=f"{where}.indices")
    if 3 * faces > index.count:
        raise AvatarError("index counts differ", got=f"{3 * faces} compressed", allowed=index.count, where=where)
    if 3 * faces < index.count:  # encoders drop triangles of no area, and some exporters do not update the count
        accessors.buffers.oddities.add(f"{where} has {faces} compressed triangles of {index.count // 3} announced")
    return index


def _cast(values: NDArray[Any], component: int, where: str) -> NDArray[Any]:
    """Convert values to an accessor's component type; raise AvatarError where that changes an integer."""
    with np.errstate(invalid="ignore"):
        cast = values.astype(DTYPES[component])
    if values.dtype.kind != "f" or cast.dtype.kind != "f":
        bad = cast.astype(np.float64) != values.astype(np.float64)
        if bad.any():
            raise AvatarError(
                "compressed value does not fit its accessor",
                got=repr(values[bad].flat[0].item()),
                allowed=cast.dtype.name,
                where=where,
            )
    return cast


def _append_accessor(
    gltf: pygltflib.GLTF2, buffers: BufferBytes, like: pygltflib.Accessor, values: NDArray[Any]
) -> int:
    """Append an accessor over `values` with the type of `like`, and return its index."""
    accessor = copy.copy(like)
    accessor.bufferView, accessor.byteOffset, accessor.count = buffers.add(values.tobytes()), 0, len(values)
    gltf.accessors.append(accessor)
    return len(gltf.accessors) - 1


def _triangle_count(data: memoryview, where: str) -> int:
    """Return the number of triangles that a Draco header announces (Draco bitstream 2.2, 3 to 5)."""
    damaged = AvatarError("compressed mesh has a damaged header", got=repr(bytes(data[:11])), where=where)
    if len(data) < 11 or data[:5] != b"DRACO":
        raise damaged
    major, minor, kind, method = data[5:9]
    flags = int.from_bytes(data[9:11], "little")
    if (major, minor) != (2, 2) or kind != 1 or method not in (_SEQUENTIAL, _EDGEBREAKER):
        raise AvatarError(
            "compressed mesh is in no known form",
            got=f"version {major}.{minor}, kind {kind}, method {method}",
            allowed="version 2.2, kind 1, method 0 or 1",
            where=where,
        )
    try:
        at = _after_metadata(data, 11) if flags & _FLAG_METADATA else 11
        if method == _SEQUENTIAL:
            return _varint(data, at)[0]
        _, at = _varint(data, at + 1)  # after the traversal's kind: the number of vertices
        return _varint(data, at)[0]
    except IndexError:
        raise damaged from None


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return (value, next offset) of a little-endian base-128 number of at most 32 bits."""
    value = 0
    for k in range(5):
        value |= (data[at + k] & 0x7F) << 7 * k
        if not data[at + k] & 0x80:
            return value, at + k + 1
    raise IndexError


def _after_metadata(data: memoryview, at: int) -> int:
    """Return the offset after the metadata (Draco bitstream 2.2, 4): one element per described attribute, and one for
    the file. Raises IndexError past the end."""
    described, at = _varint(data, at)
    for _ in range(described):
        _, at = _varint(data, at)
        at = _after_element(data, at)
    return _after_element(data, at)


def _after_element(data: memoryview, at: int) -> int:
    entries, at = _varint(data, at)
    for _ in range(entries):
        at += 1 + data[at]
        size, at = _varint(data, at)
        at += size
    inner, at = _varint(data, at)
    if inner:  # nested elements: no writer of glTF is known to make them
        raise IndexError
    return at
