"""The render id: pictures of two versions never mix in one dataset."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.identity import render_id as module
from vrm_synth.dataset.identity.claim import resumable_identity
from vrm_synth.dataset.identity.dataset_json import FORMAT, identity, identity_bytes, read_identity
from vrm_synth.dataset.identity.render_id import render_difference, render_id, render_parts
from vrm_synth.io.file_names import DATASET_JSON
from vrm_synth.io.store import LocalStore


@pytest.fixture
def current_identity():
    return identity({"count": 3}, {"count": 3}, [])


def test_the_render_id_is_the_same_in_every_process_and_changes_with_each_part():
    program = "from vrm_synth.dataset.identity.render_id import render_id; print(render_id())"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == render_id() and re.fullmatch("[0-9a-f]{16}", render_id())
    assert set(render_parts()) == {"shaders", "poses", "cameras", "wording", "constants"}
    assert len({render_id(render_parts() | {name: "0" * 16}) for name in render_parts()} | {render_id()}) == 6


def test_every_listed_module_has_constants():
    assert all(module._constants(name) for name in module._CONSTANTS)
    names = module._modules()
    assert len(set(names)) == len(names) and {"facts.posture", "appearance.skin_tone", "caption.sizes"} <= set(names)


@pytest.mark.parametrize("part", list(render_parts()))
def test_a_folder_of_another_render_id_is_refused_with_the_part_that_differs(tmp_path, current_identity, part):
    parts = {**render_parts(), part: "0" * 16}
    store = LocalStore(tmp_path)
    store.put_file(
        DATASET_JSON, identity_bytes(current_identity | {"render_id": render_id(parts), "render_parts": parts})
    )
    store.put_file("records/00000.json", b"{}")
    message = f"other pictures than the folder has; got other {part}; allowed: .* or a new folder"
    with pytest.raises(DatasetError, match=message):
        resumable_identity(store, current_identity)


def test_a_dataset_without_a_render_id_is_refused(current_identity):
    assert render_difference(current_identity) == ""
    old = {k: v for k, v in current_identity.items() if not k.startswith("render_")}
    assert render_difference(old) == "no render_id"


@pytest.mark.parametrize("number", [None, 1, FORMAT])
def test_this_format_and_older_ones_are_read(tmp_path, current_identity, number):
    content = {k: v for k, v in current_identity.items() if k != "format"} | (
        {} if number is None else {"format": number}
    )
    (tmp_path / DATASET_JSON).write_text(json.dumps(content))
    assert read_identity(LocalStore(tmp_path)) == content


def test_a_newer_format_is_refused_in_one_line(tmp_path, current_identity):
    (tmp_path / DATASET_JSON).write_text(json.dumps(current_identity | {"format": FORMAT + 1}))
    with pytest.raises(DatasetError, match=rf"newer than this version of vrm-synth; got {FORMAT + 1}; allowed: up to"):
        read_identity(LocalStore(tmp_path))
