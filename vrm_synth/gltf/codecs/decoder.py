"""Decode compressed meshes and images in a separate process, with the libraries of the extra `codecs`.

| codec                    | library            | why |
|---|---|---|
| EXT_meshopt_compression  | meshopt            | young, but a thin binding over meshoptimizer 1.3, encoder included; MIT; needs numpy alone; wheels for x86_64 and aarch64, Python 3.11 and later |
| KHR_draco_mesh_compression | DracoPy          | a maintained binding over Google's Draco; Apache-2.0; wheels for both, too; keeps attributes' unique ids |
| KHR_texture_basisu       | opengl-basisu      | Binomial's own transcoder 2.50, by the author of PyOpenGL; MIT, Apache-2.0, BSD; an alpha, and no wheels for aarch64, where KTX 2 pictures are refused |

Rejected: almeshopt (AVX2 builds alone, no license stated), imagecodecs (meshopt without its filters, 45 MB),
alktx2 (no license stated). Not tried, since the chosen ones suffice: meshoptimizer (an alpha to be compiled), pyktx
(bindings to libktx), aldraco, gltf-draco-transcoder. Importing the chosen ones runs nothing but their initialization.

The libraries are C and C++, and the data is untrusted. So the sizes that the file announces are checked before
decoding (meshopt.py, draco.py, ktx2.py) and those of the results after it, and the libraries run in a process of
their own, limited in memory and processor time: a crash or excessive use of memory or time ends that process alone
and becomes an AvatarError. It is no sandbox: it may do what this process may. Starting it takes 0.2 s, once for a file
that needs it, and nothing for others.
"""  # noqa: E501  (a table)

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.codecs.decoder_process import HEADER
from vrm_synth.gltf.limits import Limits

_LIBRARIES = {"meshopt": "meshopt", "draco": "DracoPy", "basis": "opengl_basisu"}
_BLOCK = 2**20
_DTYPES = frozenset({"|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<f4"})


class Decoder:
    """Decoder of the compressed data of one file; its process is started when first needed.

    A context manager: leaving it ends the process.
    """

    def __init__(self, limits: Limits):
        self._bytes_left = limits.decoded_bytes
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process, if it was started."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def decode(
        self, codec: str, request: dict[str, Any], data: memoryview, result_bytes: int, where: str
    ) -> dict[str, NDArray[Any]]:
        """Decode `data` and return the arrays, at most `result_bytes` together.

        codec: name of a decoder in decoder_process.py.
        request: its parameters.

        Raises AvatarError where the library is missing, refuses the data, dies of it or gives more.
        """
        library = _LIBRARIES[codec]
        if importlib.util.find_spec(library) is None:
            raise AvatarError(
                f"compressed data needs the library {library}: install it with pip install 'vrm-synth[codecs]'",
                where=where,
            )
        if codec != "basis":  # images have a limit of their own, which the caller checks
            self._bytes_left -= result_bytes
            if self._bytes_left < 0:
                raise AvatarError("compressed data is too large", got=f"{result_bytes} bytes", where=where)
        head = json.dumps({**request, "codec": codec, "result_bytes": result_bytes}).encode()
        try:
            process = self._start()
            assert process.stdin is not None and process.stdout is not None  # both are pipes
            process.stdin.write(HEADER.pack(len(head), len(data)) + head)
            process.stdin.write(data)
            process.stdin.flush()
            return _read_response(process.stdout, result_bytes, where)
        # A process whose memory the data has corrupted may end, or respond with anything.
        except (OSError, EOFError, ValueError, KeyError, TypeError) as e:
            self.close()
            raise AvatarError(f"compressed data makes its decoder ({library}) fail", where=where) from e

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            script = Path(__file__).with_name("decoder_process.py")
            # -P: without it this folder would come first in sys.path, and its meshopt.py would hide the library.
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._process


def _read_response(source: IO[bytes], result_bytes: int, where: str) -> dict[str, NDArray[Any]]:
    size, payload = HEADER.unpack(_read_exactly(source, HEADER.size))
    head = json.loads(_read_exactly(source, size))
    if "error" in head:
        raise AvatarError(f"compressed data is damaged: {head['error']}", where=where)
    if payload > result_bytes:
        _skip(source, payload)
        raise AvatarError(
            "compressed data holds more than announced", got=f"{payload} bytes", allowed=result_bytes, where=where
        )
    raw, offset = _read_exactly(source, payload), 0
    arrays: dict[str, NDArray[Any]] = {}
    for entry in head["arrays"]:
        if entry["dtype"] not in _DTYPES:
            raise AvatarError("compressed data is of an unknown type", got=entry["dtype"], where=where)
        dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
        arrays[entry["key"]] = np.frombuffer(raw, dtype, math.prod(shape), offset).reshape(shape)
        offset += arrays[entry["key"]].nbytes
    return arrays


def _skip(source: IO[bytes], size: int) -> None:
    for start in range(0, size, _BLOCK):
        _read_exactly(source, min(_BLOCK, size - start))


def _read_exactly(source: IO[bytes], size: int) -> bytes:
    data = source.read(size)
    if len(data) != size:
        raise EOFError
    return data
