"""Compress the meshes of a test's VRM file, with the libraries' own encoders or numpy."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from tests.vrm.vrm_file import Doc, glb

DTYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
SIZES = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
SLOTS = 2**16 - 1  # steps of a 16-bit fraction


class File:
    """A GLB file taken apart; data is appended, never moved."""

    def __init__(self, vrm_bytes: bytes):
        (size,) = struct.unpack_from("<I", vrm_bytes, 12)
        self.doc: Doc = json.loads(vrm_bytes[20 : 20 + size])
        self.data = bytearray(vrm_bytes[28 + size :])

    def read(self, index: int) -> np.ndarray:
        """A plain accessor's values in their own type."""
        a = self.doc["accessors"][index]
        view = self.doc["bufferViews"][a["bufferView"]]
        dtype, size = np.dtype(DTYPES[a["componentType"]]), SIZES[a["type"]]
        start = view.get("byteOffset", 0) + a.get("byteOffset", 0)
        stride = view.get("byteStride", dtype.itemsize * size)
        return np.ndarray((a["count"], size), dtype, self.data, start, (stride, dtype.itemsize)).copy()

    def span(self, raw: bytes) -> Doc:
        """Append bytes and return their buffer, offset and length."""
        self.data += b"\0" * (-len(self.data) % 4)
        self.data += raw
        return {"buffer": 0, "byteOffset": len(self.data) - len(raw), "byteLength": len(raw)}

    def view(self, raw: bytes, **fields: Any) -> int:
        self.doc["bufferViews"].append(self.span(raw) | fields)
        return len(self.doc["bufferViews"]) - 1

    def accessor(self, values: np.ndarray, component: int, kind: str, **fields: Any) -> int:
        """Append an accessor; rows are padded to 4 bytes, as glTF wants vertex data."""
        rows = np.ascontiguousarray(values.astype(DTYPES[component])).reshape(len(values), -1).view(np.uint8)
        rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4 if kind != "SCALAR" else 0)))
        stride = {} if kind in ("SCALAR", "MAT4") else {"byteStride": rows.shape[1]}
        accessor = {"bufferView": self.view(rows.tobytes(), **stride), "componentType": component, "type": kind}
        self.doc["accessors"].append({**accessor, "count": len(values), **fields})
        return len(self.doc["accessors"]) - 1

    def requires(self, *names: str) -> None:
        for key in ("extensionsUsed", "extensionsRequired"):
            self.doc[key] = [*self.doc.get(key, []), *names]

    def primitives(self) -> list[Doc]:
        return [p for m in self.doc["meshes"] for p in m["primitives"]]

    def bytes(self) -> bytes:
        self.doc["buffers"][0]["byteLength"] = len(self.data)
        return glb(self.doc, bytes(self.data))


