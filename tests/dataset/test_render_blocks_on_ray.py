"""Datasets rendered with Ray: the same bytes as with a process pool, also if actors die."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from tests.patience import HANG
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.cli.main import main
from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.render_blocks import RecipeDataset
from vrm_synth.dataset.render_blocks_on_ray import MAX_BLOCK_TRIES, BlockTask, render_blocks_on_ray
from vrm_synth.dataset.render_task import RenderResult, RenderTask
from vrm_synth.dataset.settings import DatasetSettings
from vrm_synth.dataset.shards.record import read_records
from vrm_synth.execution import crash_policy
from vrm_synth.execution.process_pool import run_task
from vrm_synth.execution.ray_cluster import Cluster, connected
from vrm_synth.io.file_names import METRICS_JSON, PROBE_PREFIX
from vrm_synth.io.store import LocalStore
from vrm_synth.shot import load_recipe

ROOT = Path(__file__).resolve().parents[2]
COUNT, SHARD = 10, 3
MODULE = "vrm_synth.dataset.render_blocks_on_ray"


@pytest.fixture(scope="module")
def recipe_file(avatars, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "r.yaml"
    settings = {"avatars": [str(avatars / "free.vrm")], "count": COUNT, "size": 32, "settle_seconds": 0.0}
    path.write_text(yaml.safe_dump(settings | {"splits": {"test": 0.3}}))
    return path


@pytest.fixture(scope="module")
def local_ray():
    """Ray on this machine, once for all tests of this file."""
    with connected(Cluster(), 2):
        yield


@pytest.fixture(scope="module")
def claimed(recipe_file, tmp_path_factory) -> Callable[[], RecipeDataset]:
    """A new, empty dataset. The folders' names are equally long and equally deep: paths in metadata are relative."""
    top = tmp_path_factory.mktemp("sets")
    numbers = iter(range(10, 100))
    recipe = load_recipe(recipe_file)
    return lambda: RecipeDataset(
        recipe, LocalStore(top / str(next(numbers))), open_avatar, DatasetSettings(shard_size=SHARD)
    )


@pytest.fixture(scope="module")
def expected(claimed) -> dict[str, bytes]:
    """The files of the dataset as one process renders it."""
    dataset = claimed()
    dataset.render_blocks(dataset.missing(), functools.partial(run_task, workers=1))
    assert dataset.finish()
    return files(dataset)


def files(dataset: RecipeDataset) -> dict[str, bytes]:
    return {name: dataset.store.read(name) for name in dataset.store.list() if name != METRICS_JSON}


@dataclass(frozen=True)
class Deadly(RenderTask):
    """A task with one shot that kills its process: always, or only once if `mark` names a file to create."""

    deadly: int = -1
    mark: Path | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[int], Iterator[RenderResult]]]:
        with super().open() as draw:

            def do(i: int) -> Iterator[RenderResult]:
                if i == self.deadly and not (self.mark and self.mark.exists()):
                    if self.mark:
                        self.mark.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
                return draw(i)

            yield do


@dataclass(frozen=True)
class Poisonous(RenderTask):
    """A task in which every shot from the fifth on kills its process."""

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[int], Iterator[RenderResult]]]:
        with super().open() as draw:

            def do(i: int) -> Iterator[RenderResult]:
                if i >= 4:
                    os.kill(os.getpid(), signal.SIGKILL)
                return draw(i)

            yield do


def harm(dataset: RecipeDataset, **overrides: object) -> None:
    task_fields = {f.name: getattr(dataset.task, f.name) for f in fields(dataset.task)}
    dataset.task = Deadly(**task_fields, **overrides)


def test_two_actors_make_the_bytes_of_one_process(local_ray, claimed, expected):
    dataset, progress_calls = claimed(), []
    progress = render_blocks_on_ray(dataset, dataset.missing(), 2, done=lambda: progress_calls.append(1))
    assert dataset.finish() and files(dataset) == expected
    assert (
        len(progress_calls) == progress.pictures == COUNT
        and progress.shards == len(list(read_records(dataset.store))) == 8
    )
    assert dataset.missing() == []


def test_render_with_ray_renders_the_missing_shards(local_ray, claimed, expected, recipe_file):
    dataset = claimed()
    dataset.render_blocks([2], functools.partial(run_task, workers=1))
    command = ["render", str(recipe_file), "-o", str(dataset.store), "--shard-size", str(SHARD)]
    result = CliRunner().invoke(main, [*command, "--engine", "ray", "--workers", "2"])
    assert result.exit_code == 0, result.output
    assert files(dataset) == expected and f"{COUNT - SHARD} pictures in {dataset.store}" in result.output


def test_a_killed_actor_changes_no_byte(local_ray, claimed, expected, tmp_path):
    dataset, progress_calls, notes = claimed(), [], []
    harm(dataset, deadly=4, mark=tmp_path / "died")
    progress = render_blocks_on_ray(
        dataset, dataset.missing(), 2, done=lambda: progress_calls.append(1), note=notes.append
    )
    assert dataset.finish() and files(dataset) == expected
    assert progress.crashes == 1 and progress.quarantined == 0 and len(progress_calls) == progress.pictures == COUNT
    assert notes == ["block 1: the process that made it died (its process ended)"]


