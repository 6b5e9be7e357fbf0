"""EXT_meshopt_compression, and KHR_meshopt_compression of the same form: the extension of compressed buffer views."""

from __future__ import annotations

from dataclasses import dataclass

import pygltflib

from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.json_reader import JsonObject

NAMES = ("EXT_meshopt_compression", "KHR_meshopt_compression")
_FILTERS = ("NONE", "OCTAHEDRAL", "QUATERNION", "EXPONENTIAL", "COLOR")


@dataclass(frozen=True)
class MeshoptView:
    """A buffer view's compression extension.

    Attributes:
        buffer: index of the buffer that holds the compressed bytes.
        byte_offset: start of the compressed bytes in the buffer.
        byte_length: number of compressed bytes.
        count: number of elements.
        stride: bytes of one decompressed element.
        mode: "ATTRIBUTES", "TRIANGLES" or "INDICES".
        filter: "NONE", "OCTAHEDRAL", "QUATERNION", "EXPONENTIAL" or "COLOR".
    """

    buffer: int
    byte_offset: int
    byte_length: int
    count: int
    stride: int
    mode: str
    filter: str


def read_compression(view: pygltflib.BufferView, json_path: str) -> MeshoptView | None:
    """Read a buffer view's compression extension; None where it has none.

    Raises AvatarError where it contradicts the extension's rules or the view.
    """
    name = next((n for n in NAMES if view.extensions.get(n) is not None), None)
    if name is None:
        return None
    f = JsonObject(view.extensions[name], f"{json_path}.extensions.{name}")
    numbers = {key: _unsigned(f, key) for key in ("buffer", "byteOffset", "byteLength", "byteStride", "count")}
    for key in ("buffer", "byteLength", "byteStride", "count", "mode"):
        f.required(key)
    mode = f.choice("mode", ("ATTRIBUTES", "TRIANGLES", "INDICES"), "ATTRIBUTES")
    kind = f.choice("filter", _FILTERS, "NONE")
    count, stride = numbers["count"], numbers["byteStride"]
    _check_stride(f, stride, mode, kind)
    if count < 1 or (mode == "TRIANGLES" and count % 3):
        allowed = "a multiple of 3" if mode == "TRIANGLES" else "at least 1"
        raise AvatarError("wrong number of compressed elements", got=count, allowed=allowed, where=f.at("count"))
    if count * stride != view.byteLength:
        raise AvatarError(
            "compressed elements do not fill their view",
            got=f"{count} of {stride} bytes",
            allowed=f"{view.byteLength} bytes together",
            where=f.at("count"),
        )
    return MeshoptView(numbers["buffer"], numbers["byteOffset"], numbers["byteLength"], count, stride, mode, kind)


def is_fallback(buffer: pygltflib.Buffer, json_path: str) -> bool:
    """Return True for a fallback buffer: it holds, or would hold, what compressed views decompress to."""
    found = [JsonObject(buffer.extensions[n], f"{json_path}.extensions.{n}") for n in NAMES if buffer.extensions.get(n)]
    return any(f.flag("fallback") for f in found)


def _check_stride(f: JsonObject, stride: int, mode: str, kind: str) -> None:
    allowed, good = "2 or 4", stride in (2, 4)
    if mode == "ATTRIBUTES":
        allowed, good = "4 to 256, in fours", stride % 4 == 0 and 4 <= stride <= 256
    elif kind != "NONE":
        raise AvatarError("filter does not go with the mode", got=kind, allowed="NONE", where=f.at("filter"))
    if kind in ("OCTAHEDRAL", "COLOR"):
        allowed, good = "4 or 8", stride in (4, 8)
    elif kind == "QUATERNION":
        allowed, good = "8", stride == 8
    if not good:
        raise AvatarError(
            f"wrong stride for {mode} with the filter {kind}", got=stride, allowed=allowed, where=f.at("byteStride")
        )


def _unsigned(f: JsonObject, key: str) -> int:
    value = f.integer(key, 0)
    if value < 0:
        raise AvatarError("must not be negative", got=value, where=f.at(key))
    return value
