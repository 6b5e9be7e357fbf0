"""Decoder process for untrusted compressed data; decoder.py runs this file as a script.

It imports nothing of this package, so that it starts quickly. A request on standard input is a header
(struct "<IQ": bytes of JSON, bytes of payload), the JSON and the payload; the response on standard output has
the same form. The JSON of a response is {"arrays": [{"key", "dtype", "shape"}]} with the arrays' bytes, one
after the other, as payload, or {"error": "…"}.
"""

from __future__ import annotations

import json
import os
import resource
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

HEADER = struct.Struct("<IQ")
CPU_SECONDS = 30  # for all data of one file; a hundred times what large avatars take
HEADROOM = 384 * 2**20  # bytes that a decoder may take besides 8 times what it gives back

Arrays = dict[str, np.ndarray[Any, Any]]


def decode_meshopt(request: dict[str, Any], data: bytes) -> Arrays:
    """Decode one buffer view of EXT_meshopt_compression to a flat uint8 array."""
    import meshopt as library

    count, stride = request["count"], request["stride"]
    decoded = library.decode_gltf_buffer(data, count, stride, request["mode"], request["filter"])
    return {"data": np.ascontiguousarray(decoded).reshape(-1).view(np.uint8)}


def decode_draco(request: dict[str, Any], data: bytes) -> Arrays:
    """Decode one mesh of KHR_draco_mesh_compression: (F, 3) uint32 "faces", and (V, C) attributes by unique id."""
    import DracoPy as library  # noqa: N813  the name under which the library is known

    mesh = library.decode(data)
    wanted = set(request["ids"])
    found = {str(a["unique_id"]): a["data"] for a in mesh.attributes if a["unique_id"] in wanted}
    return {"faces": mesh.faces, **found}


def decode_basis(request: dict[str, Any], data: bytes) -> Arrays:
    """Decode the largest level of a KTX 2 image to (H, W, 4) uint8 RGBA."""
    import opengl_basisu as library

    texture = library.open(data)
    if (texture.width, texture.height) != (request["width"], request["height"]):
        raise ValueError("the decoder sees another size than the header says")
    return {"pixels": texture.transcode("rgba8").data}


DECODERS: dict[str, Callable[[dict[str, Any], bytes], Arrays]] = {
    "meshopt": decode_meshopt,
    "draco": decode_draco,
    "basis": decode_basis,
}


def limit_memory(result_bytes: int) -> None:
    """Limit the address space of this process: a decoder that needs more gets MemoryError, or the process ends."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + HEADROOM + 8 * result_bytes, resource.RLIM_INFINITY))


def respond(out: BinaryIO, head: dict[str, Any], payload: list[memoryview]) -> None:
    """Write one response."""
    text = json.dumps(head).encode()
    out.write(HEADER.pack(len(text), sum(p.nbytes for p in payload)) + text)
    for part in payload:
        out.write(part)
    out.flush()


def serve(source: BinaryIO, out: BinaryIO) -> None:
    """Main loop: decode requests until the parent closes the pipe."""
    while header := source.read(HEADER.size):
        size, payload = HEADER.unpack(header)
        request = json.loads(source.read(size))
        data = source.read(payload)
        limit_memory(request["result_bytes"])
        try:
            arrays = {k: np.ascontiguousarray(a) for k, a in DECODERS[request["codec"]](request, data).items()}
        except Exception as e:  # three libraries, each with its own error types
            respond(out, {"error": f"{type(e).__name__}: {e}"[:200]}, [])
            continue
        described = [{"key": k, "dtype": a.dtype.str, "shape": a.shape} for k, a in arrays.items()]
        respond(out, {"arrays": described}, [a.reshape(-1).view(np.uint8).data for a in arrays.values()])


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no core dumps
    with open(0, "rb") as requests, open(os.dup(1), "wb") as responses:
        os.dup2(2, 1)  # whatever a library prints must not come between the responses
        serve(requests, responses)
