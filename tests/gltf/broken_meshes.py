"""Broken vertex data: accessors, counts and values (cases of broken_files.py)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from tests.gltf.edits import Case, accessor, drop, put
from tests.vrm.vrm_file import Doc, changed, glb
from tests.vrm.vrm_file import vrm0 as make0
from tests.vrm.vrm_file import vrm1 as make1


def accessor_cases() -> Iterator[Case]:
    # accessors of vrm_file: 0 position, 1 normal, 2 uv, 3 joints, 4 weights, 5 indices, 6 and 7 morphs, 8 bind
    names = {0: "POSITION", 1: "NORMAL", 2: "TEXCOORD_0", 3: "JOINTS_0", 4: "WEIGHTS_0", 5: "indices", 6: "targets[0]"}
    for index, name in names.items():
        yield f"{name} past its view", accessor(index, byteOffset=400), f"accessors[{index}]: accessor runs past its"
        yield (
            f"{name} of type MAT2",
            accessor(index, type="MAT2"),
            f"wrong type for meshes[0].primitives[0].{_pointer(name)}",
        )
        yield f"{name} of component 5124", accessor(index, componentType=5124), f"accessors[{index}].componentType"
        yield (
            f"{name} without a view",
            accessor(index, bufferView=99),
            "index into bufferViews is out of range; got 99",
        )
    yield "bind matrices of VEC4", accessor(8, type="VEC4"), "wrong type for skins[0].inverseBindMatrices"
    yield "one bind matrix", accessor(8, count=1), "fewer inverse bind matrices than joints"
    yield "count of zero", accessor(0, count=0), "accessors[0].count: accessor is empty"
    yield "negative offset", accessor(0, byteOffset=-4), "accessors[0].byteOffset: must not be negative"
    yield "huge offset", accessor(0, byteOffset=2**52), "accessor runs past its buffer view"
    yield "fewer normals", accessor(1, count=3), "vertex counts differ; got 3; allowed: POSITION's 4"
    yield "fewer deltas", accessor(6, count=3), "targets[0].POSITION: vertex counts differ"
    yield "unknown type", accessor(0, type="VEC5"), "accessors[0].type: unknown value; got 'VEC5'"
    yield "float indices", accessor(5, componentType=5126), "wrong component type for meshes[0].primitives[0].indices"
    primitive = ("meshes", 0, "primitives", 0)
    yield "no position", changed(drop(*primitive, "attributes", "POSITION")), "primitive has no POSITION"
    yield "attribute out of range", changed(put(*primitive, "attributes", "NORMAL", value=77)), "got 77"
    yield "indices out of range", changed(put(*primitive, "indices", value=77)), "got 77"
    yield (
        "material out of range",
        changed(put(*primitive, "material", value=5)),
        "index into materials is out of range",
    )
    yield "mode 7", changed(put(*primitive, "mode", value=7)), "unknown primitive mode"


def view_cases() -> Iterator[Case]:
    view = "bufferViews"
    yield "view past its buffer", changed(put(view, 0, "byteLength", value=10**6)), "buffer view runs past its buffer"
    yield "view's offset past its buffer", changed(put(view, 0, "byteOffset", value=10**9)), "buffer view runs past"
    yield "view of no buffer", changed(put(view, 0, "buffer", value=1)), "index into buffers is out of range"
    yield "narrow stride", changed(put(view, 0, "byteStride", value=4)), "stride is smaller than an element"
    yield "wide stride", changed(put(view, 0, "byteStride", value=252)), "accessor runs past its buffer view"
    second = changed(lambda d: (d["buffers"].append({"byteLength": 8}), d[view][0].update(buffer=1)))
    yield "second buffer without data", second, "buffer has no data"
    sparse = ("accessors", 7, "sparse")
    yield "sparse index view", changed(put(*sparse, "indices", "bufferView", value=99)), "sparse.indices.bufferView"
    yield "sparse count too large", changed(put(*sparse, "count", value=5)), "wrong number of sparse elements"
    yield "sparse count past its view", changed(put(*sparse, "count", value=4)), "accessors[7].sparse.indices"
    yield "sparse indices signed", changed(put(*sparse, "indices", "componentType", value=5122)), "sparse indices"
    yield (
        "sparse values gone",
        changed(drop(*sparse, "values")),
        "accessors[7].sparse.values: required value is missing",
    )


def skin_cases() -> Iterator[Case]:
    yield "skin without joints", changed(put("skins", 0, "joints", value=[])), "wrong number of joints"
    yield "joint out of range", changed(put("skins", 0, "joints", value=[0, 99])), "skins[0].joints[1]"
    yield (
        "fewer joints than vertices hang on",
        changed(put("skins", 0, "joints", value=[0])),
        "joint that the skin does not have",
    )
    more = changed(lambda d: d["meshes"][0]["primitives"].append({**d["meshes"][0]["primitives"][0], "targets": []}))
    yield "primitives differ in targets", more, "different numbers of morph targets; got 2, 0"


def _pointer(name: str) -> str:
    if name == "indices":
        return name
    return "targets[0].POSITION" if name.startswith("targets") else f"attributes.{name}"


def count_cases() -> Iterator[Case]:
    yield "4e9 vertices in a view", accessor(0, count=4 * 10**9), "file holds too many"
    zeros = changed(lambda d: (d["accessors"][0].update(count=4 * 10**9), d["accessors"][0].pop("bufferView")))
    yield "4e9 vertices of zeros", zeros, "file holds too many vertex and matrix numbers"
    yield "4e9 sparse deltas", accessor(7, count=4 * 10**9), "file holds too many"
    yield "4e9 bind matrices", accessor(8, count=4 * 10**9), "file holds too many"

    def many_targets(doc: Doc) -> None:
        for index in range(5):
            doc["accessors"][index] = {**doc["accessors"][index], "count": 1_000_000}
            doc["accessors"][index].pop("bufferView", None)
        doc["accessors"].append({**doc["accessors"][0]})
        targets = [{"POSITION": len(doc["accessors"]) - 1}] * 900
        doc["meshes"][0]["primitives"][0]["targets"] = targets

    yield "one array of zeros as 900 targets", changed(many_targets), "file holds too many"
    primitive = ("meshes", 0, "primitives", 0)
    yield "5,000 targets", changed(put(*primitive, "targets", value=[{}] * 5000)), "too many entries; got 5000"
    for key in ("nodes", "meshes", "accessors", "images", "textures", "materials"):
        many = changed(put(key, value=[{}] * 30_000))
        yield f"30,000 {key}", many, f"{key}: too many entries; got 30000"
    yield "17 buffers", changed(put("buffers", value=[{"byteLength": 1}] * 17)), "buffers: too many entries"

    def many_primitives(doc: Doc) -> None:
        doc["meshes"] = [{"primitives": [{"attributes": {"POSITION": 0}}] * 5000}] * 5

    yield "25,000 primitives", changed(many_primitives), "too many primitives; got 25000"

    def shared_vertices(doc: Doc) -> None:
        doc["accessors"][0] = {"componentType": 5126, "type": "VEC3", "count": 1_000_000}
        doc["meshes"][0] = {"primitives": [{"attributes": {"POSITION": 0}}] * 9000}

    yield "9,000 primitives of a million shared vertices", changed(shared_vertices), "too many vertices"

    def long_indices(doc: Doc) -> None:
        doc["accessors"][5] = {"componentType": 5125, "type": "SCALAR", "count": 20_000_000}
        doc["meshes"][0]["primitives"] *= 2

    yield "40,000,000 indices", changed(long_indices), "too many indices"


def vrm_count_cases() -> Iterator[Case]:
    def wide_springs(doc: Doc) -> None:
        # a chain of 400 nodes, and a bone group that starts a strand at each of them
        first = len(doc["nodes"])
        doc["nodes"] += [{"children": [first + i + 1]} for i in range(399)] + [{}]
        group = doc["extensions"]["VRM"]["secondaryAnimation"]["boneGroups"][0]
        group["bones"] = list(range(first, first + 400))

    yield "springs of springs", changed(wide_springs, make0), "too many joints, binds or colliders"

    def wide_binds(doc: Doc) -> None:
        doc["nodes"] += [{"mesh": 0}] * 15_000
        doc["extensions"]["VRM"]["blendShapeMaster"]["blendShapeGroups"][0]["binds"] *= 15_000

    yield "binds of binds", changed(wide_binds, make0), "too many joints, binds or colliders"

    def wide_groups(doc: Doc) -> None:
        springs = doc["extensions"]["VRMC_springBone"]
        springs["colliders"] *= 10_000
        springs["colliderGroups"] = [{"colliders": list(range(10_000))}]
        springs["springs"] *= 1_000

    yield "colliders of colliders", changed(wide_groups), "too many joints, binds or colliders"
    yield "3,000 joints and 3,000 colliders", changed(_strand(10, 300, 300)), "too many spring joints; got 2990"
    yield "1,000 joints with 200 colliders", changed(_strand(2, 501, 200)), "too many spring joints times colliders"

    def wide_group0(doc: Doc) -> None:
        first = len(doc["nodes"])
        doc["nodes"] += [{"children": [first + i + 1]} for i in range(499)] + [{}]
        springs = doc["extensions"]["VRM"]["secondaryAnimation"]
        springs["boneGroups"][0]["bones"] = [first]
        springs["colliderGroups"][0]["colliders"] *= 201

    yield "0.x: 500 joints with 201 colliders", changed(wide_group0, make0), "too many spring joints times colliders"

    def constrained(kind: str) -> Callable[[Doc], None]:
        def change(doc: Doc) -> None:
            first = len(doc["nodes"])
            for i in range(5_000):
                aim = {"specVersion": "1.0", "constraint": {kind: {"source": first + i + 1}}}
                doc["nodes"].append({"extensions": {"VRMC_node_constraint": aim}})
            doc["nodes"].append({})

        return change

    for kind in ("aim", "rotation", "roll"):
        yield f"5,000 constraints ({kind})", changed(constrained(kind)), "too many node constraints; got 500"

    def deep(doc: Doc) -> None:
        first = len(doc["nodes"])
        doc["nodes"] += [{"children": [first + i + 1]} for i in range(18_999)] + [{}]

    yield "19,000 nodes under each other", changed(deep), "nodes are nested too deeply"


def _strand(count: int, length: int, colliders: int) -> Callable[[Doc], None]:
    """Add `count` springs of `length` nodes, each with all colliders."""

    def change(doc: Doc) -> None:
        springs = doc["extensions"]["VRMC_springBone"]
        springs["colliders"] *= colliders
        springs["colliderGroups"] = [{"colliders": list(range(colliders))}]
        springs["springs"] = []
        for _ in range(count):
            first = len(doc["nodes"])
            doc["nodes"] += [{"children": [first + i + 1]} for i in range(length - 1)] + [{}]
            joints = [{"node": first + i} for i in range(length)]
            springs["springs"].append({"joints": joints, "colliderGroups": [0]})

    return change


def value_cases() -> Iterator[Case]:
    def write(accessor: int, at: int, fmt: str, value: float) -> bytes:
        doc, data = make1()
        offset = doc["bufferViews"][doc["accessors"][accessor]["bufferView"]]["byteOffset"]
        struct.pack_into(fmt, data, offset + at, value)
        return glb(doc, bytes(data))

    yield (
        "NaN position",
        write(0, 4, "<f", float("nan")),
        "vertex position is not finite, or absurdly far; got vertex 0",
    )
    yield "infinite position", write(0, 12, "<f", float("inf")), "got vertex 1"
    yield "position of 1e30", write(0, 0, "<f", 1e30), "absurdly far"
    yield "index past the vertices", write(5, 2, "<H", 4), "vertex index is out of range; got 4; allowed: 0 to 3"
    yield "primitive restart", write(5, 2, "<H", 65535), "vertex index is out of range; got 65535"
    yield "joint past the skin", write(3, 1, "<B", 7), "joint that the skin does not have; got 7"
    yield "NaN weight", write(4, 0, "<f", float("nan")), "joint weight is not finite"
    yield "NaN bind matrix", write(8, 64, "<f", float("nan")), "inverse bind matrix is not finite; got matrix 1"
    doc, data = make1()
    sparse = doc["accessors"][7]["sparse"]["indices"]["bufferView"]
    struct.pack_into("<H", data, doc["bufferViews"][sparse]["byteOffset"] + 2, 9)
    yield "sparse index past the vertices", glb(doc, bytes(data)), "sparse index is out of range; got 9"
