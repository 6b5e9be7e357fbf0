"""Read accessors into numpy arrays (glTF 2.0, 3.6); every offset, stride and count is checked before use."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import numpy as np
import pygltflib
from numpy.typing import NDArray

from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.codecs.decoder import Decoder
from vrm_synth.gltf.codecs.meshopt import MeshoptView, is_fallback, read_compression
from vrm_synth.gltf.json_reader import out_of_range
from vrm_synth.gltf.limits import Limits
from vrm_synth.gltf.oddities import Oddities

DTYPES: dict[int, np.dtype[Any]] = {
    pygltflib.BYTE: np.dtype("<i1"),
    pygltflib.UNSIGNED_BYTE: np.dtype("<u1"),
    pygltflib.SHORT: np.dtype("<i2"),
    pygltflib.UNSIGNED_SHORT: np.dtype("<u2"),
    pygltflib.UNSIGNED_INT: np.dtype("<u4"),
    pygltflib.FLOAT: np.dtype("<f4"),
}
_FILE_NAME = re.compile(r"[\w-][\w .-]*")
COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class BufferBytes:
    """The bytes of a document's buffers, and of its buffer views.

    bin_chunk: the GLB's BIN chunk, which is buffer 0 where that has no URI. `data:` URIs are decoded when they
    are small; every other URI is refused, so that a file can never cause another one to be read. A compressed view
    (EXT_meshopt_compression) is decompressed at first use.

    Attributes:
        size: bytes of all buffers that have data.
    """

    def __init__(
        self, gltf: pygltflib.GLTF2, bin_chunk: memoryview | None, limits: Limits, oddities: Oddities, decoder: Decoder
    ):
        self.gltf, self.limits, self.oddities, self.decoder = gltf, limits, oddities, decoder
        self._decompressed: dict[int, memoryview] = {}
        self._bytes: list[memoryview | None] = []
        for i, buffer in enumerate(gltf.buffers):
            self._bytes.append(self._buffer(buffer, i, bin_chunk))
        self.size = sum(len(b) for b in self._bytes if b is not None)

    def _buffer(self, buffer: pygltflib.Buffer, i: int, bin_chunk: memoryview | None) -> memoryview | None:
        where = f"buffers[{i}]"
        if is_fallback(buffer, where) and (i > 0 or buffer.uri is not None):
            # It is never opened, and the bare name of a file is harmless.
            if buffer.uri is not None and not _FILE_NAME.fullmatch(buffer.uri):
                refuse_external(buffer.uri, f"{where}.uri")
            return None
        if buffer.uri is not None:
            content = memoryview(data_uri(buffer.uri, self.limits, f"{where}.uri"))
        elif i > 0:
            return None  # only buffer 0 may stand for the BIN chunk; a plain view of this one is refused
        elif bin_chunk is None:
            raise AvatarError("file has no BIN chunk, which buffer 0 stands for", where=where)
        else:
            content = bin_chunk
        if buffer.byteLength > len(content):
            raise AvatarError(
                "buffer is longer than its data",
                got=f"{buffer.byteLength} bytes",
                allowed=f"{len(content)}",
                where=f"{where}.byteLength",
            )
        return content

    def view(self, index: int, where: str) -> memoryview:
        """Return the bytes of a buffer view. A view may run past its buffer's byteLength, but not past its data."""
        views = self.gltf.bufferViews
        if index >= len(views):
            raise out_of_range("bufferViews", index, len(views), where)
        view, json_path = views[index], f"bufferViews[{index}]"
        packed = read_compression(view, json_path)
        if packed is None:
            return self._slice(view.buffer, view.byteOffset, view.byteLength, json_path)
        if index not in self._decompressed:
            self._decompressed[index] = self._decompress(packed, json_path)
        return self._decompressed[index]

    def add(self, data: bytes) -> int:
        """Append a buffer view of these bytes to the document, and return its index."""
        self.gltf.buffers.append(pygltflib.Buffer(byteLength=len(data)))
        self._bytes.append(memoryview(data))
        self.gltf.bufferViews.append(
            pygltflib.BufferView(buffer=len(self._bytes) - 1, byteOffset=0, byteLength=len(data))
        )
        return len(self.gltf.bufferViews) - 1

    def _slice(self, buffer: int, offset: int, length: int, json_path: str) -> memoryview:
        if buffer >= len(self._bytes):
            raise out_of_range("buffers", buffer, len(self._bytes), f"{json_path}.buffer")
        content = self._bytes[buffer]
        if content is None:
            raise AvatarError("buffer has no data", where=f"buffers[{buffer}]")
        end = offset + length
        if end > len(content):
            raise AvatarError(
                "buffer view runs past its buffer",
                got=f"bytes {offset} to {end}",
                allowed=f"0 to {len(content)}",
                where=json_path,
            )
        if end > self.gltf.buffers[buffer].byteLength:
            self.oddities.add(f"{json_path} runs past buffers[{buffer}].byteLength, but not past its data")
        return content[offset:end]

    def _decompress(self, packed: MeshoptView, json_path: str) -> memoryview:
        source = self._slice(packed.buffer, packed.byte_offset, packed.byte_length, json_path)
        size = packed.count * packed.stride
        request = {"count": packed.count, "stride": packed.stride, "mode": packed.mode, "filter": packed.filter}
        data = self.decoder.decode("meshopt", request, source, size, json_path).get("data")
        if data is None or data.nbytes != size:
            raise AvatarError("compressed data is not as long as announced", allowed=f"{size} bytes", where=json_path)
        return data.data


