"""Broken images and URIs (cases of broken_files.py)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from tests.gltf.edits import Case, put
from tests.vrm.vrm_file import Doc, changed, glb, png, replaced_image
from tests.vrm.vrm_file import vrm1 as make1


def _png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def image_cases() -> Iterator[Case]:
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
    yield "no picture at all", changed(put("images", 0, value={})), "neither a bufferView nor a uri"

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
    yield "texture's picture out of range", changed(put("textures", 0, "source", value=9)), "textures[0].source"
    yield "texture's sampler out of range", changed(put("textures", 0, "sampler", value=9)), "textures[0].sampler"
    shade = ("materials", 0, "extensions", "VRMC_materials_mtoon", "shadeMultiplyTexture")
    yield (
        "texture out of range",
        changed(put(*shade, "index", value=9)),
        "shadeMultiplyTexture.index: index into textures",
    )
    yield "texture index is a name", changed(put(*shade, "index", value="face")), "must be an integer; got 'face'"


def uri_cases() -> Iterator[Case]:
    for uri in ("file:///etc/passwd", "http://example.com/a.png", "../../secret.png", "a.png", "//host/a", "C:\\a.png"):
        picture = changed(put("images", 0, value={"uri": uri}))
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
    outside = changed(put("buffers", 0, value={"byteLength": 8, "uri": "file:///etc/passwd"}))
    yield "buffer from a file", outside, "buffers[0].uri: external URI is refused; got file:///etc/passwd"
    yield "data URI not base64", changed(put("images", 0, value={"uri": "data:image/png,abc"})), "not base64"
    wrong = changed(put("images", 0, value={"uri": "data:image/png;base64,@@@@"}))
    yield "data URI of bad base64", wrong, "not valid base64"
    # fits the JSON chunk, but not what a data URI may hold
    large = changed(put("images", 0, value={"uri": "data:image/png;base64," + "A" * 15_000_000}))
    yield "data URI of 11 MB", large, "data URI is too large"
