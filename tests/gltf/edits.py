"""Edits of the JSON of the small valid files of vrm_file.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.vrm.vrm_file import Doc, changed, glb, vrm1
from vrm_synth.gltf.model import Primitive
from vrm_synth.vrm import Avatar, load_bytes

Case = tuple[str, bytes, str]  # name, the file, words that its refusal must contain


def put(*path: str | int, value: Any) -> Callable[[Doc], None]:
    """A change that sets one value in the JSON."""

    def change(doc: Doc) -> None:
        at: Any = doc
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return change


def drop(*path: str | int) -> Callable[[Doc], None]:
    def change(doc: Doc) -> None:
        at: Any = doc
        for key in path[:-1]:
            at = at[key]
        del at[path[-1]]

    return change


def accessor(index: int, **values: Any) -> bytes:
    return changed(lambda d: d["accessors"][index].update(values))


def edited(change: Any) -> Avatar:
    """The avatar after `change(doc, add)`; add(array, type, componentType, **more) appends an accessor."""
    doc, data = vrm1()

    def add(values: Any, dtype: str, kind: str, component: int, stride: int = 0, **more: Any) -> int:
        array = np.asarray(values, dtype)
        raw = array.tobytes()
        if stride:
            rows = array.reshape(len(array), -1)
            raw = b"".join(row.tobytes().ljust(stride, b"\xee") for row in rows)
        data.extend(b"\0" * (-len(data) % 4))
        view = {"buffer": 0, "byteOffset": len(data), "byteLength": len(raw)}
        doc["bufferViews"].append(view | ({"byteStride": stride} if stride else {}))
        data.extend(raw)
        accessor = {"bufferView": len(doc["bufferViews"]) - 1, "componentType": component, "type": kind}
        doc["accessors"].append({**accessor, "count": len(array), **more})
        return len(doc["accessors"]) - 1

    change(doc, add)
    doc["buffers"][0]["byteLength"] = len(data)
    return load_bytes(glb(doc, bytes(data)), "x.vrm")


def primitive(avatar: Avatar) -> Primitive:
    return avatar.meshes[0].primitives[0]


def attributes(doc: Doc) -> dict[str, int]:
    primitive_attributes: dict[str, int] = doc["meshes"][0]["primitives"][0]["attributes"]
    return primitive_attributes