def quantized(vrm_bytes: bytes) -> tuple[bytes, float]:
    """Positions and morph targets as 16-bit fractions of one cube, normals as 8 bits, weights as 16; the bind
    matrices undo the cube. All meshes must hang on skins. Returns the file and the size of a step in meters."""
    file = File(vrm_bytes)
    file.requires("KHR_mesh_quantization")
    used = [p["attributes"]["POSITION"] for p in file.primitives()]
    low = np.min([file.read(i).min(0) for i in used], 0).astype(float)
    size = float(np.max([file.read(i).max(0) for i in used]) - low.min())
    quantized_views: dict[tuple[str, int], int] = {}

    def replaced(kind: str, index: int) -> int:
        if (kind, index) not in quantized_views:
            values = file.read(index).astype(float)
            if kind == "POSITION":
                new = file.accessor(np.rint((values - low) / size * SLOTS), 5123, "VEC3", normalized=True)
            elif kind == "target":
                new = file.accessor(np.rint(values / size * 32767), 5122, "VEC3", normalized=True)
            elif kind == "NORMAL":
                new = file.accessor(np.rint(values * 127), 5120, "VEC3", normalized=True)
            else:
                new = file.accessor(np.rint(values * SLOTS), 5123, "VEC4", normalized=True)
            quantized_views[kind, index] = new
        return quantized_views[kind, index]

    for primitive in file.primitives():
        attributes = primitive["attributes"]
        for name in ("POSITION", "NORMAL", "WEIGHTS_0"):
            attributes[name] = replaced(name, attributes[name])
        for target in primitive.get("targets", []):
            if "sparse" in file.doc["accessors"][target["POSITION"]]:
                target["POSITION"] = dense(file, target["POSITION"])
            target["POSITION"] = replaced("target", target["POSITION"])
            target.pop("NORMAL", None)
    cube = np.diag([size, size, size, 1.0])
    cube[:3, 3] = low
    for skin in file.doc["skins"]:
        columns = file.read(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        rows = (columns @ cube).transpose(0, 2, 1).reshape(-1, 16)
        skin["inverseBindMatrices"] = file.accessor(rows, 5126, "MAT4")
    return file.bytes(), size / SLOTS


def dense(file: File, index: int) -> int:
    """A sparse VEC3 accessor of floats written out."""
    a = file.doc["accessors"][index]
    out, sparse = np.zeros((a["count"], 3), "<f4"), a["sparse"]
    views = file.doc["bufferViews"]
    where, values = views[sparse["indices"]["bufferView"]], views[sparse["values"]["bufferView"]]
    kind = np.dtype(DTYPES[sparse["indices"]["componentType"]])
    data = bytes(file.data)
    at = np.frombuffer(data, kind, sparse["count"], where["byteOffset"])
    out[at] = np.frombuffer(data, "<f4", sparse["count"] * 3, values["byteOffset"]).reshape(-1, 3)
    return file.accessor(out, 5126, "VEC3")


def meshopt_compressed(vrm_bytes: bytes, name: str = "EXT_meshopt_compression") -> bytes:
    """Every dense accessor of the meshes through meshoptimizer's encoder; the views lie in a buffer without data."""
    import meshopt

    file = File(vrm_bytes)
    file.requires(name)
    fallback = 0
    indices = {p["indices"] for p in file.primitives()}
    vertex = {i for p in file.primitives() for a in (p["attributes"], *p.get("targets", [])) for i in a.values()}
    for i in sorted(indices | vertex):
        accessor = file.doc["accessors"][i]
        if "sparse" in accessor:
            continue
        values = file.read(i)
        mode = "INDICES" if i in indices and i % 2 else "TRIANGLES" if i in indices else "ATTRIBUTES"
        rows = np.ascontiguousarray(values).reshape(len(values), -1).view(np.uint8)
        if mode == "ATTRIBUTES":
            rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))
        packed = meshopt.encode_gltf_buffer(rows if mode == "ATTRIBUTES" else values.astype(np.uint32), mode)
        stride = rows.shape[1]
        fields = {"byteStride": stride, "count": len(values), "mode": mode}
        view = {"buffer": 1, "byteOffset": fallback, "byteLength": len(values) * stride}
        view |= {"extensions": {name: file.span(packed) | fields}}
        if mode == "ATTRIBUTES":
            view["byteStride"] = stride
        fallback += view["byteLength"]
        file.doc["bufferViews"].append(view)
        accessor |= {"bufferView": len(file.doc["bufferViews"]) - 1, "byteOffset": 0}
    file.doc["buffers"].append({"byteLength": fallback, "extensions": {name: {"fallback": True}}})
    return file.bytes()


def draco_compressed(vrm_bytes: bytes, *, bits: int = 14, in_order: bool = True) -> bytes:
    """Every primitive through Draco's encoder, joints and weights kept exactly; morph targets stay as they are."""
    import DracoPy

    file = File(vrm_bytes)
    file.requires("KHR_draco_mesh_compression")
    for primitive in file.primitives():
        attributes = primitive["attributes"]
        decoded = {name: file.read(i) for name, i in attributes.items()}
        packed = DracoPy.encode(
            decoded["POSITION"],
            file.read(primitive["indices"]).reshape(-1, 3).astype(np.uint32),
            quantization_bits=bits,
            preserve_order=in_order,
            normals=decoded["NORMAL"].astype(float),
            tex_coord=decoded["TEXCOORD_0"].astype(float),
            generic_attributes={40: decoded["JOINTS_0"].astype(np.uint16), 41: decoded["WEIGHTS_0"]},
        )
        mesh = DracoPy.decode(packed)
        kinds = {a["attribute_type"]: a["unique_id"] for a in mesh.attributes}
        ids = {"POSITION": kinds[0], "NORMAL": kinds[1], "TEXCOORD_0": kinds[3], "JOINTS_0": 40, "WEIGHTS_0": 41}
        primitive["extensions"] = {"KHR_draco_mesh_compression": {"bufferView": file.view(packed), "attributes": ids}}
        accessors = file.doc["accessors"]
        for name, i in [*attributes.items(), ("", primitive["indices"])]:
            count = {"count": 3 * len(mesh.faces) if name == "" else len(mesh.points)}
            accessors.append({k: v for k, v in accessors[i].items() if k not in ("bufferView", "byteOffset")} | count)
            if name:
                attributes[name] = len(accessors) - 1
            else:
                primitive["indices"] = len(accessors) - 1
    return file.bytes()
