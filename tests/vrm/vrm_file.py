"""Small valid VRM files, built by the tests in memory."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import PIL.Image

from vrm_synth.core.bones import BONES, V0_BONE_NAMES

Doc = dict[str, Any]
BONE_LIST = [b for b in BONES if b.required or b.name in ("leftEye", "rightEye", "leftThumbMetacarpal")]
# One node after the bones holds the mesh; two more make a swinging strand.
MESH_NODE = len(BONE_LIST)
STRAND = MESH_NODE + 1
_HEIGHTS = {"hips": 1.0, "spine": 0.1, "head": 0.4}


class Bin:
    """Collects buffer views and accessors."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[Doc] = []
        self.accessors: list[Doc] = []

    def view(self, data: bytes, stride: int | None = None) -> int:
        self.data += b"\0" * (-len(self.data) % 4)
        view: Doc = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        if stride is not None:
            view["byteStride"] = stride
        self.views.append(view)
        self.data += data
        return len(self.views) - 1

    def accessor(self, values: Any, kind: str, component: int, dtype: str, **fields: Any) -> int:
        array = np.asarray(values, dtype)
        accessor = {"bufferView": self.view(array.tobytes()), "componentType": component, "type": kind, **fields}
        return self.add({**accessor, "count": len(array)})

    def add(self, accessor: Doc) -> int:
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def png(size: tuple[int, int] = (4, 4), mode: str = "RGBA", color: Any = (200, 100, 50, 255), **options: Any) -> bytes:
    out = io.BytesIO()
    PIL.Image.new(mode, size, color).save(out, "PNG", **options)
    return out.getvalue()


def glb(doc: Doc, data: bytes | None, *, version: int = 2, length: int | None = None) -> bytes:
    """A GLB file of this JSON and BIN."""
    text = json.dumps(doc).encode()
    return glb_of_text(text, data, version=version, length=length)


def glb_of_text(text: bytes, data: bytes | None, *, version: int = 2, length: int | None = None) -> bytes:
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    if data is not None:
        data += b"\0" * (-len(data) % 4)
        chunks += struct.pack("<I4s", len(data), b"BIN\0") + data
    return struct.pack("<4sII", b"glTF", version, 12 + len(chunks) if length is None else length) + chunks


