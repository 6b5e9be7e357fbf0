"""Broken files are refused: each with one line of its own, in little work and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.gltf.broken_files import cases
from tests.gltf.large_files import write_all
from tests.patience import HANG
from tests.vrm.vrm_file import glb, vrm0, vrm1
from vrm_synth.gltf.limits import Limits
from vrm_synth.vrm import AvatarError, load, load_bytes

CASES = cases()
CALLS, MEGABYTES = 4_000_000, 300.0


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Load every broken file: name → the result of measured_load."""
    folder = tmp_path_factory.mktemp("broken")
    paths = {}
    for i, (name, data, _) in enumerate(CASES):
        paths[str(folder / f"{i}.vrm")] = name
        (folder / f"{i}.vrm").write_bytes(data)
    return {paths[answer["path"]]: answer for answer in measured(paths)}


def measured(paths: Iterable[str]) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.gltf.measured_load", *paths]
    root = Path(__file__).resolve().parents[2]
    process = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=HANG)
    assert process.returncode == 0, process.stderr
    return [json.loads(line) for line in process.stdout.splitlines()]


def test_the_corpus_is_large_and_its_files_differ() -> None:
    assert len(CASES) >= 200
    assert len({name for name, _, _ in CASES}) == len({data for _, data, _ in CASES}) == len(CASES)


def test_the_files_that_the_corpus_breaks_are_valid() -> None:
    for make in (vrm0, vrm1):
        doc, data = make()
        assert load_bytes(glb(doc, bytes(data)), "valid.vrm").oddities == ()


@pytest.mark.parametrize(("name", "words"), [(name, words) for name, _, words in CASES])
def test_every_broken_file_is_refused_with_its_message(
    name: str, words: str, results: dict[str, dict[str, Any]]
) -> None:
    check(results[name], words)


def test_large_and_late_breaks_are_refused_as_cheaply(tmp_path: Path) -> None:
    files = {str(path): words for path, words in write_all(tmp_path).values()}
    answers = measured(files)
    assert len(answers) == len(files) >= 12
    for answer in answers:
        check(answer, files[answer["path"]])


def check(answer: dict[str, Any], words: str) -> None:
    error = answer["error"]
    assert error.startswith(f"{answer['path']}: "), error
    assert words in error, error
    assert "\n" not in error and error.isprintable() and len(error) < 1000
    assert answer["calls"] < CALLS, answer
    assert answer["megabytes"] < MEGABYTES, answer


def test_a_missing_file_a_folder_and_a_device_are_named(tmp_path: Path) -> None:
    with pytest.raises(AvatarError, match=r"nowhere\.vrm: cannot read the file: No such file"):
        load(tmp_path / "nowhere.vrm")
    with pytest.raises(AvatarError, match="not a file; got a folder or a device"):
        load(tmp_path)
    with pytest.raises(AvatarError, match="not a file; got a folder or a device"):
        load("/dev/zero")
    with pytest.raises(AvatarError, match="cannot read the file"):
        load("a\0b.vrm")


def test_limits_are_configurable(tmp_path: Path) -> None:
    doc, data = vrm1()
    path = tmp_path / "valid.vrm"
    path.write_bytes(glb(doc, bytes(data)))
    assert load(path, Limits()).triangle_count == 2
    for limits, words in (
        (Limits(file_bytes=100), "file is too large"),
        (Limits(json_bytes=100), "JSON is too large"),
        (Limits(json_depth=3), "nested too deeply"),
        (Limits(items=5), "too many entries"),
        (Limits(vertices=3), "too many vertices"),
        (Limits(indices=3), "too many indices"),
        (Limits(numbers=-len(data)), "too many vertex and matrix numbers"),
        (Limits(image_side=3), "picture is too large"),
        (Limits(image_pixels=15), "too many pixels together"),
        (Limits(references=0), "too many joints, binds or colliders"),
        (Limits(morph_targets=1), "too many entries"),
        (Limits(node_depth=2), "nested too deeply; got nodes"),
        (Limits(constraints=0), "too many node constraints"),
        (Limits(spring_joints=0), "too many spring joints; got 1"),
        (Limits(spring_hits=0), "too many spring joints times colliders; got 1"),
    ):
        with pytest.raises(AvatarError, match=words):
            load(path, limits)


def test_names_in_messages_are_printable() -> None:
    doc, data = vrm1()
    doc["nodes"][0]["name"] = "\x1b[31mred\nline\ud800"
    doc["nodes"][0]["children"] = [0]
    with pytest.raises(AvatarError) as caught:
        load_bytes(glb(doc, bytes(data)), "x.vrm")
    assert str(caught.value).isprintable()
    del doc["nodes"][0]["children"]
    doc, data = vrm1()
    doc["nodes"][0]["name"] = "half a character: \ud800"
    load_bytes(glb(doc, bytes(data)), "x.vrm").nodes[0].name.encode("utf-8")
