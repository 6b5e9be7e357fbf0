"""Readers of our own shards: intact ones round-trip, anything else is refused in one line."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.image_decoder import decode_rgba
from vrm_synth.io.png_encoder import encode_png
from vrm_synth.io.shard_readers.sample import read_row
from vrm_synth.io.shard_readers.tar import read_tar

ROOT = Path(__file__).resolve().parents[2]
PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 4), dtype=np.uint8)
ROW = {"i": 0, "caption": "A girl.", "shot": {"id": "000000"}}


def members(count: int = 2) -> list[tuple[tarfile.TarInfo, bytes]]:
    archive = []
    for i in range(count):
        parts = {"png": encode_png(PIXELS), "txt": b"A girl.", "json": json.dumps(ROW).encode(), "mask.png": b"mask"}
        for suffix, data in parts.items():
            info = tarfile.TarInfo(f"{i:06d}.{suffix}")
            info.size = len(data)
            archive.append((info, data))
    return archive


def tar_of(parts: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for info, data in parts:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def test_samples_round_trip():
    samples = [*read_tar(io.BytesIO(tar_of(members())), "t")]
    assert [s.key for s in samples] == ["000000", "000001"]
    for s in samples:
        assert (decode_rgba(s.picture) == PIXELS).all() and s.suffix == "png"
        assert s.caption == "A girl." and s.row == ROW and s.extras == {"mask.png": b"mask"}


def test_a_tar_cut_anywhere_is_refused():
    data = tar_of(members())
    end = len(data.rstrip(b"\0"))
    for at in [*range(0, end + 1, 97), *range(512, end, 512), end + 1, len(data) - 10_200]:
        if len(data[:at].rstrip(b"\0")) < end or at < end + 1024:
            with pytest.raises(DatasetError):
                [*read_tar(io.BytesIO(data[:at]), "t")]


def named(name: str, **attributes: object) -> list[tuple[tarfile.TarInfo, bytes]]:
    info = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(info, key, value)
    return [*members(), (info, b"")]


@pytest.mark.parametrize(
    "parts",
    [
        named("../000009.png"), named("/etc/000009.png"), named("a/000009.png"), named("000009"), named(".png"),
        named("000009.png", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        named("000009.png", type=tarfile.LNKTYPE, linkname="000000.png"),
        named("000009.png", type=tarfile.DIRTYPE), named("000009.png", type=tarfile.FIFOTYPE),
        named("000009.png"), named("000001.png"), named("000000.png"), named("000009.PNG"), named("0 9.png"),
    ],
    ids=lambda p: f"{p[-1][0].name} {p[-1][0].type!r}",
)  # fmt: skip
def test_unexpected_members_are_refused(parts):
    with pytest.raises(DatasetError):
        [*read_tar(io.BytesIO(tar_of(parts)), "t")]


def test_a_sparse_member_is_refused():
    info = tarfile.TarInfo("000009.png")
    info.pax_headers = {
        "GNU.sparse.major": "0",
        "GNU.sparse.minor": "1",
        "GNU.sparse.map": "0,1",
        "GNU.sparse.size": str(1 << 50),
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info, io.BytesIO())
    with pytest.raises(DatasetError):
        [*read_tar(io.BytesIO(out.getvalue()), "t")]


def test_garbage_after_the_end_is_refused():
    with pytest.raises(DatasetError, match="does not end"):
        [*read_tar(io.BytesIO(tar_of(members()) + b"more"), "t")]


def test_any_flipped_bit_of_a_tar_is_refused_or_reads_as_something_else():
    # No exception but ours, whatever a byte is changed to: hashes are verify's.
    data, rng = tar_of(members()), np.random.default_rng(1)
    for at in rng.integers(0, len(data), 300).tolist():
        changed = bytearray(data)
        changed[at] ^= 1 << int(rng.integers(8))
        try:
            for s in read_tar(io.BytesIO(bytes(changed)), "t"):
                decode_rgba(s.picture)
        except DatasetError as e:
            assert "\n" not in str(e)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"shot": 1}', b'{"shot": {}, "a": NaN}', b"[" * 100_000, b"\xff", b'{"shot": {}'],
    ids=lambda d: d[:12],
)  # fmt: skip
def test_invalid_rows_are_refused(data):
    with pytest.raises(DatasetError):
        read_row(data, "t")
