"""NumPy archives: the same arrays give the same bytes, and what is read is bounded and never unpickled."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import DatasetError

MAX_ARRAYS = 16
MAX_ARRAY_BYTES = 1 << 30


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
        if len(members) > MAX_ARRAYS or any(m.file_size > MAX_ARRAY_BYTES for m in members):
            allowed = f"up to {MAX_ARRAYS} arrays of up to {MAX_ARRAY_BYTES} bytes"
            raise DatasetError(
                "an .npz file that is too large", got=f"{len(members)} arrays", allowed=allowed, where=where
            )
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (zipfile.BadZipFile, ValueError, KeyError, OSError, EOFError) as e:
        raise DatasetError("not an .npz file", got=str(e), where=where) from e
