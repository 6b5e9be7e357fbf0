"""What is done with datasets that are there, on S3: verify, repair, subset, merge, convert, finish."""

from __future__ import annotations

import fsspec
import pytest
import yaml
from click.testing import CliRunner

from tests.dataset.test_remote import render, s3, without_metrics
from vrm_synth.cli.main import main
from vrm_synth.io.file_names import COMPLETE_JSON

__all__ = ["s3"]
FORMS = ("imagefolder", "webdataset")  # Parquet is converted to, below


def call(*command):
    # One process: workers come from a server that was started with an earlier test's endpoint.
    more = ("--workers", 1) if command[0] == "verify" and "--workers" not in command else ()
    done = CliRunner().invoke(main, [str(c) for c in (*command, *more)])
    assert done.exception is None or isinstance(done.exception, SystemExit), "not one line"
    return done


@pytest.fixture(scope="module")
def recipe_file(avatars, tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "r.yaml"
    path.write_text(yaml.safe_dump({"avatars": [str(avatars / "free.vrm")], "count": 7, "size": 32}))
    return path


@pytest.fixture(scope="module", params=FORMS)
def made(request, s3, recipe_file):
    """A bucket's dataset in each format, and its files."""
    url = f"{s3.bucket()}/a"
    done = render(recipe_file, url, "--format", request.param)
    assert done.exit_code == 0, done.output
    return url, without_metrics(s3.files(url))


@pytest.fixture
def url(made, s3):
    """The dataset, put right again afterwards."""
    url, files = made
    yield url
    fs, root = fsspec.core.url_to_fs(url)
    for name in set(s3.files(url)) - set(files):
        fs.rm_file(f"{root}/{name}")
    for name, data in files.items():
        fs.pipe_file(f"{root}/{name}", data)


def put(url, name, data):
    fs, root = fsspec.core.url_to_fs(url)
    fs.pipe_file(f"{root}/{name}", data) if data is not None else fs.rm_file(f"{root}/{name}")


def test_a_sound_dataset_is_found_sound_and_its_shots_drawn_again_where_the_avatars_are(
    s3, url, made, avatars, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    s3.asked.clear()
    done = call("verify", url)
    assert done.exit_code == 0 and "7 pictures checked: sound" in done.output
    assert "not drawn again: " in done.output and "free.vrm" in done.output
    monkeypatch.chdir(avatars)
    done = call("verify", url, "--workers", 1)
    assert done.exit_code == 0 and "7 pictures checked, 7 drawn again: sound" in done.output
    assert {a.method for a in s3.asked} <= {"GET", "HEAD"} and without_metrics(s3.files(url)) == made[1]


def broken(url, files):
    """Faults in the first two of three shards, one of each kind."""
    first = next(name for name in files if name.startswith("train/00000"))
    data = files[first]
    put(url, first, data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :])
    put(url, next(name for name in files if name.startswith("train/00001")), None)
    put(url, "records/00001.json", files["records/00001.json"].replace(b'"train"', b'"test"'))


def test_what_is_broken_is_found_and_made_again_and_nothing_else_touched(s3, url, made, avatars, monkeypatch):
    files = made[1]
    monkeypatch.chdir(avatars)
    broken(url, files)
    done = call("verify", url, "--workers", 1)
    assert done.exit_code == 1 and "in 2 shards" in done.output
    s3.asked.clear()
    done = call("verify", url, "--repair", "--workers", 1)
    assert done.exit_code == 0, done.output
    assert without_metrics(s3.files(url)) == files
    touched = {a.key.removeprefix("a/") for a in s3.asked if a.method in ("PUT", "DELETE")}
    assert not {n for n in touched if n.startswith(("train/00002", "records/00002"))}
    assert s3.put()[-1] == f"a/{COMPLETE_JSON}"


def test_repair_where_the_avatars_are_not_is_refused_before_anything_is_removed(s3, url, made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    broken(url, made[1])
    before = s3.files(url)
    done = call("verify", url, "--repair")
    assert done.exit_code == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ") and "got free.vrm; allowed: a working folder that has it" in last
    assert s3.files(url) == before


@pytest.mark.parametrize("there", [True, False])
def test_subsets_merges_and_conversions_from_and_to_it(s3, url, made, tmp_path, there):
    top = s3.bucket() if there else tmp_path
    some, both, other = f"{top}/some", f"{top}/both", f"{top}/other"
    done = call("subset", url, "-o", some, "--where", "i % 2 = 0", "--shard-size", 3)
    assert done.exit_code == 0 and "4 pictures" in done.output
    done = call("merge", url, some, "-o", both, "--format", "webdataset", "--shard-size", 4)
    assert done.exit_code == 0 and "11 pictures" in done.output
    done = call("convert", both, "-o", other, "--format", "parquet", "--encoding", "webp", "--shard-size", 5)
    assert done.exit_code == 0 and "11 pictures" in done.output
    for place, count in ((some, 4), (both, 11), (other, 11)):
        done = call("verify", place, "--redraw", 0, "--no-near", "--workers", 1)
        assert done.exit_code == 0 and f"{count} pictures checked: sound" in done.output, done.output
    assert without_metrics(s3.files(url)) == made[1]


def test_a_local_dataset_goes_to_it_and_comes_back(s3, recipe_file, tmp_path):
    here, there, back = tmp_path / "here", f"{s3.bucket()}/there", tmp_path / "back"
    assert render(recipe_file, str(here)).exit_code == 0
    assert call("convert", here, "-o", there, "--format", "webdataset").exit_code == 0
    assert call("convert", there, "-o", back, "--format", "imagefolder").exit_code == 0
    assert {p.name: p.read_bytes() for p in back.glob("train/*/0*.png")} == {
        p.name: p.read_bytes() for p in here.glob("train/*/0*.png")
    }
    assert call("verify", back).exit_code == 0


def test_the_same_command_again_makes_what_is_missing_of_a_derived_dataset(s3, url):
    out = f"{s3.bucket()}/out"
    command = ("convert", url, "-o", out, "--format", "webdataset", "--shard-size", 2)
    assert call(*command).exit_code == 0
    files = s3.files(out)
    put(out, "train/00001.tar", b"broken")
    done = call("verify", out, "--repair")
    assert done.exit_code == 1 and "the same vrm-synth convert as before" in done.stderr
    assert "records/00001.json" not in s3.files(out)
    s3.asked.clear()
    assert call(*command).exit_code == 0
    assert s3.files(out) == files
    assert {key for key in s3.put() if key.startswith(("out/train", "out/records"))} == {
        "out/train/00001.tar", "out/records/00001.index.jsonl", "out/records/00001.json",
    }  # fmt: skip


def test_what_is_no_dataset_or_cannot_be_read_is_one_line(s3, url):
    empty = f"{s3.bucket()}/none"
    for command in (("verify", empty), ("finish", empty), ("subset", empty, "-o", f"{empty}2", "--where", "true")):
        done = call(*command)
        assert done.exit_code == 1 and len(done.stderr.strip().splitlines()) == 1 and empty in done.stderr


@pytest.mark.parametrize("refused", ["a/records/00001", "a/train/00001", "a/complete", "a/metadata"])
def test_a_store_that_refuses_is_no_fault_of_a_shard_and_nothing_is_removed(s3, url, made, refused):
    s3.fault = lambda method, key: 403 if key.startswith(refused) else 0
    done = call("verify", url, "--repair", "--redraw", 0, "--workers", 1)
    s3.fault = lambda method, key: 0
    last = done.stderr.strip().splitlines()[-1]
    assert done.exit_code == 1 and last.startswith(f"Error: {url}") and "cannot be " in last
    assert without_metrics(s3.files(url)) == made[1]
