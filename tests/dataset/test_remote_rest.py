"""Existing datasets on S3: verify, repair, subset, merge, convert, finish."""

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
    options = ("--workers", 1) if command[0] == "verify" and "--workers" not in command else ()
    result = CliRunner().invoke(main, [str(c) for c in (*command, *options)])
    assert result.exception is None or isinstance(result.exception, SystemExit), "not one line"
    return result


@pytest.fixture(scope="module")
def recipe_file(avatars, tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "r.yaml"
    path.write_text(yaml.safe_dump({"avatars": [str(avatars / "free.vrm")], "count": 7, "size": 32}))
    return path


@pytest.fixture(scope="module", params=FORMS)
def rendered(request, s3, recipe_file):
    """A bucket's dataset in each format, and its files."""
    url = f"{s3.bucket()}/a"
    result = render(recipe_file, url, "--format", request.param)
    assert result.exit_code == 0, result.output
    return url, without_metrics(s3.files(url))


@pytest.fixture
def url(rendered, s3):
    """The URL of the dataset, whose files are restored afterwards."""
    url, files = rendered
    yield url
    fs, root = fsspec.core.url_to_fs(url)
    for name in set(s3.files(url)) - set(files):
        fs.rm_file(f"{root}/{name}")
    for name, data in files.items():
        fs.pipe_file(f"{root}/{name}", data)


def overwrite(url, name, data):
    fs, root = fsspec.core.url_to_fs(url)
    fs.pipe_file(f"{root}/{name}", data) if data is not None else fs.rm_file(f"{root}/{name}")


def test_verify_finds_a_sound_remote_dataset_sound_and_redraws_it_if_avatars_exist(
    s3, url, rendered, avatars, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    s3.requests.clear()
    result = call("verify", url)
    assert result.exit_code == 0 and "7 pictures checked: sound" in result.output
    assert "not drawn again: " in result.output and "free.vrm" in result.output
    monkeypatch.chdir(avatars)
    result = call("verify", url, "--workers", 1)
    assert result.exit_code == 0 and "7 pictures checked, 7 drawn again: sound" in result.output
    assert {a.method for a in s3.requests} <= {"GET", "HEAD"} and without_metrics(s3.files(url)) == rendered[1]


def broken(url, files):
    """Faults in the first two of three shards, one of each kind."""
    first = next(name for name in files if name.startswith("train/00000"))
    data = files[first]
    overwrite(url, first, data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :])
    overwrite(url, next(name for name in files if name.startswith("train/00001")), None)
    overwrite(url, "records/00001.json", files["records/00001.json"].replace(b'"train"', b'"test"'))


def test_verify_repairs_broken_shards_and_leaves_the_others(s3, url, rendered, avatars, monkeypatch):
    files = rendered[1]
    monkeypatch.chdir(avatars)
    broken(url, files)
    result = call("verify", url, "--workers", 1)
    assert result.exit_code == 1 and "in 2 shards" in result.output
    s3.requests.clear()
    result = call("verify", url, "--repair", "--workers", 1)
    assert result.exit_code == 0, result.output
    assert without_metrics(s3.files(url)) == files
    touched = {a.key.removeprefix("a/") for a in s3.requests if a.method in ("PUT", "DELETE")}
    assert not {n for n in touched if n.startswith(("train/00002", "records/00002"))}
    assert s3.put()[-1] == f"a/{COMPLETE_JSON}"


def test_repair_without_the_avatars_is_refused_before_anything_is_removed(s3, url, rendered, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    broken(url, rendered[1])
    before = s3.files(url)
    result = call("verify", url, "--repair")
    assert result.exit_code == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ") and "got free.vrm; allowed: a working folder that has it" in last
    assert s3.files(url) == before


@pytest.mark.parametrize("remote", [True, False])
def test_subset_merge_and_convert_read_and_write_remote_datasets(s3, url, rendered, tmp_path, remote):
    top = s3.bucket() if remote else tmp_path
    subset, both, converted = f"{top}/some", f"{top}/both", f"{top}/other"
    result = call("subset", url, "-o", subset, "--where", "i % 2 = 0", "--shard-size", 3)
    assert result.exit_code == 0 and "4 pictures" in result.output
    result = call("merge", url, subset, "-o", both, "--format", "webdataset", "--shard-size", 4)
    assert result.exit_code == 0 and "11 pictures" in result.output
    result = call("convert", both, "-o", converted, "--format", "parquet", "--encoding", "webp", "--shard-size", 5)
    assert result.exit_code == 0 and "11 pictures" in result.output
    for folder, count in ((subset, 4), (both, 11), (converted, 11)):
        result = call("verify", folder, "--redraw", 0, "--no-near", "--workers", 1)
        assert result.exit_code == 0 and f"{count} pictures checked: sound" in result.output, result.output
    assert without_metrics(s3.files(url)) == rendered[1]


def test_a_dataset_converted_to_a_bucket_and_back_is_unchanged(s3, recipe_file, tmp_path):
    original, remote, restored = tmp_path / "here", f"{s3.bucket()}/there", tmp_path / "back"
    assert render(recipe_file, str(original)).exit_code == 0
    assert call("convert", original, "-o", remote, "--format", "webdataset").exit_code == 0
    assert call("convert", remote, "-o", restored, "--format", "imagefolder").exit_code == 0
    assert {p.name: p.read_bytes() for p in restored.glob("train/*/0*.png")} == {
        p.name: p.read_bytes() for p in original.glob("train/*/0*.png")
    }
    assert call("verify", restored).exit_code == 0


def test_the_same_command_completes_a_derived_dataset(s3, url):
    out = f"{s3.bucket()}/out"
    command = ("convert", url, "-o", out, "--format", "webdataset", "--shard-size", 2)
    assert call(*command).exit_code == 0
    files = s3.files(out)
    overwrite(out, "train/00001.tar", b"broken")
    result = call("verify", out, "--repair")
    assert result.exit_code == 1 and "the same vrm-synth convert as before" in result.stderr
    assert "records/00001.json" not in s3.files(out)
    s3.requests.clear()
    assert call(*command).exit_code == 0
    assert s3.files(out) == files
    assert {key for key in s3.put() if key.startswith(("out/train", "out/records"))} == {
        "out/train/00001.tar", "out/records/00001.index.jsonl", "out/records/00001.json",
    }  # fmt: skip


def test_a_missing_or_unreadable_dataset_is_one_line(s3, url):
    empty = f"{s3.bucket()}/none"
    for command in (("verify", empty), ("finish", empty), ("subset", empty, "-o", f"{empty}2", "--where", "true")):
        result = call(*command)
        assert result.exit_code == 1 and len(result.stderr.strip().splitlines()) == 1 and empty in result.stderr


@pytest.mark.parametrize("refused", ["a/records/00001", "a/train/00001", "a/complete", "a/metadata"])
def test_a_refusing_store_is_an_error_and_repair_removes_nothing(s3, url, rendered, refused):
    s3.fault = lambda method, key: 403 if key.startswith(refused) else 0
    result = call("verify", url, "--repair", "--redraw", 0, "--workers", 1)
    s3.fault = lambda method, key: 0
    last = result.stderr.strip().splitlines()[-1]
    assert result.exit_code == 1 and last.startswith(f"Error: {url}") and "cannot be " in last
    assert without_metrics(s3.files(url)) == rendered[1]
