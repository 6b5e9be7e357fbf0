"""Broken files, each with the words that its refusal must contain.

Everything is made from the small valid files of vrm_file.py. Broken pictures and absurd counts are kept
small on disk, as an attacker would.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator

from tests.gltf.broken_images import image_cases, uri_cases
from tests.gltf.broken_meshes import accessor_cases, count_cases, skin_cases, value_cases, view_cases, vrm_count_cases
from tests.gltf.broken_vrm import vrm0_cases, vrm1_cases, vrm1_motion_cases
from tests.gltf.edits import Case, put
from tests.vrm.vrm_file import MESH_NODE, STRAND, Doc, changed, glb, glb_of_text, png
from tests.vrm.vrm_file import vrm1 as make1


def cases() -> list[Case]:
    """(name, bytes, expected words)."""
    groups = (
        *(_not_vrm, _cut_short, _json, _types, _nodes),
        *(accessor_cases, view_cases, skin_cases, count_cases, vrm_count_cases, value_cases),
        *(image_cases, uri_cases),
        *(vrm0_cases, vrm1_cases, vrm1_motion_cases),
    )
    return [case for group in groups for case in group()]


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
    yield "other extensions only", changed(put("extensions", value={"KHR_xmp": {}})), "no VRM or VRMC_vrm"


def _cut_short() -> Iterator[Case]:
    valid = _valid()
    json_end = 20 + struct.unpack_from("<I", valid, 12)[0]
    for size in (4, 8, 12, 16, 19, 20, 100, json_end, json_end + 4, json_end + 8, len(valid) - 1):
        yield f"first {size} bytes", valid[:size], "file is cut short"
    for size in (100, json_end + 20):
        cut = bytearray(valid[:size])
        struct.pack_into("<I", cut, 8, size)
        yield f"first {size} bytes, header repaired", bytes(cut), "chunk runs past the end of the file"
    header_only = valid[:8] + struct.pack("<I", 12)
    yield "no chunks", header_only, "file has no JSON chunk"
    stub = valid[:8] + struct.pack("<I", 16) + valid[12:16]
    yield "half a chunk header", stub, "chunk header is cut short"
    yield "no bin", glb(make1()[0], None), "no BIN chunk"
    yield "empty bin", glb(make1()[0], b""), "buffer is longer than its data"
    doc, data = make1()
    yield "half of bin", glb(doc, bytes(data[: len(data) // 2])), "buffer is longer than its data"
    yield "version 1", glb(doc, bytes(data), version=1), "unknown GLB version; got 1"
    yield "length of 4 GB", glb(doc, bytes(data), length=2**32 - 1), "the 4294967295 that it announces"
    swapped = bytearray(valid)
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
        yield f"{key} of the wrong type", changed(put(key, value=value)), f"{key}: must be a list"
    for key in ("nodes", "meshes", "skins", "materials", "images", "textures", "samplers", "scenes", "buffers"):
        yield f"{key} holds a string", changed(put(key, 0, value="x")), f"{key}[0]: must be an object; got 'x'"
    for key, value in (("count", "4"), ("count", 4.5), ("count", True), ("componentType", [5126])):
        words = f"accessors[0].{key}: must be an integer"
        yield f"accessor {key} {value!r}", changed(put("accessors", 0, key, value=value)), words
    yield "asset is a string", changed(put("asset", value="2.0")), "asset: must be an object"
    yield "gltf 1.0", changed(put("asset", "version", value="1.0")), "unknown glTF version; got 1.0"
    yield (
        "attributes is a list",
        changed(put("meshes", 0, "primitives", 0, "attributes", value=[0])),
        "must be an object",
    )
    negative = changed(put("nodes", MESH_NODE, "mesh", value=-2))
    yield "negative mesh", negative, f"nodes[{MESH_NODE}].mesh: must not be negative"
    yield "integer beyond floats", changed(put("accessors", 0, "count", value=10**40)), "integer out of bounds"
    yield "translation of strings", changed(put("nodes", 0, "translation", value=["0", "1", "0"])), "must be a number"
    yield "translation of two", changed(put("nodes", 0, "translation", value=[0, 1])), "must be a list of 3 numbers"
    yield "scale of 1e308", changed(put("nodes", 0, "scale", value=[1e308, 1, 1])), "number out of bounds"
    yield "scale beyond floats", changed(put("nodes", 0, "scale", value=[10**400, 1, 1])), "number out of bounds"
    yield "flag is a number", changed(put("materials", 0, "doubleSided", value=1)), "must be true or false"
    yield (
        "unknown alpha mode",
        changed(put("materials", 0, "alphaMode", value="GLASS")),
        "allowed: OPAQUE, MASK, BLEND",
    )
    yield "unknown filter", changed(put("samplers", 0, "magFilter", value=9987)), "magFilter: unknown value"
    yield "extensions is a list", changed(put("extensions", value=[])), "extensions: must be an object"
    for name in ("KHR_lights_punctual", "MSFT_texture_dds"):
        required = changed(put("extensionsRequired", value=[name]))
        yield f"requires {name}", required, f"file requires the extension {name}"


def _nodes() -> Iterator[Case]:
    yield (
        "node is its own child",
        changed(put("nodes", 0, "children", value=[0])),
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
    yield "child out of range", changed(put("nodes", 0, "children", value=[999])), "nodes[0].children[0]"
    yield "scene out of range", changed(put("scene", value=7)), "scene is out of range; got 7"
    yield "scene's node out of range", changed(put("scenes", 0, "nodes", value=[99])), "scenes[0].nodes[0]"
    yield "scene of a child", changed(put("scenes", 0, "nodes", value=[5])), "whose parent is not in it"
    yield "empty scene", changed(put("scenes", 0, "nodes", value=[])), "required humanoid bones are missing"
    yield "mesh out of range", changed(put("nodes", MESH_NODE, "mesh", value=3)), "mesh is out of range; got 3"
    yield "skin out of range", changed(put("nodes", MESH_NODE, "skin", value=3)), "skin is out of range; got 3"
    folded = [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    yield "folded matrix", changed(put("nodes", 0, "matrix", value=folded)), "matrix squashes space flat"
    yield "short matrix", changed(put("nodes", 0, "matrix", value=[1] * 9)), "must be a list of 16 numbers"
