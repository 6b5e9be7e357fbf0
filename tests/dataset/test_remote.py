"""Datasets on S3: one PUT an object, records last, and whatever fails there can be gone on from."""

from __future__ import annotations

import pytest
import yaml
from click.testing import CliRunner

from tests.io.s3 import serving
from vrm_synth.cli.main import main
from vrm_synth.dataset.shards.record import read_records
from vrm_synth.io.file_names import COMPLETE_JSON, DATASET_JSON, METRICS_JSON
from vrm_synth.io.open_store import open_store

COUNT, SHARD = 7, 3


@pytest.fixture(scope="module")
def s3():
    with serving() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture(scope="module")
def recipe_file(avatars, tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "r.yaml"
    path.write_text(yaml.safe_dump({"avatars": [str(avatars / "free.vrm")], "count": COUNT, "size": 32}))
    return path


def render(recipe_file, url, *more):
    command = ["render", str(recipe_file), "-o", url, "--shard-size", str(SHARD), "--workers", "1", *more]
    return CliRunner().invoke(main, command)


def without_metrics(files):
    return {name: data for name, data in files.items() if name != METRICS_JSON}


@pytest.fixture(scope="module")
def whole(s3, recipe_file):
    """The files of the dataset, made without trouble."""
    url = f"{s3.bucket()}/a"
    done = render(recipe_file, url)
    assert done.exit_code == 0, done.output
    return without_metrics(s3.files(url))


@pytest.mark.parametrize("shard_format", ["imagefolder", "webdataset", "parquet"])
def test_every_object_is_put_once_and_a_record_after_its_shard(s3, recipe_file, shard_format):
    url = f"{s3.bucket()}/sets/a"
    done = render(recipe_file, url, "--format", shard_format)
    assert done.exit_code == 0, done.output
    put = [key.removeprefix("sets/a/") for key in s3.put()]
    assert {a.method for a in s3.asked} <= {"PUT", "GET", "HEAD"}, "no parts, no copies, nothing removed"
    assert len(put) == len(set(put)) and set(put) == set(s3.files(url))
    assert put[0] == DATASET_JSON and put[-1] == COMPLETE_JSON
    records = list(read_records(open_store(url)))
    assert [len(r.keys) for r in records] == [3, 3, 1]
    for record in records:
        (name,) = (key for key in put if key == f"records/{record.shard:05d}.json")
        assert all(put.index(f.name) < put.index(name) for f in record.files)


@pytest.mark.parametrize(
    ("broken", "finished"),
    [("train/00001/000004.png", 1), ("records/00001.json", 1), ("train/00002", 2), (COMPLETE_JSON, 3)],
)
def test_an_error_in_the_middle_is_one_line_and_the_same_command_goes_on(s3, recipe_file, whole, broken, finished):
    url = f"{s3.bucket()}/a"
    s3.fault = lambda method, key: 403 if method == "PUT" and key.startswith(f"a/{broken}") else 0
    done = render(recipe_file, url)
    s3.fault = lambda method, key: 0
    last = done.stderr.strip().splitlines()[-1]
    assert done.exit_code == 1 and "Traceback" not in done.output
    assert last.startswith(f"Error: {url}/{broken}") and "cannot be written: " in last
    there = s3.files(url)
    assert COMPLETE_JSON not in there and all(whole[name] == data for name, data in without_metrics(there).items())
    records = list(read_records(open_store(url)))
    assert len(records) == finished
    kept = {f"a/{f.name}" for r in records for f in r.files} | {f"a/records/{r.shard:05d}.json" for r in records}
    s3.asked.clear()
    again = render(recipe_file, url)
    assert again.exit_code == 0, again.output
    assert without_metrics(s3.files(url)) == whole
    assert not kept & set(s3.put()), "finished shards are not touched"


def test_a_store_that_says_slow_down_is_waited_for(s3, recipe_file, whole):
    url, refused = f"{s3.bucket()}/a", []

    def sometimes(method, key):
        if method == "PUT" and key.endswith(".png") and key not in refused:
            refused.append(key)
            return 503
        return 0

    s3.fault = sometimes
    done = render(recipe_file, url)
    s3.fault = lambda method, key: 0
    assert done.exit_code == 0, done.output
    assert len(refused) == COUNT + 1  # the contact sheet
    assert without_metrics(s3.files(url)) == whole


def test_a_bucket_that_is_not_there_is_one_line(s3, recipe_file):
    done = render(recipe_file, "s3://there-is-no-such-bucket/a")
    assert done.exit_code == 1 and "s3://there-is-no-such-bucket/a" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.output


def test_another_recipe_is_refused_there_too(s3, recipe_file):
    url = f"{s3.bucket()}/a"
    assert render(recipe_file, url).exit_code == 0
    done = render(recipe_file, url, "--format", "parquet")
    assert done.exit_code == 1 and "differs in format" in done.stderr


def test_it_grows_there(s3, recipe_file):
    """Nothing that is whole is put again, and what is there at the end is what is made at once."""
    url, once = f"{s3.bucket()}/a", f"{s3.bucket()}/a"
    assert render(recipe_file, url).exit_code == 0
    more = recipe_file.with_name("more.yaml")
    more.write_text(yaml.safe_dump(yaml.safe_load(recipe_file.read_text()) | {"count": COUNT + 4}))
    s3.asked.clear()
    assert render(more, url).exit_code == 0
    put = s3.put()
    assert not [k for k in put if k.startswith(("a/train/00000", "a/train/00001", "a/records/00001"))]
    assert render(more, once).exit_code == 0
    assert without_metrics(s3.files(url)) == without_metrics(s3.files(once))
