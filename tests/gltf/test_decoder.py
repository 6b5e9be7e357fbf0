"""The decoder process: libraries that are missing or fail, its end, and corrupt data."""

from __future__ import annotations

import importlib.util
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.gltf.codec_files import BASIS, cases, draco, no_basis, small
from tests.gltf.compress import File, meshopt_compressed
from tests.gltf.ktx2_pictures import PICTURES, pixels
from tests.vrm.vrm_file import replaced_image
from vrm_synth.gltf.codecs.decoder import Decoder
from vrm_synth.gltf.limits import DEFAULT_LIMITS
from vrm_synth.vrm import AvatarError, avatar_loader, load_bytes

# ---------------------------------------------------------------- libraries that are missing, or fail


@pytest.mark.parametrize("library", ["meshopt", "DracoPy", "opengl_basisu"])
def test_a_missing_library_is_named(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compressed = cases()[library]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    message = rf"x.vrm: .* needs the library {library}: install it with pip install 'vrm-synth\[codecs\]'"
    with pytest.raises(AvatarError, match=message):
        load_bytes(compressed, "x.vrm")


FAKES = {
    "dies": ("import os\nos.abort()", r"makes its decoder \(meshopt\) fail"),
    "is killed": ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "fail"),
    "leaves": ("import os\nos._exit(0)", "fail"),
    "wants memory": ("def decode_gltf_buffer(*a): return bytearray(2**32)", "compressed data is damaged: MemoryError"),
    "is missing after all": (
        "raise ImportError('libthing.so')",
        "compressed data is damaged: ImportError: libthing.so",
    ),
    "gives more": (
        "import numpy\ndef decode_gltf_buffer(*a): return numpy.zeros(100_000, numpy.uint8)",
        "compressed data holds more than announced; got 100000 bytes",
    ),
    "gives less": (
        "import numpy\ndef decode_gltf_buffer(*a): return numpy.zeros(1, numpy.uint8)",
        "compressed data is not as long as announced",
    ),
}


@pytest.mark.parametrize("name", FAKES)
def test_a_failing_library_is_one_error(name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a decoder does ends its own process, and becomes one line."""
    code, message = FAKES[name]
    compressed = meshopt_compressed(small())
    (tmp_path / "meshopt.py").write_text(code, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(AvatarError, match=message):
        load_bytes(compressed, "x.vrm")


@pytest.mark.slow
def test_a_library_that_never_returns_is_stopped(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    compressed = meshopt_compressed(small())
    (tmp_path / "meshopt.py").write_text("while True: pass", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(AvatarError, match="fail"):
        load_bytes(compressed, "x.vrm")


def test_output_of_a_library_does_not_corrupt_responses(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library writes to stdout, which the decoder process does not use for responses."""
    compressed = meshopt_compressed(small())
    code = "import numpy, os\ndef decode_gltf_buffer(data, count, stride, *a):\n    os.write(1, b'hello')\n"
    code += "    return numpy.zeros(count * stride, numpy.uint8)\n"
    (tmp_path / "meshopt.py").write_text(code, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert not load_bytes(compressed, "x.vrm").meshes[0].primitives[0].positions.any()


@no_basis
def test_a_refused_result_is_not_returned_for_the_next_request() -> None:
    job, picture = {"width": 16, "height": 8}, memoryview(PICTURES["UASTC"])
    with Decoder(DEFAULT_LIMITS) as decoder:
        with pytest.raises(AvatarError, match="more than announced; got 512 bytes; allowed: 500"):
            decoder.decode("basis", job, picture, 500, "x")
        np.testing.assert_array_equal(decoder.decode("basis", job, picture, 512, "x")["pixels"], pixels(True))


def test_a_file_without_compression_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.Popen", None)
    load_bytes(small(), "x.vrm")


@no_basis
def test_the_process_ends_with_the_load() -> None:
    with Decoder(DEFAULT_LIMITS) as decoder:
        image = PICTURES["UASTC"]
        job = {"width": 16, "height": 8}
        decoder.decode("basis", job, memoryview(image), 16 * 8 * 4, "x")
        process = decoder._process
        assert process is not None and process.poll() is None
    assert process.poll() is not None


# ---------------------------------------------------------------- corrupt data


def payload(compressed: bytes, library: str) -> list[tuple[int, int]]:
    """Return (offset in the file, length) of the compressed bytes of a file."""
    file = File(compressed)
    (base,) = struct.unpack_from("<I", compressed, 12)
    views = file.doc["bufferViews"]
    if library == "meshopt":
        spans = [v["extensions"]["EXT_meshopt_compression"] for v in views if "extensions" in v]
    elif library == "DracoPy":
        spans = [views[draco(file.doc)["bufferView"]]]
    else:
        spans = [views[file.doc["images"][0]["bufferView"]]]
    return [(28 + base + s["byteOffset"], s["byteLength"]) for s in spans]


class RecordingDecoder(Decoder):
    """A decoder whose process serves one file after the other; one that has died is started again."""

    def __exit__(self, *_: object) -> None:
        pass


def fuzz(library: str, rounds: int, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flip bytes of the compressed data: the file loads or is refused in one line, and no library dies of it.

    The libraries run in processes of their own, so that a crash shows as an error of its own.
    """
    rng = np.random.default_rng(seed)
    compressed = cases()[library]
    pictures = [replaced_image(p, "image/ktx2") for p in PICTURES.values()]
    wholes = pictures if library == "opengl_basisu" else [compressed]
    recording = RecordingDecoder(replace(DEFAULT_LIMITS, decoded_bytes=2**50))
    monkeypatch.setattr(avatar_loader, "Decoder", lambda limits: recording)
    refused = 0
    for k in range(rounds):
        changed = bytearray(wholes[k % len(wholes)])
        spans = payload(bytes(changed), library)
        for _ in range(rng.integers(1, 5)):
            offset, length = spans[rng.integers(len(spans))]
            changed[offset + rng.integers(length)] = rng.integers(256)
        try:
            load_bytes(bytes(changed), "x.vrm")
        except AvatarError as e:
            refused += 1
            assert "fail" not in e.what and "\n" not in str(e), (k, str(e))
    recording.close()
    assert 0 < refused < rounds


@pytest.mark.parametrize("library", ["meshopt", "DracoPy", BASIS])
def test_corrupted_data_is_decoded_or_refused(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fuzz(library, 300, 11, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("library", ["meshopt", "DracoPy", BASIS])
def test_corrupted_data_is_decoded_or_refused_long(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fuzz(library, 10_000, 12, monkeypatch)