def _nodes(facing: float) -> list[Doc]:
    """The bones of a T-pose whose left arm points to facing · X, each a fraction from its parent."""
    index = {b.name: i for i, b in enumerate(BONE_LIST)}
    nodes: list[Doc] = []
    for bone in BONE_LIST:
        side = facing if bone.name.startswith("left") else -facing if bone.name.startswith("right") else 0.0
        arm = "Arm" in bone.name or "Hand" in bone.name or "Thumb" in bone.name
        y = _HEIGHTS.get(bone.name, 0.0 if arm else 0.05 if "Eye" in bone.name else -0.4)
        nodes.append({"name": bone.name, "translation": [0.2 * side if arm else 0.1 * side, y, 0.0]})
    for bone in BONE_LIST:
        parent = bone.parent
        while parent is not None and parent not in index:
            parent = next(b.parent for b in BONES if b.name == parent)
        if parent is not None:
            nodes[index[parent]].setdefault("children", []).append(index[bone.name])
    nodes.append({"name": "body", "mesh": 0, "skin": 0})
    nodes[index["head"]]["children"].append(STRAND)
    nodes.append({"name": "strand", "translation": [0, 0.1, -0.1], "children": [STRAND + 1]})
    nodes.append({"name": "strand end", "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, -0.1, 0, 1]})
    return nodes


def _core(facing: float) -> tuple[Doc, Bin]:
    b = Bin()
    quad = [[-0.5, 0, 0], [0.5, 0, 0], [0.5, 1.5, 0], [-0.5, 1.5, 0]]
    attributes = {
        "POSITION": b.accessor(quad, "VEC3", 5126, "<f4"),
        "NORMAL": b.accessor([[0, 0, 1]] * 4, "VEC3", 5126, "<f4"),
        "TEXCOORD_0": b.accessor([[0, 1], [1, 1], [1, 0], [0, 0]], "VEC2", 5126, "<f4"),
        "JOINTS_0": b.accessor([[0, 1, 0, 0]] * 4, "VEC4", 5121, "<u1"),
        "WEIGHTS_0": b.accessor([[0.75, 0.25, 0, 0]] * 4, "VEC4", 5126, "<f4"),
    }
    indices = b.accessor([0, 1, 2, 0, 2, 3], "SCALAR", 5123, "<u2")
    dense = b.accessor(np.tile([0, 0.1, 0], (4, 1)), "VEC3", 5126, "<f4")
    sparse = b.add(
        {
            "componentType": 5126,
            "type": "VEC3",
            "count": 4,
            "sparse": {
                "count": 2,
                "indices": {"bufferView": b.view(np.array([1, 3], "<u2").tobytes()), "componentType": 5123},
                "values": {"bufferView": b.view(np.array([[1, 2, 3], [4, 5, 6]], "<f4").tobytes())},
            },
        }
    )
    bind = b.accessor(np.tile(np.eye(4).ravel(), (2, 1)), "MAT4", 5126, "<f4")
    image = b.view(png())
    nodes = _nodes(facing)
    doc = {
        "asset": {"version": "2.0", "generator": "vrm-synth's tests"},
        "scene": 0,
        "scenes": [{"nodes": [0, MESH_NODE]}],
        "nodes": nodes,
        "meshes": [
            {
                "name": "body",
                "weights": [0, 0],
                "extras": {"targetNames": ["up", "far"]},
                "primitives": [
                    {
                        "attributes": attributes,
                        "indices": indices,
                        "material": 0,
                        "targets": [{"POSITION": dense}, {"POSITION": sparse}],
                    }
                ],
            }
        ],
        "skins": [{"joints": [0, 1], "inverseBindMatrices": bind}],
        "images": [{"bufferView": image, "mimeType": "image/png"}],
        "samplers": [{"magFilter": 9729, "minFilter": 9987, "wrapS": 10497, "wrapT": 33071}],
        "textures": [{"source": 0, "sampler": 0}],
    }
    return doc, b


def _finish(doc: Doc, b: Bin) -> tuple[Doc, bytearray]:
    doc["accessors"], doc["bufferViews"] = b.accessors, b.views
    doc["buffers"] = [{"byteLength": len(b.data)}]
    return doc, b.data


# Longer than 60 lines: one literal, the JSON of the file.
def vrm1() -> tuple[Doc, bytearray]:
    """The JSON and BIN of a VRM 1.0 file that uses a little of everything."""
    doc, b = _core(1.0)
    doc["extensionsUsed"] = ["VRMC_vrm", "VRMC_materials_mtoon", "VRMC_springBone", "VRMC_node_constraint"]
    texture = {"index": 0, "extensions": {"KHR_texture_transform": {"offset": [0.5, 0], "scale": [2, 2]}}}
    mtoon = {
        "specVersion": "1.0",
        "shadeColorFactor": [0.5, 0.5, 0.5],
        "shadeMultiplyTexture": {"index": 0},
        "shadingShiftTexture": {"index": 0, "scale": 0.5},
        "outlineWidthMode": "worldCoordinates",
        "outlineWidthFactor": 0.01,
    }
    doc["materials"] = [
        {
            "name": "skin",
            "pbrMetallicRoughness": {"baseColorFactor": [1, 0.5, 0.25, 1], "baseColorTexture": texture},
            "extensions": {"VRMC_materials_mtoon": mtoon, "KHR_materials_unlit": {}},
        }
    ]
    joints = [{"node": STRAND, "stiffness": 2, "hitRadius": 0.02}, {"node": STRAND + 1}]
    head = next(i for i, bone in enumerate(BONE_LIST) if bone.name == "head")
    doc["nodes"][STRAND + 1]["extensions"] = {
        "VRMC_node_constraint": {"specVersion": "1.0", "constraint": {"roll": {"source": 0, "rollAxis": "Y"}}}
    }
    happy = {
        "overrideBlink": "block",
        "morphTargetBinds": [{"node": MESH_NODE, "index": 0, "weight": 1}],
        "materialColorBinds": [{"material": 0, "type": "color", "targetValue": [1, 0, 0, 1]}],
        "textureTransformBinds": [{"material": 0, "offset": [0.25, 0], "scale": [1, 1]}],
    }
    doc["extensions"] = {
        "VRMC_vrm": {
            "specVersion": "1.0",
            "meta": {
                "name": "quad",
                "version": "1",
                "authors": ["vrm-synth"],
                "licenseUrl": "https://vrm.dev/licenses/1.0/",
                "otherLicenseUrl": "https://creativecommons.org/publicdomain/zero/1.0/",
                "thumbnailImage": 0,
            },
            "humanoid": {"humanBones": {bone.name: {"node": i} for i, bone in enumerate(BONE_LIST)}},
            "expressions": {"preset": {"happy": happy}, "custom": {"wink": {"isBinary": True}}},
            "lookAt": {
                "type": "bone",
                "offsetFromHeadBone": [0, 0.06, 0.02],
                "rangeMapHorizontalInner": {"inputMaxValue": 60, "outputScale": 8},
            },
            "firstPerson": {"meshAnnotations": [{"node": MESH_NODE, "type": "thirdPersonOnly"}]},
        },
        "VRMC_springBone": {
            "specVersion": "1.0",
            "colliders": [
                {"node": head, "shape": {"capsule": {"offset": [0, 0, 0], "radius": 0.1, "tail": [0, 0.1, 0]}}}
            ],
            "colliderGroups": [{"colliders": [0]}],
            "springs": [{"name": "hair", "joints": joints, "colliderGroups": [0], "center": 0}],
        },
    }
    return _finish(doc, b)


# Longer than 60 lines: one literal, the JSON of the file.
def vrm0() -> tuple[Doc, bytearray]:
    """The JSON and BIN of a VRM 0.x file of the same avatar, facing −Z."""
    doc, b = _core(-1.0)
    old = {new: name for name, new in V0_BONE_NAMES.items()}
    head = next(i for i, bone in enumerate(BONE_LIST) if bone.name == "head")
    doc["extensionsUsed"] = ["VRM", "KHR_materials_unlit"]
    doc["materials"] = [{"name": "skin", "extensions": {"KHR_materials_unlit": {}}}]
    degrees = {"curve": [0, 0, 0, 1, 1, 1, 1, 0], "xRange": 90, "yRange": 10}
    doc["extensions"] = {
        "VRM": {
            "exporterVersion": "tests",
            "specVersion": "0.0",
            "meta": {"title": "quad", "author": "vrm-synth", "licenseName": "CC0", "texture": 0},
            "humanoid": {
                "humanBones": [{"bone": old.get(bone.name, bone.name), "node": i} for i, bone in enumerate(BONE_LIST)]
            },
            "firstPerson": {
                "firstPersonBone": head,
                "firstPersonBoneOffset": {"x": 0.01, "y": 0.06, "z": 0.02},
                "lookAtTypeName": "Bone",
                "lookAtHorizontalInner": degrees,
                "lookAtHorizontalOuter": {**degrees, "curve": [0, 0, 0, 2, 1, 1, 0, 0]},
                "lookAtVerticalDown": degrees,
                "lookAtVerticalUp": degrees,
                "meshAnnotations": [{"mesh": 0, "firstPersonFlag": "ThirdPersonOnly"}],
            },
            "blendShapeMaster": {
                "blendShapeGroups": [
                    {
                        "name": "Joy",
                        "presetName": "joy",
                        "binds": [{"mesh": 0, "index": 0, "weight": 50}],
                        "materialValues": [
                            {"materialName": "skin", "propertyName": "_Color", "targetValue": [1, 0.5, 0, 1]},
                            {"materialName": "skin", "propertyName": "_MainTex_ST", "targetValue": [1, 1, 0.25, 0]},
                        ],
                    },
                    {"name": "Wink", "presetName": "unknown", "isBinary": True},
                ]
            },
            "secondaryAnimation": {
                "boneGroups": [
                    {
                        "stiffiness": 2,
                        "gravityDir": {"x": 0.1, "y": -1, "z": 0.2},
                        "center": -1,
                        "hitRadius": 0.02,
                        "bones": [STRAND],
                        "colliderGroups": [0],
                    }
                ],
                "colliderGroups": [{"node": head, "colliders": [{"offset": {"x": 1, "y": 2, "z": 3}, "radius": 0.1}]}],
            },
            "materialProperties": [
                {
                    "name": "skin",
                    "shader": "VRM/MToon",
                    "renderQueue": 3000,
                    "floatProperties": {
                        "_ShadeShift": 0.5,
                        "_ShadeToony": 0.5,
                        "_OutlineWidth": 2,
                        "_OutlineWidthMode": 1,
                    },
                    "vectorProperties": {"_Color": [0.5, 1, 1, 0.5], "_MainTex": [0.125, 0.25, 2, 0.5]},
                    "textureProperties": {"_MainTex": 0, "_ShadeTexture": 0, "_SphereAdd": 0},
                    "keywordMap": {"_ALPHABLEND_ON": True},
                }
            ],
        }
    }
    return _finish(doc, b)


def changed(change: Callable[[Doc], object], make: Callable[[], tuple[Doc, bytearray]] = vrm1) -> bytes:
    """The file after a change to its JSON."""
    doc, data = make()
    change(doc)
    return glb(doc, bytes(data))


def replaced_image(picture: bytes, mime: str = "image/png") -> bytes:
    """The VRM 1.0 file with another picture."""
    doc, data = vrm1()
    data += b"\0" * (-len(data) % 4)
    doc["bufferViews"].append({"buffer": 0, "byteOffset": len(data), "byteLength": len(picture)})
    doc["images"][0] = {"bufferView": len(doc["bufferViews"]) - 1, "mimeType": mime}
    data += picture
    doc["buffers"][0]["byteLength"] = len(data)
    return glb(doc, bytes(data))