@pytest.mark.parametrize("tries", [1, pytest.param(MAX_BLOCK_TRIES, marks=pytest.mark.slow)])
def test_a_shot_that_kills_its_actor_is_quarantined_and_the_run_continues(
    local_ray, claimed, expected, monkeypatch, tries
):
    monkeypatch.setattr(f"{MODULE}.MAX_BLOCK_TRIES", tries)
    local, by_ray, notes, progress_calls = claimed(), claimed(), [], []
    for dataset in (local, by_ray):
        harm(dataset, deadly=4)
    local.render_blocks(local.missing(), functools.partial(run_task, workers=2))
    progress = render_blocks_on_ray(
        by_ray, by_ray.missing(), 2, done=lambda: progress_calls.append(1), note=notes.append
    )
    assert local.finish() and by_ray.finish()
    assert files(by_ray) == files(local) != expected
    quarantined = {k: v for record in read_records(by_ray.store) for k, v in record.quarantined.items()}
    assert quarantined == {"000004": "2 processes that drew it died"}
    assert (progress.crashes, progress.quarantined, progress.pictures, len(progress_calls)) == (
        tries + 2,
        1,
        COUNT - 1,
        COUNT,
    )
    assert notes[-1] == "shot 000004 is quarantined: 2 processes that drew it died"
    untouched = [name for name in expected if name.startswith("records/") and files(by_ray)[name] == expected[name]]
    assert len(untouched) == 7


def test_a_crashing_avatar_is_quarantined_the_same_by_ray_and_the_process_pool(
    local_ray, recipe_file, tmp_path, monkeypatch
):
    monkeypatch.setattr(f"{MODULE}.MAX_BLOCK_TRIES", 1)
    recipe = load_recipe(recipe_file).model_copy(update={"count": 15})
    outputs, quarantined = [], {}
    for name, run in (("local", functools.partial(run_task, workers=2)), ("byray", None)):
        dataset, notes = (
            RecipeDataset(recipe, LocalStore(tmp_path / name), open_avatar, DatasetSettings(shard_size=15)),
            [],
        )
        task_fields = {f.name: getattr(dataset.task, f.name) for f in fields(dataset.task)}
        dataset.task = Poisonous(**task_fields)
        if run:
            progress = dataset.render_blocks(dataset.missing(), run, note=notes.append)
        else:
            progress = render_blocks_on_ray(dataset, dataset.missing(), 2, note=notes.append)
        assert dataset.finish() and (progress.pictures, progress.quarantined) == (4, 11)
        assert progress.crashes < 15 and sum("given up" in text for text in notes) == 1
        outputs.append(files(dataset))
        quarantined |= {k: v for record in read_records(dataset.store) for k, v in record.quarantined.items()}
    assert outputs[0] == outputs[1]
    assert quarantined == {
        f"{i:06d}": crash_policy.SHOT_QUARANTINED
        if i < 4 + crash_policy.MAX_CONSECUTIVE_SHOTS
        else crash_policy.AVATAR_GIVEN_UP
        for i in range(4, 15)
    }


@pytest.mark.slow
def test_a_cluster_without_memory_stops_the_run_and_quarantines_nothing(claimed, expected, recipe_file):
    """Ray kills actors above a share of used memory, which is set so low that it always does."""
    dataset = claimed()
    command = [sys.executable, "-m", "vrm_synth", "render", str(recipe_file), "-o", str(dataset.store)]
    command += ["--shard-size", str(SHARD), "--engine", "ray", "--workers", "2"]
    none_left = {"RAY_memory_usage_threshold": "0.001", "RAY_memory_monitor_refresh_ms": "50"}
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.run(command, env=env | none_left, text=True, capture_output=True, timeout=HANG)
    assert process.returncode == 1 and "Traceback" not in process.stderr and "quarantined" not in process.stderr
    assert process.stderr.splitlines()[-1].startswith("Error: the cluster has no memory left; allowed: fewer workers")
    assert list(read_records(dataset.store)) == []
    process = subprocess.run(command, env=env, text=True, capture_output=True, timeout=HANG)
    assert process.returncode == 0 and files(dataset) == expected


def test_a_node_that_does_not_share_the_folder_is_reported(claimed):
    dataset = claimed()
    elsewhere = replace(dataset.writer, store=LocalStore(dataset.store.folder / "elsewhere"))
    with (
        pytest.raises(DatasetError, match=r"elsewhere: a node does not see this dataset; allowed: a folder that every"),
        BlockTask(dataset.task, elsewhere, f"{PROBE_PREFIX}0").open(),
    ):
        pass
    block_task = BlockTask(dataset.task, dataset.writer, f"{PROBE_PREFIX}0")
    with pytest.raises(DatasetError, match="does not see this dataset"), block_task.open():
        pass


def test_tasks_render_on_their_assigned_device(claimed):
    dataset = claimed()
    assert BlockTask(dataset.task, dataset.writer, "").on_device(3).render_task.devices == (3,)
    assert dataset.task.on_device(2).devices == (2,)