class Accessors:
    """Reader of a document's accessors.

    limits: `numbers` bounds what all accessors and morph targets together decode to, beyond one number for each byte of
        the buffers; `check` and `reserve_numbers` count against it before anything is allocated.
    """

    def __init__(self, gltf: pygltflib.GLTF2, buffers: BufferBytes, limits: Limits):
        self.gltf, self.buffers = gltf, buffers
        self._max_numbers = limits.numbers + buffers.size
        self._reserved_numbers = 0
        self._counted: set[int] = set()

    def check(self, index: int, where: str, types: tuple[str, ...], components: tuple[int, ...]) -> int:
        """Check an accessor without reading it, and return its count.

        It must have one of these types and component types, its data must exist, and all data requested so far must
        stay within the limits (an accessor that is used in many places counts once).
        """
        accessor = self.get(index, where)
        json_path = f"accessors[{index}]"
        if accessor.type not in types:
            raise AvatarError(
                f"wrong type for {where}", got=accessor.type, allowed=" or ".join(types), where=f"{json_path}.type"
            )
        if accessor.componentType not in components:
            allowed = ", ".join(str(c) for c in components)
            raise AvatarError(
                f"wrong component type for {where}",
                got=accessor.componentType,
                allowed=allowed,
                where=f"{json_path}.componentType",
            )
        if accessor.count < 1:
            raise AvatarError("accessor is empty", got=accessor.count, allowed="at least 1", where=f"{json_path}.count")
        if index not in self._counted:
            self._counted.add(index)
            self.reserve_numbers(
                accessor.count * COMPONENTS[accessor.type], f"{json_path}.count ({accessor.count}), used by {where}"
            )
        self._strided_view(index)
        return int(accessor.count)

    def reserve_numbers(self, numbers: int, where: str) -> None:
        """Count numbers that are about to be decoded against what the file may decode to in all.

        Call it before they are allocated. Raises AvatarError where they are too many.
        """
        self._reserved_numbers += numbers
        if self._reserved_numbers > self._max_numbers:
            raise AvatarError(
                "file holds too many vertex and matrix numbers",
                got=f"{self._reserved_numbers} and more",
                allowed=self._max_numbers,
                where=where,
            )

    def read(self, index: int, where: str) -> NDArray[Any]:
        """Read an accessor: (count, components) in its own component type, or float32 where normalized.

        Without a buffer view the elements are zeros (glTF 3.6.2.3); sparse values are applied.
        """
        accessor = self.get(index, where)
        components = COMPONENTS[accessor.type]
        stored = self._strided_view(index)
        if stored is None:
            out = np.zeros((accessor.count, components), DTYPES[accessor.componentType])
        else:
            out = stored.copy()
        if accessor.sparse is not None:
            self._apply_sparse(out, index)
        if accessor.normalized and accessor.componentType != pygltflib.FLOAT:
            return _normalize(out)
        return out

    def get(self, index: int, where: str) -> pygltflib.Accessor:
        """Return the document's accessor of that index; raise AvatarError where there is none."""
        if index >= len(self.gltf.accessors):
            raise out_of_range("accessors", index, len(self.gltf.accessors), where)
        return self.gltf.accessors[index]

    def _strided_view(self, index: int) -> NDArray[Any] | None:
        """A strided view of the accessor's elements in their buffer; None where it has no buffer view."""
        accessor, json_path = self.gltf.accessors[index], f"accessors[{index}]"
        if accessor.bufferView is None:
            return None
        dtype, components = DTYPES[accessor.componentType], COMPONENTS[accessor.type]
        data = self.buffers.view(accessor.bufferView, f"{json_path}.bufferView")
        stride = self.gltf.bufferViews[accessor.bufferView].byteStride or 0
        return _strided_view(data, dtype, components, accessor.count, accessor.byteOffset, stride, json_path)

    def _apply_sparse(self, out: NDArray[Any], index: int) -> None:
        """Replace the elements of `out` that the accessor stores sparsely (glTF 3.6.2.3)."""
        sparse, json_path = self.gltf.accessors[index].sparse, f"accessors[{index}].sparse"
        if not 1 <= sparse.count <= len(out):
            raise AvatarError(
                "wrong number of sparse elements",
                got=sparse.count,
                allowed=f"1 to the accessor's {len(out)}",
                where=f"{json_path}.count",
            )
        kind = sparse.indices.componentType
        if kind not in (pygltflib.UNSIGNED_BYTE, pygltflib.UNSIGNED_SHORT, pygltflib.UNSIGNED_INT):
            raise AvatarError(
                "wrong component type of sparse indices",
                got=kind,
                allowed="5121, 5123, 5125",
                where=f"{json_path}.indices.componentType",
            )
        data = self.buffers.view(sparse.indices.bufferView, f"{json_path}.indices.bufferView")
        rows = _strided_view(data, DTYPES[kind], 1, sparse.count, sparse.indices.byteOffset, 0, f"{json_path}.indices")[
            :, 0
        ]
        if int(rows.max()) >= len(out):
            raise AvatarError(
                "sparse index is out of range",
                got=int(rows.max()),
                allowed=f"0 to {len(out) - 1}",
                where=f"{json_path}.indices",
            )
        data = self.buffers.view(sparse.values.bufferView, f"{json_path}.values.bufferView")
        offset = sparse.values.byteOffset
        out[rows] = _strided_view(data, out.dtype, out.shape[1], sparse.count, offset, 0, f"{json_path}.values")


