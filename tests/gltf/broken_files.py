"""Files that are not avatars, each with the words that its refusal must say.

Everything is made here from the small valid files of vrm_file.py. Broken pictures and absurd counts are kept
small on disk, as an attacker would.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from tests.vrm.vrm_file import MESH_NODE, STRAND, Doc, changed, glb, glb_of_text, png, replaced_image
from tests.vrm.vrm_file import vrm0 as make0
from tests.vrm.vrm_file import vrm1 as make1

Case = tuple[str, bytes, str]


def cases() -> list[Case]:
    """(name, bytes, expected words)."""
    groups = (_not_vrm, _cut_short, _json, _types, _nodes, _accessors, _counts, _data, _pictures, _uris, _vrm0, _vrm1)
    return [case for group in groups for case in group()]


def _put(*path: str | int, value: Any) -> Callable[[Doc], None]:
    """A change that sets one value in the JSON."""

    def change(doc: Doc) -> None:
        at: Any = doc
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return change


def _drop(*path: str | int) -> Callable[[Doc], None]:
    def change(doc: Doc) -> None:
        at: Any = doc
        for key in path[:-1]:
            at = at[key]
        del at[path[-1]]

    return change


def _valid() -> bytes:
    doc, data = make1()
    return glb(doc, bytes(data))


def _not_vrm() -> Iterator[Case]:
    yield "empty", b"", "an empty file"
    yield "html", b"<!DOCTYPE html><html><title>404</title></html>", "an HTML or XML page"
    yield "html after a byte order mark", b"\xef\xbb\xbf\n <html></html>", "an HTML or XML page"
    yield "json error", b'{"message": "Not Found"}', "JSON text"
    yield "gltf as text", json.dumps(make1()[0]).encode(), "JSON text"
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:35ed\nsize 1676412\n"
    yield "lfs pointer", pointer, "Git LFS pointer"
    yield "zip", b"PK\x03\x04" + bytes(60), "a ZIP archive"
    yield "gzip", b"\x1f\x8b\x08" + bytes(60), "a gzip archive"
    yield "picture", png(), "a PNG picture"
    yield "fbx", b"Kaydara FBX Binary  \x00\x1a\x00", "an FBX model"
    yield "noise", bytes(range(128, 255)), "starts with"
    yield "no vrm extension", changed(lambda d: d.pop("extensions")), "no VRM or VRMC_vrm extension"
    yield "other extensions only", changed(_put("extensions", value={"KHR_xmp": {}})), "no VRM or VRMC_vrm"


def _cut_short() -> Iterator[Case]:
    whole = _valid()
    json_end = 20 + struct.unpack_from("<I", whole, 12)[0]
    for size in (4, 8, 12, 16, 19, 20, 100, json_end, json_end + 4, json_end + 8, len(whole) - 1):
        yield f"first {size} bytes", whole[:size], "file is cut short"
    for size in (100, json_end + 20):
        cut = bytearray(whole[:size])
        struct.pack_into("<I", cut, 8, size)
        yield f"first {size} bytes, header repaired", bytes(cut), "chunk runs past the end of the file"
    header_only = whole[:8] + struct.pack("<I", 12)
    yield "no chunks", header_only, "file has no JSON chunk"
    stub = whole[:8] + struct.pack("<I", 16) + whole[12:16]
    yield "half a chunk header", stub, "chunk header is cut short"
    yield "no bin", glb(make1()[0], None), "no BIN chunk"
    yield "empty bin", glb(make1()[0], b""), "buffer is longer than its data"
    doc, data = make1()
    yield "half of bin", glb(doc, bytes(data[: len(data) // 2])), "buffer is longer than its data"
    yield "version 1", glb(doc, bytes(data), version=1), "unknown GLB version; got 1"
    yield "length of 4 GB", glb(doc, bytes(data), length=2**32 - 1), "the 4294967295 that it announces"
    swapped = bytearray(whole)
    swapped[16:20] = b"BIN\0"
    yield "bin first", bytes(swapped), "first chunk is not JSON"


def _text(text: str | bytes) -> bytes:
    return glb_of_text(text if isinstance(text, bytes) else text.encode(), bytes(make1()[1]))


def _json() -> Iterator[Case]:
    yield "json cut", _text('{"asset": {"version": "2.0"'), "JSON does not parse"
    yield "json empty", _text(""), "JSON does not parse"
    yield "json spaces", _text("    "), "JSON does not parse"
    yield "json is a list", _text("[1, 2, 3]"), "must be an object; got a list of 3"
    yield "json is a number", _text("42"), "must be an object; got 42"
    yield "json with a comment", _text('{"asset": {} /* no */}'), "JSON does not parse"
    yield "json in utf-16", _text('{"asset": {}}'.encode("utf-16")), "not valid UTF-8"
    yield "json with latin-1", _text(b'{"asset": {"generator": "caf\xe9"}}'), "not valid UTF-8"
    yield "json with NaN", _text('{"nodes": [{"scale": [NaN, 1, 1]}]}'), "number that is not one; got NaN"
    yield "json with infinity", _text('{"nodes": [{"scale": [-Infinity, 1, 1]}]}'), "got -Infinity"
    yield "json 100,000 deep", _text("[" * 100_000 + "]" * 100_000), "nested too deeply"
    yield "json 100,000 deep, unclosed", _text('{"a":' * 100_000), "nested too deeply"
    yield "json of 2,000,000 lists", _text('{"a":[' + "[]," * 2_000_000 + "[]]}"), "too many values"
    yield "json of 17 MB", _text('{"a": "' + "x" * (17 * 2**20) + '"}'), "JSON is too large"
    yield "json with a huge integer", _text('{"scene": ' + "9" * 5000 + "}"), "JSON does not parse"


def _types() -> Iterator[Case]:
    for key, value in (("nodes", {"0": {}}), ("meshes", "many"), ("accessors", 3), ("bufferViews", True)):
        yield f"{key} of the wrong type", changed(_put(key, value=value)), f"{key}: must be a list"
    for key in ("nodes", "meshes", "skins", "materials", "images", "textures", "samplers", "scenes", "buffers"):
        yield f"{key} holds a string", changed(_put(key, 0, value="x")), f"{key}[0]: must be an object; got 'x'"
    for key, value in (("count", "4"), ("count", 4.5), ("count", True), ("componentType", [5126])):
        words = f"accessors[0].{key}: must be an integer"
        yield f"accessor {key} {value!r}", changed(_put("accessors", 0, key, value=value)), words
    yield "asset is a string", changed(_put("asset", value="2.0")), "asset: must be an object"
    yield "gltf 1.0", changed(_put("asset", "version", value="1.0")), "unknown glTF version; got 1.0"
    yield (
        "attributes is a list",
        changed(_put("meshes", 0, "primitives", 0, "attributes", value=[0])),
        "must be an object",
    )
    negative = changed(_put("nodes", MESH_NODE, "mesh", value=-2))
    yield "negative mesh", negative, f"nodes[{MESH_NODE}].mesh: must not be negative"
    yield "integer beyond floats", changed(_put("accessors", 0, "count", value=10**40)), "integer out of bounds"
    yield "translation of strings", changed(_put("nodes", 0, "translation", value=["0", "1", "0"])), "must be a number"
    yield "translation of two", changed(_put("nodes", 0, "translation", value=[0, 1])), "must be a list of 3 numbers"
    yield "scale of 1e308", changed(_put("nodes", 0, "scale", value=[1e308, 1, 1])), "number out of bounds"
    yield "scale beyond floats", changed(_put("nodes", 0, "scale", value=[10**400, 1, 1])), "number out of bounds"
    yield "flag is a number", changed(_put("materials", 0, "doubleSided", value=1)), "must be true or false"
    yield (
        "unknown alpha mode",
        changed(_put("materials", 0, "alphaMode", value="GLASS")),
        "allowed: OPAQUE, MASK, BLEND",
    )
    yield "unknown filter", changed(_put("samplers", 0, "magFilter", value=9987)), "magFilter: unknown value"
    yield "extensions is a list", changed(_put("extensions", value=[])), "extensions: must be an object"
    for name in ("KHR_lights_punctual", "MSFT_texture_dds"):
        required = changed(_put("extensionsRequired", value=[name]))
        yield f"requires {name}", required, f"file requires the extension {name}"


def _nodes() -> Iterator[Case]:
    yield (
        "node is its own child",
        changed(_put("nodes", 0, "children", value=[0])),
        "nodes form a cycle; got nodes[0] 'hips'",
    )
    loop = changed(lambda d: d["nodes"][STRAND + 1].update(children=[0]))
    yield "cycle through the scene", loop, "nodes form a cycle"

    def side_loop(doc: Doc) -> None:
        doc["nodes"] += [{"name": "left", "children": [len(doc["nodes"]) + 1]}, {"name": "right"}]
        doc["nodes"][-1]["children"] = [len(doc["nodes"]) - 2]

    yield "cycle outside the scene", changed(side_loop), "nodes form a cycle; got nodes[22] 'right'"
    two = changed(lambda d: d["nodes"][MESH_NODE].update(children=[STRAND]))
    yield "two parents", two, f"node has two parents; got nodes[{STRAND}] 'strand' under nodes[2] 'head'"
    twice = changed(lambda d: d["nodes"][2].update(children=[STRAND, STRAND]))
    yield "child twice", twice, "node has two parents"
    yield "child out of range", changed(_put("nodes", 0, "children", value=[999])), "nodes[0].children[0]"
    yield "scene out of range", changed(_put("scene", value=7)), "scene is out of range; got 7"
    yield "scene's node out of range", changed(_put("scenes", 0, "nodes", value=[99])), "scenes[0].nodes[0]"
    yield "scene of a child", changed(_put("scenes", 0, "nodes", value=[5])), "whose parent is not in it"
    yield "empty scene", changed(_put("scenes", 0, "nodes", value=[])), "required humanoid bones are missing"
    yield "mesh out of range", changed(_put("nodes", MESH_NODE, "mesh", value=3)), "mesh is out of range; got 3"
    yield "skin out of range", changed(_put("nodes", MESH_NODE, "skin", value=3)), "skin is out of range; got 3"
    folded = [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    yield "folded matrix", changed(_put("nodes", 0, "matrix", value=folded)), "matrix squashes space flat"
    yield "short matrix", changed(_put("nodes", 0, "matrix", value=[1] * 9)), "must be a list of 16 numbers"


def _accessor(index: int, **values: Any) -> bytes:
    return changed(lambda d: d["accessors"][index].update(values))


def _accessors() -> Iterator[Case]:
    # accessors of vrm_file: 0 position, 1 normal, 2 uv, 3 joints, 4 weights, 5 indices, 6 and 7 morphs, 8 bind
    names = {0: "POSITION", 1: "NORMAL", 2: "TEXCOORD_0", 3: "JOINTS_0", 4: "WEIGHTS_0", 5: "indices", 6: "targets[0]"}
    for index, name in names.items():
        yield f"{name} past its view", _accessor(index, byteOffset=400), f"accessors[{index}]: accessor runs past its"
        yield (
            f"{name} of type MAT2",
            _accessor(index, type="MAT2"),
            f"wrong type for meshes[0].primitives[0].{_place(name)}",
        )
        yield f"{name} of component 5124", _accessor(index, componentType=5124), f"accessors[{index}].componentType"
        yield (
            f"{name} without a view",
            _accessor(index, bufferView=99),
            "index into bufferViews is out of range; got 99",
        )
    yield "bind matrices of VEC4", _accessor(8, type="VEC4"), "wrong type for skins[0].inverseBindMatrices"
    yield "one bind matrix", _accessor(8, count=1), "fewer inverse bind matrices than joints"
    yield "count of zero", _accessor(0, count=0), "accessors[0].count: accessor is empty"
    yield "negative offset", _accessor(0, byteOffset=-4), "accessors[0].byteOffset: must not be negative"
    yield "huge offset", _accessor(0, byteOffset=2**52), "accessor runs past its buffer view"
    yield "fewer normals", _accessor(1, count=3), "vertex counts differ; got 3; allowed: POSITION's 4"
    yield "fewer deltas", _accessor(6, count=3), "targets[0].POSITION: vertex counts differ"
    yield "unknown type", _accessor(0, type="VEC5"), "accessors[0].type: unknown value; got 'VEC5'"
    yield "float indices", _accessor(5, componentType=5126), "wrong component type for meshes[0].primitives[0].indices"
    primitive = ("meshes", 0, "primitives", 0)
    yield "no position", changed(_drop(*primitive, "attributes", "POSITION")), "primitive has no POSITION"
    yield "attribute out of range", changed(_put(*primitive, "attributes", "NORMAL", value=77)), "got 77"
    yield "indices out of range", changed(_put(*primitive, "indices", value=77)), "got 77"
    yield (
        "material out of range",
        changed(_put(*primitive, "material", value=5)),
        "index into materials is out of range",
    )
    yield "mode 7", changed(_put(*primitive, "mode", value=7)), "unknown primitive mode"
    view = "bufferViews"
    yield "view past its buffer", changed(_put(view, 0, "byteLength", value=10**6)), "buffer view runs past its buffer"
    yield "view's offset past its buffer", changed(_put(view, 0, "byteOffset", value=10**9)), "buffer view runs past"
    yield "view of no buffer", changed(_put(view, 0, "buffer", value=1)), "index into buffers is out of range"
    yield "narrow stride", changed(_put(view, 0, "byteStride", value=4)), "stride is smaller than an element"
    yield "wide stride", changed(_put(view, 0, "byteStride", value=252)), "accessor runs past its buffer view"
    second = changed(lambda d: (d["buffers"].append({"byteLength": 8}), d[view][0].update(buffer=1)))
    yield "second buffer without data", second, "buffer has no data"
    sparse = ("accessors", 7, "sparse")
    yield "sparse index view", changed(_put(*sparse, "indices", "bufferView", value=99)), "sparse.indices.bufferView"
    yield "sparse count too large", changed(_put(*sparse, "count", value=5)), "wrong number of sparse elements"
    yield "sparse count past its view", changed(_put(*sparse, "count", value=4)), "accessors[7].sparse.indices"
    yield "sparse indices signed", changed(_put(*sparse, "indices", "componentType", value=5122)), "sparse indices"
    yield (
        "sparse values gone",
        changed(_drop(*sparse, "values")),
        "accessors[7].sparse.values: required value is missing",
    )
    yield "skin without joints", changed(_put("skins", 0, "joints", value=[])), "wrong number of joints"
    yield "joint out of range", changed(_put("skins", 0, "joints", value=[0, 99])), "skins[0].joints[1]"
    yield (
        "fewer joints than vertices hang on",
        changed(_put("skins", 0, "joints", value=[0])),
        "joint that the skin does not have",
    )
    more = changed(lambda d: d["meshes"][0]["primitives"].append({**d["meshes"][0]["primitives"][0], "targets": []}))
    yield "primitives differ in targets", more, "different numbers of morph targets; got 2, 0"


def _place(name: str) -> str:
    if name == "indices":
        return name
    return "targets[0].POSITION" if name.startswith("targets") else f"attributes.{name}"


def _counts() -> Iterator[Case]:
    yield "4e9 vertices in a view", _accessor(0, count=4 * 10**9), "file holds too many"
    zeros = changed(lambda d: (d["accessors"][0].update(count=4 * 10**9), d["accessors"][0].pop("bufferView")))
    yield "4e9 vertices of zeros", zeros, "file holds too many vertex and matrix numbers"
    yield "4e9 sparse deltas", _accessor(7, count=4 * 10**9), "file holds too many"
    yield "4e9 bind matrices", _accessor(8, count=4 * 10**9), "file holds too many"

    def many_targets(doc: Doc) -> None:
        for index in range(5):
            doc["accessors"][index] = {**doc["accessors"][index], "count": 1_000_000}
            doc["accessors"][index].pop("bufferView", None)
        doc["accessors"].append({**doc["accessors"][0]})
        targets = [{"POSITION": len(doc["accessors"]) - 1}] * 900
        doc["meshes"][0]["primitives"][0]["targets"] = targets

    yield "one array of zeros as 900 targets", changed(many_targets), "file holds too many"
    primitive = ("meshes", 0, "primitives", 0)
    yield "5,000 targets", changed(_put(*primitive, "targets", value=[{}] * 5000)), "too many entries; got 5000"
    for key in ("nodes", "meshes", "accessors", "images", "textures", "materials"):
        many = changed(_put(key, value=[{}] * 30_000))
        yield f"30,000 {key}", many, f"{key}: too many entries; got 30000"
    yield "17 buffers", changed(_put("buffers", value=[{"byteLength": 1}] * 17)), "buffers: too many entries"

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
    """So many strands of so many nodes, each meeting all colliders."""

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


def _data() -> Iterator[Case]:
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


def _png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _pictures() -> Iterator[Case]:
    rows = zlib.compress(bytes(4_000_000), 9)
    bomb = _png_header(50_000, 50_000) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")
    yield "PNG of 50,000 × 50,000", replaced_image(bomb), "picture is too large; got 50000×50000"
    yield "PNG of 2³¹ × 1", replaced_image(_png_header(2**31 - 1, 1)), "picture is too large"
    yield "PNG of 0 × 4", replaced_image(_png_header(0, 4)), "picture is empty"
    riff = b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4)
    canvas = riff + (16_382).to_bytes(3, "little") * 2
    yield "WebP of 16,383 × 16,383", replaced_image(canvas, "image/webp"), "picture is too large; got 16383×16383"
    frame = b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 17, 8, 60_000, 60_000, 3) + bytes(20)
    yield "JPEG of 60,000 × 60,000", replaced_image(frame, "image/jpeg"), "picture is too large; got 60000×60000"
    yield "PNG cut short", replaced_image(png((64, 64))[:-40]), "images[0]: picture is damaged"
    yield "PNG without data", replaced_image(_png_header(4, 4) + _chunk(b"IEND", b"")), "picture is damaged"
    flipped = bytearray(png((64, 64)))
    flipped[60] ^= 0xFF
    yield "PNG with a wrong checksum", replaced_image(bytes(flipped)), "picture is damaged"
    text = _png_header(4, 4) + _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(60_000_000), 9)) + png()[33:]
    yield "PNG whose text unpacks to 60 MB", replaced_image(text), "picture is damaged"
    yield "JPEG header only", replaced_image(b"\xff\xd8\xff\xe0\x00\x04", "image/jpeg"), "picture's header is damaged"
    yield "GIF", replaced_image(b"GIF89a" + bytes(40)), "picture is in no known format"
    yield "HTML as a picture", replaced_image(b"<html></html>"), "picture is in no known format"
    yield "empty picture", replaced_image(b""), "picture is in no known format; got no data"
    yield "no picture at all", changed(_put("images", 0, value={})), "neither a bufferView nor a uri"

    def three_large(doc: Doc) -> None:
        doc["images"] *= 4
        doc["textures"] = [{"source": i} for i in range(4)]
        mtoon = doc["materials"][0]["extensions"]["VRMC_materials_mtoon"]
        mtoon |= {
            k: {"index": i} for i, k in enumerate(("shadeMultiplyTexture", "matcapTexture", "rimMultiplyTexture"))
        }
        mtoon["outlineWidthMultiplyTexture"] = {"index": 3}

    doc, data = make1()
    large = _png_header(8_000, 8_000) + _chunk(b"IDAT", rows[:100]) + _chunk(b"IEND", b"")
    doc["bufferViews"].append({"buffer": 0, "byteOffset": len(data), "byteLength": len(large)})
    doc["images"][0]["bufferView"] = len(doc["bufferViews"]) - 1
    three_large(doc)
    doc["buffers"][0]["byteLength"] = len(data) + len(large)
    yield "four pictures of 64 megapixels", glb(doc, bytes(data) + large), "too many pixels together"
    yield "texture's picture out of range", changed(_put("textures", 0, "source", value=9)), "textures[0].source"
    yield "texture's sampler out of range", changed(_put("textures", 0, "sampler", value=9)), "textures[0].sampler"
    shade = ("materials", 0, "extensions", "VRMC_materials_mtoon", "shadeMultiplyTexture")
    yield (
        "texture out of range",
        changed(_put(*shade, "index", value=9)),
        "shadeMultiplyTexture.index: index into textures",
    )
    yield "texture index is a name", changed(_put(*shade, "index", value="face")), "must be an integer; got 'face'"


def _uris() -> Iterator[Case]:
    for uri in ("file:///etc/passwd", "http://example.com/a.png", "../../secret.png", "a.png", "//host/a", "C:\\a.png"):
        picture = changed(_put("images", 0, value={"uri": uri}))
        yield f"picture from {uri}", picture, "images[0].uri: external URI is refused"
        unused = changed(lambda d, uri=uri: d["images"].append({"uri": uri}))
        yield f"picture that nothing uses from {uri}", unused, "images[1].uri: external URI is refused"
        fallback = {"byteLength": 8, "uri": uri, "extensions": {"EXT_meshopt_compression": {"fallback": True}}}
        second = changed(lambda d, fallback=fallback: d["buffers"].append(fallback))
        if uri != "a.png":  # a fallback may bear a plain name, which is never opened
            yield f"fallback buffer from {uri}", second, "buffers[1].uri: external URI is refused"

    def remote_thumbnail(doc: Doc) -> None:
        doc["images"].append({"uri": "http://example.com/a.png"})
        doc["extensions"]["VRMC_vrm"]["meta"]["thumbnailImage"] = 1

    yield "thumbnail from the web", changed(remote_thumbnail), "images[1].uri: external URI is refused"
    outside = changed(_put("buffers", 0, value={"byteLength": 8, "uri": "file:///etc/passwd"}))
    yield "buffer from a file", outside, "buffers[0].uri: external URI is refused; got file:///etc/passwd"
    yield "data URI not base64", changed(_put("images", 0, value={"uri": "data:image/png,abc"})), "not base64"
    wrong = changed(_put("images", 0, value={"uri": "data:image/png;base64,@@@@"}))
    yield "data URI of bad base64", wrong, "not valid base64"
    # fits the JSON chunk, but not what a data URI may hold
    large = changed(_put("images", 0, value={"uri": "data:image/png;base64," + "A" * 15_000_000}))
    yield "data URI of 11 MB", large, "data URI is too large"


def _vrm1() -> Iterator[Case]:
    bones = ("extensions", "VRMC_vrm", "humanoid", "humanBones")
    yield "no hips", changed(_drop(*bones, "hips")), "required humanoid bones are missing; got hips"
    yield "no humanoid", changed(_drop("extensions", "VRMC_vrm", "humanoid")), "file has no humanoid"
    yield "bones as a list", changed(_put(*bones, value=[])), "humanBones: must be an object"
    yield "bone out of range", changed(_put(*bones, "head", "node", value=99)), "humanBones.head.node: index into nodes"
    yield (
        "bone without node",
        changed(_put(*bones, "head", value={})),
        "humanBones.head.node: required value is missing",
    )
    yield "VRMC_vrm is true", changed(_put("extensions", "VRMC_vrm", value=True)), "VRMC_vrm: must be an object"
    happy = ("extensions", "VRMC_vrm", "expressions", "preset", "happy")
    yield (
        "bind out of range",
        changed(_put(*happy, "morphTargetBinds", 0, "node", value=99)),
        "morphTargetBinds[0].node",
    )
    yield "bind's weight is text", changed(_put(*happy, "morphTargetBinds", 0, "weight", value="1")), "must be a number"
    yield (
        "bind's type is new",
        changed(_put(*happy, "materialColorBinds", 0, "type", value="glow")),
        "allowed: color, emi",
    )
    yield "override is new", changed(_put(*happy, "overrideBlink", value="maybe")), "allowed: none, block, blend"
    yield (
        "binds is an object",
        changed(_put(*happy, "morphTargetBinds", value={})),
        "must be a list; got an object of 0",
    )
    springs = ("extensions", "VRMC_springBone")
    yield (
        "spring joint out of range",
        changed(_put(*springs, "springs", 0, "joints", 0, "node", value=99)),
        "joints[0].node",
    )
    yield (
        "collider's group out of range",
        changed(_put(*springs, "springs", 0, "colliderGroups", value=[4])),
        "colliderGroups[0]",
    )
    yield "collider out of range", changed(_put(*springs, "colliderGroups", 0, "colliders", value=[4])), "colliders[0]"
    yield (
        "stiffness is a list",
        changed(_put(*springs, "springs", 0, "joints", 0, "stiffness", value=[])),
        "must be a number",
    )
    roll = ("nodes", STRAND + 1, "extensions", "VRMC_node_constraint", "constraint", "roll")
    yield "constraint of nothing", changed(_put(*roll, "source", value=99)), "roll.source: index into nodes"
    yield "constraint on itself", changed(_put(*roll, "source", value=STRAND + 1)), "follow each other in a circle"
    yield "roll axis W", changed(_put(*roll, "rollAxis", value="W")), "allowed: X, Y, Z"
    queue = ("materials", 0, "extensions", "VRMC_materials_mtoon", "renderQueueOffsetNumber")
    yield "queue of 50", changed(_put(*queue, value=50)), "renderQueueOffsetNumber: out of range; got 50"
    look = ("extensions", "VRMC_vrm", "lookAt", "type")
    yield "gaze by magic", changed(_put(*look, value="magic")), "lookAt.type: unknown value"
    yield (
        "thumbnail out of range",
        changed(_put("extensions", "VRMC_vrm", "meta", "thumbnailImage", value=7)),
        "thumbnailImage",
    )
    yield (
        "name is a number",
        changed(_put("extensions", "VRMC_vrm", "meta", "name", value=7)),
        "meta.name: must be a string",
    )


def _vrm0() -> Iterator[Case]:
    vrm = ("extensions", "VRM")
    yield "0.x without humanoid", changed(_drop(*vrm, "humanoid"), make0), "file has no humanoid"
    few = changed(_put(*vrm, "humanoid", "humanBones", value=[{"bone": "hips", "node": 0}]), make0)
    yield "0.x with hips alone", few, "required humanoid bones are missing; got spine, head"
    first = (*vrm, "humanoid", "humanBones", 0)
    yield (
        "0.x bone out of range",
        changed(_put(*first, "node", value=99), make0),
        "humanBones[0].node: index into nodes",
    )
    yield "0.x bone is text", changed(_put(*first, "node", value="hips"), make0), "must be an integer"
    properties = (*vrm, "materialProperties", 0)
    yield (
        "0.x texture out of range",
        changed(_put(*properties, "textureProperties", "_MainTex", value=9), make0),
        "_MainTex",
    )
    yield "0.x float is text", changed(_put(*properties, "floatProperties", "_Cutoff", value="0.5"), make0), "_Cutoff"
    yield "0.x color of two", changed(_put(*properties, "vectorProperties", "_Color", value=[1, 1]), make0), "_Color"
    yield (
        "0.x properties is a list",
        changed(_put(*properties, "floatProperties", value=[]), make0),
        "must be an object",
    )
    groups = (*vrm, "secondaryAnimation", "boneGroups", 0)
    yield "0.x strand out of range", changed(_put(*groups, "bones", value=[99]), make0), "boneGroups[0].bones[0]"
    yield (
        "0.x collider group out of range",
        changed(_put(*groups, "colliderGroups", value=[5]), make0),
        "colliderGroups[0]",
    )
    yield (
        "0.x gravity is a list",
        changed(_put(*groups, "gravityDir", value=[0, 1, 0]), make0),
        "gravityDir: must be an object",
    )
    curve = (*vrm, "firstPerson", "lookAtHorizontalInner", "curve")
    yield "0.x curve of text", changed(_put(*curve, value=["a"] * 8), make0), "curve[0]: must be a number"
    shape = (*vrm, "blendShapeMaster", "blendShapeGroups")
    yield "0.x groups is an object", changed(_put(*shape, value={}), make0), "blendShapeGroups: must be a list"
    target = (*shape, 0, "materialValues", 0, "targetValue")
    yield "0.x bind's color is a name", changed(_put(*target, value="red"), make0), "targetValue: must be a list"
