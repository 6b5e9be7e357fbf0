"""vrm-synth avatar demo: it writes the built-in avatar as .vrm or .glb, and refuses unknown attributes."""

from __future__ import annotations

import os

from tests.cli.command import error, run
from vrm_synth.vrm import load


def test_avatar_demo_writes_glb_for_an_extension_in_any_case(tmp_path):
    run("avatar", "demo", "-o", tmp_path / "a.GLB")
    assert (tmp_path / "a.GLB").read_bytes()[:4] == b"glTF"


def test_avatar_demo_writes_a_file_that_loads(tmp_path):
    assert (
        run("avatar", "demo", "-o", tmp_path / "a.vrm", "--set", "hair_color=blue").stdout == f"{tmp_path / 'a.vrm'}\n"
    )
    avatar = load(tmp_path / "a.vrm")
    assert avatar.vrm_version == "1" and avatar.meta.license.is_cc0
    assert "hair_color" in run("avatar", "demo", "--list").stdout


def test_avatar_demo_refuses_an_unknown_attribute_value(tmp_path):
    message = error("avatar", "demo", "-o", tmp_path / "a.vrm", "--set", "hair_color=plaid")
    assert "hair_color" in message and "got plaid" in message and "pink" in message
    assert os.listdir(tmp_path) == []
