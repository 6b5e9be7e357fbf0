"""Datasets by Ray: the bytes of any other engine, whatever becomes of the actors."""

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
from vrm_synth.builtin_avatar.avatar_source import open_avatar
from vrm_synth.cli.main import main
from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset import render_blocks_on_ray as on_ray
from vrm_synth.dataset.render_blocks import RecipeDataset
from vrm_synth.dataset.render_blocks_on_ray import BlockTask, render_blocks_on_ray
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


@pytest.fixture(scope="module")
def recipe_file(avatars, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "r.yaml"
    settings = {"avatars": [str(avatars / "free.vrm")], "count": COUNT, "size": 32, "settle_seconds": 0.0}
    path.write_text(yaml.safe_dump(settings | {"splits": {"test": 0.3}}))
    return path


@pytest.fixture(scope="module")
def here():
    """Ray on this machine, once for all tests of this file."""
    with connected(Cluster(), 2):
        yield


@pytest.fixture(scope="module")
def begun(recipe_file, tmp_path_factory) -> Callable[[], RecipeDataset]:
    """A new, empty dataset. The folders' names are equally long and equally deep: paths in metadata are relative."""
    top = tmp_path_factory.mktemp("sets")
    numbers = iter(range(10, 100))
    recipe = load_recipe(recipe_file)
    return lambda: RecipeDataset(
        recipe, LocalStore(top / str(next(numbers))), open_avatar, DatasetSettings(shard_size=SHARD)
    )


@pytest.fixture(scope="module")
def whole(begun) -> dict[str, bytes]:
    """The files of the dataset by one process."""
    dataset = begun()
    dataset.render_blocks(dataset.missing(), functools.partial(run_task, workers=1))
    assert dataset.finish()
    return files(dataset)


def files(dataset: RecipeDataset) -> dict[str, bytes]:
    return {name: dataset.store.read(name) for name in dataset.store.list() if name != METRICS_JSON}


@dataclass(frozen=True)
class Deadly(RenderTask):
    """Drawing that one shot kills its process of: at each try, or at the first one where `mark` is a file to make."""

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
    """Drawing that every shot from the fifth on kills its process of."""

    @contextlib.contextmanager
    def open(self) -> Iterator[Callable[[int], Iterator[RenderResult]]]:
        with super().open() as draw:

            def do(i: int) -> Iterator[RenderResult]:
                if i >= 4:
                    os.kill(os.getpid(), signal.SIGKILL)
                return draw(i)

            yield do


def harm(dataset: RecipeDataset, **how: object) -> None:
    kept = {f.name: getattr(dataset.task, f.name) for f in fields(dataset.task)}
    dataset.task = Deadly(**kept, **how)


def test_two_actors_make_the_bytes_of_one_process(here, begun, whole):
    dataset, done = begun(), []
    progress = render_blocks_on_ray(dataset, dataset.missing(), 2, done=lambda: done.append(1))
    assert dataset.finish() and files(dataset) == whole
    assert len(done) == progress.pictures == COUNT and progress.shards == len(list(read_records(dataset.store))) == 8
    assert dataset.missing() == []


def test_the_command_makes_what_is_missing_by_ray(here, begun, whole, recipe_file):
    dataset = begun()
    dataset.render_blocks([2], functools.partial(run_task, workers=1))
    command = ["render", str(recipe_file), "-o", str(dataset.store), "--shard-size", str(SHARD)]
    done = CliRunner().invoke(main, [*command, "--engine", "ray", "--workers", "2"])
    assert done.exit_code == 0, done.output
    assert files(dataset) == whole and f"{COUNT - SHARD} pictures in {dataset.store}" in done.output


def test_an_actor_that_dies_costs_nothing_but_time(here, begun, whole, tmp_path):
    dataset, done, notes = begun(), [], []
    harm(dataset, deadly=4, mark=tmp_path / "died")
    progress = render_blocks_on_ray(dataset, dataset.missing(), 2, done=lambda: done.append(1), note=notes.append)
    assert dataset.finish() and files(dataset) == whole
    assert progress.crashes == 1 and progress.quarantined == 0 and len(done) == progress.pictures == COUNT
    assert notes == ["block 1: the process that made it died (its process ended)"]


@pytest.mark.parametrize("tries", [1, pytest.param(on_ray.MAX_BLOCK_TRIES, marks=pytest.mark.slow)])
def test_a_shot_that_kills_is_quarantined_and_the_run_goes_on(here, begun, whole, monkeypatch, tries):
    monkeypatch.setattr(on_ray, "MAX_BLOCK_TRIES", tries)
    local, by_ray, notes, done = begun(), begun(), [], []
    for dataset in (local, by_ray):
        harm(dataset, deadly=4)
    local.render_blocks(local.missing(), functools.partial(run_task, workers=2))
    progress = render_blocks_on_ray(by_ray, by_ray.missing(), 2, done=lambda: done.append(1), note=notes.append)
    assert local.finish() and by_ray.finish()
    assert files(by_ray) == files(local) != whole
    told = {k: v for record in read_records(by_ray.store) for k, v in record.quarantined.items()}
    assert told == {"000004": "2 processes that drew it died"}
    assert (progress.crashes, progress.quarantined, progress.pictures, len(done)) == (tries + 2, 1, COUNT - 1, COUNT)
    assert notes[-1] == "shot 000004 is quarantined: 2 processes that drew it died"
    untouched = [name for name in whole if name.startswith("records/") and files(by_ray)[name] == whole[name]]
    assert len(untouched) == 7


def test_an_avatar_that_kills_is_given_up_the_same_by_every_engine(here, recipe_file, tmp_path, monkeypatch):
    monkeypatch.setattr(on_ray, "MAX_BLOCK_TRIES", 1)
    recipe = load_recipe(recipe_file).model_copy(update={"count": 15})
    made, told = [], {}
    for name, engine in (("local", functools.partial(run_task, workers=2)), ("byray", None)):
        dataset, notes = (
            RecipeDataset(recipe, LocalStore(tmp_path / name), open_avatar, DatasetSettings(shard_size=15)),
            [],
        )
        kept = {f.name: getattr(dataset.task, f.name) for f in fields(dataset.task)}
        dataset.task = Poisonous(**kept)
        if engine:
            progress = dataset.render_blocks(dataset.missing(), engine, note=notes.append)
        else:
            progress = render_blocks_on_ray(dataset, dataset.missing(), 2, note=notes.append)
        assert dataset.finish() and (progress.pictures, progress.quarantined) == (4, 11)
        assert progress.crashes < 15 and sum("given up" in text for text in notes) == 1
        made.append(files(dataset))
        told |= {k: v for record in read_records(dataset.store) for k, v in record.quarantined.items()}
    assert made[0] == made[1]
    assert told == {
        f"{i:06d}": crash_policy.SHOT_QUARANTINED
        if i < 4 + crash_policy.MAX_CONSECUTIVE_SHOTS
        else crash_policy.AVATAR_GIVEN_UP
        for i in range(4, 15)
    }


@pytest.mark.slow
def test_a_machine_without_memory_stops_the_run_and_quarantines_nothing(begun, whole, recipe_file):
    """Ray ends actors once so much of the memory is used, which here is always the case."""
    dataset = begun()
    command = [sys.executable, "-m", "vrm_synth", "render", str(recipe_file), "-o", str(dataset.store)]
    command += ["--shard-size", str(SHARD), "--engine", "ray", "--workers", "2"]
    none_left = {"RAY_memory_usage_threshold": "0.001", "RAY_memory_monitor_refresh_ms": "50"}
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env | none_left, text=True, capture_output=True, timeout=HANG)
    assert done.returncode == 1 and "Traceback" not in done.stderr and "quarantined" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: the cluster has no memory left; allowed: fewer workers")
    assert list(read_records(dataset.store)) == []
    done = subprocess.run(command, env=env, text=True, capture_output=True, timeout=HANG)
    assert done.returncode == 0 and files(dataset) == whole


def test_a_node_that_sees_another_folder_is_reported(begun):
    dataset = begun()
    elsewhere = replace(dataset.writer, store=LocalStore(dataset.store.folder / "elsewhere"))
    with (
        pytest.raises(DatasetError, match=r"elsewhere: a node does not see this dataset; allowed: a folder that every"),
        BlockTask(dataset.task, elsewhere, f"{PROBE_PREFIX}0").open(),
    ):
        pass
    other = BlockTask(dataset.task, dataset.writer, f"{PROBE_PREFIX}0")
    with pytest.raises(DatasetError, match="does not see this dataset"), other.open():
        pass


def test_tasks_draw_on_the_device_they_are_given(begun):
    dataset = begun()
    assert BlockTask(dataset.task, dataset.writer, "").on_device(3).render_task.devices == (3,)
    assert dataset.task.on_device(2).devices == (2,)
