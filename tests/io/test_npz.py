"""NumPy archives: round trips, the same bytes, and hostile files refused in one line."""

from __future__ import annotations

import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vrm_synth.core.errors import DatasetError
from vrm_synth.io import npz
from vrm_synth.io.npz import npz_bytes, read_npz


@given(
    st.sampled_from(["float32", "int32", "uint8"]), st.lists(st.integers(0, 5), min_size=1, max_size=3), st.integers()
)
@settings(max_examples=30, deadline=None)
def test_arrays_are_read_back(dtype, shape, seed):
    array = (np.random.default_rng(abs(seed)).random(shape) * 200).astype(dtype)
    data = npz_bytes(depth=array, triangle=array.T)
    back = read_npz(data)
    assert list(back) == ["depth", "triangle"] and data == npz_bytes(depth=array, triangle=array.T)
    for name, wanted in (("depth", array), ("triangle", array.T)):
        assert back[name].dtype == wanted.dtype
        np.testing.assert_array_equal(back[name], wanted)


def test_arrays_in_the_order_of_fortran_are_read():
    array = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    np.testing.assert_array_equal(read_npz(archive(("a.npy", npy(array))))["a"], array)


def test_infinity_and_nan_are_kept():
    array = np.array([np.inf, np.nan, -0.0], np.float32)
    assert read_npz(npz_bytes(depth=array))["depth"].tobytes() == array.tobytes()


def archive(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return out.getvalue()


def npy(array: np.ndarray, **options: bool) -> bytes:
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


def header(text: str) -> bytes:
    """An .npy file of a header alone."""
    line = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line


class Trap:
    """Unpickling it fails the test."""

    def __reduce__(self) -> tuple:
        return pytest.fail, ("unpickled",)


GOOD = npz_bytes(depth=np.arange(4096, dtype=np.float32))
HOSTILE = {
    "nothing": b"",
    "no archive": b"hello" * 100,
    "truncated": GOOD[: len(GOOD) // 2],
    "without its directory": GOOD[:-30],
    "a flipped byte": GOOD[:200] + bytes([GOOD[200] ^ 0xFF]) + GOOD[201:],
    "a pickle": archive(("depth.npy", npy(np.array([Trap()], object), allow_pickle=True))),
    "a bare pickle": pickle.dumps(Trap()),
    "a pickle as a member": archive(("depth.npy", pickle.dumps(Trap()))),
    "a member that is no array": archive(("depth.txt", b"hello")),
    "a header of code": archive(("depth.npy", header("__import__('os')"))),
    "a shape without data": archive(
        ("depth.npy", header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000,)}"))
    ),
    "a shape beyond memory": archive(
        ("depth.npy", header("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}"))
    ),
    "a negative shape": archive(("depth.npy", header("{'descr': '<f4', 'fortran_order': False, 'shape': (-5,)}"))),
    "many arrays": archive(*((f"a{n}.npy", npy(np.zeros(1))) for n in range(17))),
    "an encrypted member": GOOD.replace(b"\x00\x00\x08\x00", b"\x01\x00\x08\x00"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_in_one_line(kind):
    with pytest.raises(DatasetError) as e:
        read_npz(HOSTILE[kind], "a.npz")
    assert "\n" not in str(e.value) and str(e.value).startswith("a.npz: ") and len(str(e.value)) < 1000


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    monkeypatch.setattr(npz, "MAX_BYTES", 1 << 16)
    bomb = npz_bytes(depth=np.zeros(1 << 16, np.uint8))
    assert len(bomb) < 2000
    monkeypatch.setattr(npz, "_array", lambda data: pytest.fail("unpacked"))
    with pytest.raises(DatasetError, match="too large"):
        read_npz(bomb)


def test_a_bomb_that_lies_about_its_size_is_refused(monkeypatch):
    monkeypatch.setattr(npz, "MAX_BYTES", 1 << 16)
    size = (1 << 20) + 128  # of the .npy file, in the local header and in the directory
    bomb = npz_bytes(depth=np.zeros(1 << 20, np.uint8)).replace(
        size.to_bytes(4, "little"), (4096).to_bytes(4, "little")
    )
    with pytest.raises(DatasetError):
        read_npz(bomb)
