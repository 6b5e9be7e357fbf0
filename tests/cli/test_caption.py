"""`vrm-synth caption`: what it writes, prints and refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.command import error, run
from vrm_synth.caption.settings import STYLES, is_column
from vrm_synth.cli.caption import COLUMN_OF_STYLE
from vrm_synth.dataset.caption_columns import dataset_captions
from vrm_synth.dataset.dataset_handle import open_dataset
from vrm_synth.dataset.identity.dataset_json import read_identity


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """A dataset of six small pictures in two shards."""
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "recipe.yaml").write_text("avatars: [demo]\ncount: 6\nsize: 64\nsettle_seconds: null\n")
    run("render", folder / "recipe.yaml", "-o", folder / "out", "--shard-size", 3, "--workers", 1)
    return folder / "out"


@pytest.fixture
def copy(dataset, tmp_path) -> Path:
    shutil.copytree(dataset, tmp_path / "set")
    return tmp_path / "set"


def test_the_styles_of_the_command_are_those_of_captions():
    assert set(COLUMN_OF_STYLE) == set(STYLES)
    assert all(is_column(name) for name in COLUMN_OF_STYLE.values() if name)


def test_a_column_is_written_verified_and_asked_for(copy):
    result = run("caption", copy, "--style", "tags", "--trigger", "ohwx", "--workers", 1)
    first, second = result.stdout.splitlines()
    assert first.endswith("the column tags") and second.startswith("000000: ohwx, 1girl, solo")
    assert "2/2" in result.stderr and "shards/s" in result.stderr
    assert "sound" in run("verify", copy, "--workers", 1, "--redraw", 1).stdout
    out = run("subset", copy, "-o", copy.parent / "part", "--where", "tags like 'ohwx, 1girl%'").stdout
    assert out.startswith("6 pictures")
    again = run("caption", copy, "--style", "tags", "--trigger", "ohwx", "--workers", 1)
    assert again.stdout == result.stdout and "shards" not in again.stderr


def test_every_setting_reaches_the_dataset(copy):
    options = ("--style", "en=3", "--style", "en_short", "--prefix", "3D render.", "--suffix", ", clean", "--drop",
               "hair=0.5", "--drop", "view=1", "--max-tokens", "none", "--column", "caption_2")  # fmt: skip
    run("caption", copy, *options, "--workers", 1)
    from vrm_synth.io.store import LocalStore

    known = dataset_captions(read_identity(LocalStore(copy))).by_prefix[""]["caption_2"]
    assert known == {
        "style": {"en": 3.0, "en_short": 1.0}, "trigger": "", "prefix": "3D render.", "suffix": ", clean",
        "drop": {"hair": 0.5, "view": 1.0}, "max_tokens": None,
    }  # fmt: skip
    assert all(s.row["caption_2"].endswith(", clean") for s in open_dataset(copy))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--style", "tag"], 2, "no such style (did you mean tags?)"),
        (["--style", "en"], 2, "--column NAME is needed"),
        (["--style", "ja", "--style", "tags"], 2, "--column NAME is needed"),
        (["--style", "tags", "--column", "words"], 1, "not a column for captions"),
        (["--style", "tags", "--drop", "hair"], 2, "a name, = and a number"),
        (["--style", "tags", "--drop", "hare=0.1"], 1, "did you mean hair"),
        (["--style", "tags", "--max-tokens", "few"], 2, "a whole number, or none"),
        (["--style", "ja", "--column", "caption"], 1, "has a column caption by other settings"),
    ],
)
def test_what_is_wrong_is_one_line(dataset, arguments, code, message):
    assert message in error("caption", dataset, *arguments, code=code)


def test_another_kind_of_argument_is_told_its_command(tmp_path):
    assert "demo is an avatar" in error("caption", "demo", "--style", "tags", code=2)
    (tmp_path / "x").mkdir()
    assert "x is a folder" in error("caption", tmp_path / "x", "--style", "tags", code=2)
