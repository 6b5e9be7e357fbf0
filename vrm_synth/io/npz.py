"""NumPy archives: the same arrays give the same bytes, and what is read is bounded and never unpickled."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from vrm_synth.core.errors import DatasetError

MAX_ARRAYS = 16
MAX_BYTES = 2 << 30  # of all arrays of an archive
_SUFFIX = ".npy"  # of the members
# What reading a damaged archive raises; RuntimeError where a member is encrypted.
_DAMAGES = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, IndexError, OSError, EOFError, RuntimeError)


def npz_bytes(**arrays: NDArray[Any]) -> bytes:
    """The .npz file of named arrays, compressed."""
    out = io.BytesIO()
    np.savez_compressed(out, **{name: np.ascontiguousarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]
    return out.getvalue()


def read_npz(data: bytes, where: object = None) -> Mapping[str, NDArray[Any]]:
    """The arrays of an .npz file, by name. where: for errors. Raises DatasetError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            if len(members) > MAX_ARRAYS or sum(m.file_size for m in members) > MAX_BYTES:
                raise DatasetError(
                    "an .npz file that is too large",
                    got=f"{len(members)} arrays of {sum(m.file_size for m in members)} bytes",
                    allowed=f"up to {MAX_ARRAYS} arrays of {MAX_BYTES} bytes together",
                    where=where,
                )
            return {_array_name(m.filename): _array(archive.read(m)) for m in members}
    except _DAMAGES as e:
        raise DatasetError("not an .npz file", got=" ".join(str(e).split())[:200], where=where) from e


def _array_name(member: str) -> str:
    if not member.endswith(_SUFFIX):
        raise ValueError(f"{member[:80]!r} is no array")
    return member.removesuffix(_SUFFIX)


def _array(data: bytes) -> NDArray[Any]:
    """The array of an .npy file. np.load would allocate what a header asks for before it looks at the data."""
    file = io.BytesIO(data)
    version = npy.read_magic(file)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read_header is None:
        raise ValueError(f"version {version} of .npy")
    shape, is_fortran, dtype = read_header(file)
    content = data[file.tell() :]
    if dtype.hasobject or min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f"{len(content)} bytes for {shape} {dtype}")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if is_fortran else "C")
