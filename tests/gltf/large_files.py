"""Large broken files, or files that are broken only at their end, written to disk, sparse where possible."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path

import PIL.Image

from tests.vrm.vrm_file import Doc, glb, png, vrm1

_SIZE = 400 * 2**20


def write_all(folder: Path) -> dict[str, tuple[Path, str]]:
    """name → (file, expected words)."""
    out = {}
    for name, (make, words) in _CASES.items():
        out[name] = (folder / f"{name}.vrm", words)
        make(out[name][0])
    return out


def _sparse(head: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            file.write(head)
            file.truncate(_SIZE)

    return write


def _glb_head(doc: Doc) -> bytes:
    text = json.dumps(doc).encode()
    text += b" " * (-len(text) % 4)
    header = struct.pack("<4sII", b"glTF", 2, _SIZE) + struct.pack("<I4s", len(text), b"JSON") + text
    return header + struct.pack("<I4s", _SIZE - len(header) - 8, b"BIN\0")


def _many_chunks(path: Path) -> None:
    file = bytearray(glb(vrm1()[0], None) + struct.pack("<I4s", 0, b"XXXX") * 5_000_000)
    struct.pack_into("<I", file, 8, len(file))
    path.write_bytes(file)


def _many_pictures(large: int, last: bytes) -> Callable[[Path], None]:
    """So many pictures of 8192 × 8192, which load, and a last one."""

    def write(path: Path) -> None:
        doc, data = vrm1()
        buffer = io.BytesIO()
        PIL.Image.new("1", (8192, 8192), 1).save(buffer, "PNG")
        for picture in [buffer.getvalue()] * large + [last]:
            data += b"\0" * (-len(data) % 4)
            doc["bufferViews"].append({"buffer": 0, "byteOffset": len(data), "byteLength": len(picture)})
            doc["images"].append({"bufferView": len(doc["bufferViews"]) - 1})
            doc["textures"].append({"source": len(doc["images"]) - 1})
            color = {"baseColorTexture": {"index": len(doc["textures"]) - 1}}
            doc["materials"].append({"pbrMetallicRoughness": color})
            data += picture
        doc["buffers"][0]["byteLength"] = len(data)
        path.write_bytes(glb(doc, bytes(data)))

    return write


def _saved(kind: str) -> bytes:
    out = io.BytesIO()
    PIL.Image.effect_noise((64, 64), 50).save(out, kind)
    return out.getvalue()


def _flipped(picture: bytes, at: int) -> bytes:
    return picture[:at] + bytes([picture[at] ^ 0xFF]) + picture[at + 1 :]


def _without_vrm() -> Doc:
    doc, _ = vrm1()
    del doc["extensions"]
    return doc


_CASES: dict[str, tuple[Callable[[Path], None], str]] = {
    "zeros": (_sparse(b""), "not a VRM file"),
    "one JSON chunk": (
        _sparse(struct.pack("<4sII", b"glTF", 2, _SIZE) + struct.pack("<I4s", _SIZE - 20, b"JSON")),
        "JSON is too large",
    ),
    "version 1": (_sparse(struct.pack("<4sII", b"glTF", 1, _SIZE)), "unknown GLB version"),
    "longer than the file": (_sparse(struct.pack("<4sII", b"glTF", 2, _SIZE + 4)), "file is cut short"),
    "binary chunk first": (
        _sparse(struct.pack("<4sII", b"glTF", 2, _SIZE) + struct.pack("<I4s", _SIZE - 20, b"BIN\0")),
        "first chunk is not JSON",
    ),
    "chunks without content": (_many_chunks, "too many chunks"),
    "no VRM": (_sparse(_glb_head(_without_vrm())), "no VRM or VRMC_vrm extension"),
    "a PNG cut short after one of 64 megapixels": (_many_pictures(1, png((64, 64))[:-40]), "images[2]: picture is dam"),
    "a PNG cut short after two of 64 megapixels": (_many_pictures(2, png((64, 64))[:-40]), "images[3]: picture is dam"),
    "a PNG with a wrong checksum after two": (_many_pictures(2, _flipped(_saved("PNG"), 60)), "wrong checksum"),
    "a JPEG cut short after two": (_many_pictures(2, _saved("JPEG")[:-40]), "no end of image"),
    "a WebP cut short after two": (_many_pictures(2, _saved("WEBP")[:-40]), "images[3]: picture is damaged"),
}
