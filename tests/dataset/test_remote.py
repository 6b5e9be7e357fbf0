"""Datasets on S3: one PUT per object, records last, and every failure can be resumed."""

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


def render(recipe_file, url, *options):
    command = ["render", str(recipe_file), "-o", url, "--shard-size", str(SHARD), "--workers", "1", *options]
    return CliRunner().invoke(main, command)


def without_metrics(files):
    return {name: data for name, data in files.items() if name != METRICS_JSON}


@pytest.fixture(scope="module")
def expected(s3, recipe_file):
    """The files of the dataset, rendered without failures."""
    url = f"{s3.bucket()}/a"
    result = render(recipe_file, url)
    assert result.exit_code == 0, result.output
    return without_metrics(s3.files(url))


@pytest.mark.parametrize("shard_format", ["imagefolder", "webdataset", "parquet"])
def test_every_object_is_put_once_and_a_record_after_its_shard(s3, recipe_file, shard_format):
    url = f"{s3.bucket()}/sets/a"
    result = render(recipe_file, url, "--format", shard_format)
    assert result.exit_code == 0, result.output
    put_keys = [key.removeprefix("sets/a/") for key in s3.put()]
    assert {a.method for a in s3.requests} <= {"PUT", "GET", "HEAD"}, "no parts, no copies, nothing removed"
    assert len(put_keys) == len(set(put_keys)) and set(put_keys) == set(s3.files(url))
    assert put_keys[0] == DATASET_JSON and put_keys[-1] == COMPLETE_JSON
    records = list(read_records(open_store(url)))
    assert [len(r.keys) for r in records] == [3, 3, 1]
    for record in records:
        (name,) = (key for key in put_keys if key == f"records/{record.shard:05d}.json")
        assert all(put_keys.index(f.name) < put_keys.index(name) for f in record.files)


@pytest.mark.parametrize(
    ("broken", "finished"),
    [("train/00001/000004.png", 1), ("records/00001.json", 1), ("train/00002", 2), (COMPLETE_JSON, 3)],
)
def test_a_failed_put_is_one_line_and_the_same_command_resumes(s3, recipe_file, expected, broken, finished):
    url = f"{s3.bucket()}/a"
    s3.fault = lambda method, key: 403 if method == "PUT" and key.startswith(f"a/{broken}") else 0
    result = render(recipe_file, url)
    s3.fault = lambda method, key: 0
    last = result.stderr.strip().splitlines()[-1]
    assert result.exit_code == 1 and "Traceback" not in result.output
    assert last.startswith(f"Error: {url}/{broken}") and "cannot be written: " in last
    objects = s3.files(url)
    assert COMPLETE_JSON not in objects and all(
        expected[name] == data for name, data in without_metrics(objects).items()
    )
    records = list(read_records(open_store(url)))
    assert len(records) == finished
    complete_keys = {f"a/{f.name}" for r in records for f in r.files} | {
        f"a/records/{r.shard:05d}.json" for r in records
    }
    s3.requests.clear()
    resumed = render(recipe_file, url)
    assert resumed.exit_code == 0, resumed.output
    assert without_metrics(s3.files(url)) == expected
    assert not complete_keys & set(s3.put()), "finished shards are not touched"


def test_a_slow_down_answer_is_retried(s3, recipe_file, expected):
    url, refused = f"{s3.bucket()}/a", []

    def sometimes(method, key):
        if method == "PUT" and key.endswith(".png") and key not in refused:
            refused.append(key)
            return 503
        return 0

    s3.fault = sometimes
    result = render(recipe_file, url)
    s3.fault = lambda method, key: 0
    assert result.exit_code == 0, result.output
    assert len(refused) == COUNT + 1  # the contact sheet
    assert without_metrics(s3.files(url)) == expected


def test_a_missing_bucket_is_one_line(s3, recipe_file):
    result = render(recipe_file, "s3://there-is-no-such-bucket/a")
    assert result.exit_code == 1 and "s3://there-is-no-such-bucket/a" in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.output


def test_another_recipe_is_refused_in_a_bucket(s3, recipe_file):
    url = f"{s3.bucket()}/a"
    assert render(recipe_file, url).exit_code == 0
    result = render(recipe_file, url, "--format", "parquet")
    assert result.exit_code == 1 and "differs in format" in result.stderr


def test_a_dataset_in_a_bucket_grows(s3, recipe_file):
    """Finished shards are not put again, and the result equals a dataset rendered at once."""
    url, once = f"{s3.bucket()}/a", f"{s3.bucket()}/a"
    assert render(recipe_file, url).exit_code == 0
    larger_recipe = recipe_file.with_name("more.yaml")
    larger_recipe.write_text(yaml.safe_dump(yaml.safe_load(recipe_file.read_text()) | {"count": COUNT + 4}))
    s3.requests.clear()
    assert render(larger_recipe, url).exit_code == 0
    put_keys = s3.put()
    assert not [k for k in put_keys if k.startswith(("a/train/00000", "a/train/00001", "a/records/00001"))]
    assert render(larger_recipe, once).exit_code == 0
    assert without_metrics(s3.files(url)) == without_metrics(s3.files(once))
