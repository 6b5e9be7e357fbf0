"""verify, subset, merge and convert as commands: what they print, where, and with which exit status."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click
import pytest

from tests.cli.command import error, run
from vrm_synth.cli.main import COMMANDS, main
from vrm_synth.dataset.plan import SHARD_SIZE
from vrm_synth.dataset.settings import DatasetSettings


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """A dataset of six small pictures in two shards."""
    folder = tmp_path_factory.mktemp("dataset")
    recipe = "avatars: [demo]\ncount: 6\nsize: 32\nsettle_seconds: null\n"
    (folder / "recipe.yaml").write_text(recipe)
    options = ("--format", "webdataset", "--shard-size", 3, "--workers", 1)
    run("render", folder / "recipe.yaml", "-o", folder / "out", *options)
    return folder / "out"


def test_verify_reports_a_sound_dataset_in_one_line(dataset):
    result = run("verify", dataset, "--workers", 1, "--redraw", 2)
    assert result.stdout.splitlines()[-1] == "6 pictures checked, 2 drawn again: sound"
    facts = json.loads(run("verify", dataset, "--workers", 1, "--redraw", 0, "--no-near", "--json").stdout)
    assert (facts["pictures"], facts["faults"], facts["broken_shards"]) == (6, [], [])


def test_verify_exits_with_1_for_a_fault_and_repairs_it_byte_for_byte(dataset, tmp_path):
    shutil.copytree(dataset, tmp_path / "t")
    tar = tmp_path / "t" / "train" / "00001.tar"
    intact = tar.read_bytes()
    tar.write_bytes(intact[:-3000])
    plain = ("--workers", 1, "--redraw", 0)
    result = run("verify", tmp_path / "t", *plain, code=1)
    assert "train/00001.tar: " in result.stdout and result.stdout.splitlines()[-1].endswith("in 1 shard")
    assert tar.read_bytes() == intact[:-3000]
    assert "1 shard made again" in run("verify", tmp_path / "t", "--repair", *plain).stderr
    assert tar.read_bytes() == intact
    run("verify", tmp_path / "t", *plain)


def test_finish_writes_missing_summaries_and_leaves_a_complete_dataset_unchanged(dataset, tmp_path):
    shutil.copytree(dataset, out := tmp_path / "t")
    contents = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    before = {p: p.stat().st_mtime_ns for p in contents}
    assert "finished: " in run("finish", out).stdout
    run("render", dataset.parent / "recipe.yaml", "-o", out, "--format", "webdataset", "--shard-size", 3)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == before
    for name, data in (("metadata.parquet", None), ("complete.json", b"{"), ("complete.json", b"[]")):
        (out / name).write_bytes(data) if data else (out / name).unlink()
        run("finish", out)
        assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == contents
    (out / "records" / "00001.json").unlink()
    assert "1 shard of" in error("finish", out)


def test_a_folder_without_a_dataset_is_one_line(tmp_path):
    assert "dataset.json" in error("verify", tmp_path)
    assert not list(tmp_path.iterdir())
    assert "no such" in error("verify", tmp_path / "nowhere").lower()
    assert not (tmp_path / "nowhere").exists()


def test_subset_convert_and_merge(dataset, tmp_path):
    assert "3 pictures in" in run("subset", dataset, "-o", tmp_path / "a", "--where", "i < 3").stdout
    run("convert", dataset, "-o", tmp_path / "b", "--format", "parquet", "--encoding", "webp")
    assert "9 pictures in" in run("merge", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "c").stdout
    for name in "abc":
        run("verify", tmp_path / name, "--workers", 1, "--redraw", 1)
    assert "merge" in (tmp_path / "c" / "README.md").read_text()


def test_an_invalid_where_condition_is_one_line_and_writes_nothing(dataset, tmp_path):
    for where in (
        "nonsense(",
        "pose = 'nothing'",
        "1; drop table x",
        "exists(select * from read_text('/etc/hostname'))",
    ):
        error("subset", dataset, "-o", tmp_path / "t", "--where", where)
        assert not (tmp_path / "t" / "dataset.json").exists()


def test_missing_arguments_exit_with_2(dataset, tmp_path):
    run("merge", dataset, "-o", tmp_path / "t", code=2)
    run("convert", dataset, "-o", tmp_path / "t", code=2)
    run("subset", dataset, "-o", tmp_path / "t", code=2)


def test_every_command_that_writes_shards_has_the_librarys_default_size():
    """It is written out in the commands, because importing the plan takes a quarter of a second."""
    assert DatasetSettings().shard_size == SHARD_SIZE
    defaults = {
        name: parameter.default
        for name in COMMANDS
        if (command := main.get_command(click.Context(main), name)) is not None
        for parameter in command.params
        if parameter.name == "shard_size"
    }
    assert defaults == dict.fromkeys(("render", "demo", "subset", "merge", "convert"), SHARD_SIZE)