def refuse_external(uri: str, where: str) -> None:
    """Raise AvatarError for any URI but a `data:` one."""
    if not uri.startswith("data:"):
        raise AvatarError("external URI is refused", got=uri, allowed="data inside the file", where=where)


def data_uri(uri: str, limits: Limits, where: str) -> bytes:
    """Decode a small base64 `data:` URI; any other URI is refused."""
    refuse_external(uri, where)
    head, comma, body = uri.partition(",")
    if not comma or not head.endswith(";base64"):
        raise AvatarError("data URI is not base64", got=uri[:60], allowed="data:…;base64,…", where=where)
    if len(body) * 3 // 4 > limits.data_uri_bytes:
        raise AvatarError(
            "data URI is too large",
            got=f"{len(body)} characters",
            allowed=f"{limits.data_uri_bytes} bytes",
            where=where,
        )
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as e:
        raise AvatarError("data URI is not valid base64", got=uri[:60], where=where) from e


def _strided_view(
    data: memoryview, dtype: np.dtype[Any], components: int, count: int, offset: int, stride: int, where: str
) -> NDArray[Any]:
    """A (count, components) view of strided elements in `data`; stride 0: tightly packed."""
    size = dtype.itemsize * components
    stride = stride or size
    if stride < size:
        raise AvatarError("stride is smaller than an element", got=stride, allowed=f"at least {size}", where=where)
    need = offset + stride * (count - 1) + size
    if need > len(data):
        raise AvatarError(
            "accessor runs past its buffer view",
            got=f"{count} elements, {need} bytes",
            allowed=f"{len(data)} bytes",
            where=where,
        )
    return np.ndarray((count, components), dtype, data, offset, (stride, dtype.itemsize))


def _normalize(values: NDArray[Any]) -> NDArray[np.float32]:
    """Convert normalized integers to float32 (glTF 3.6.2.2)."""
    scaled = values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    return np.maximum(scaled, np.float32(-1.0))
