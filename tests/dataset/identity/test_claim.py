"""Claiming a dataset folder, and growing a dataset to the bytes of one made at once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.core.errors import DatasetError, RenderError
from vrm_synth.dataset import render_task
from vrm_synth.dataset.derive import DeriveTask, SourceDataset, pick
from vrm_synth.dataset.finish import finish, is_complete
from vrm_synth.dataset.identity.claim import claim, outgrown, resumable_identity
from vrm_synth.dataset.identity.dataset_json import identity, identity_bytes
from vrm_synth.dataset.render_blocks import RecipeDataset
from vrm_synth.dataset.settings import DatasetSettings, OutputFormat
from vrm_synth.dataset.shards.pending import missing_shards
from vrm_synth.dataset.verify.checks import verify
from vrm_synth.execution.process_pool import run_task
from vrm_synth.io.file_names import COMPLETE_JSON, DATASET_JSON, METRICS_JSON, SHARD_FORMATS, record_name
from vrm_synth.io.store import LocalStore, Store
from vrm_synth.io.store_fsspec import FsspecStore
from vrm_synth.shot import Recipe
from vrm_synth.vrm import Avatar

SHARD, FEW, MANY = 4, 10, 17


@pytest.fixture(scope="module", autouse=True)
def avatars_are_opened_once():
    once = functools.cache(open_avatar)

    def opened(source: str, base: Path = Path()) -> Avatar:
        return once(source)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render_task, "open_avatar", opened)
        yield


@pytest.fixture(scope="module")
def source(avatars) -> str:
    return str(avatars / "free.vrm")


@dataclass(frozen=True)
class Maker:
    """Makes datasets of one recipe with any number of shots."""

    source: str

    def dataset(self, store: Store, count: int, shard_format: str = "imagefolder", **settings: object) -> RecipeDataset:
        plain = {"avatars": [self.source, "demo"], "count": count, "size": 32, "settle_seconds": None, "seed": 4}
        recipe = Recipe.model_validate(plain | {"splits": {"test": 0.3}} | settings)
        return RecipeDataset(recipe, store, open_avatar, DatasetSettings(OutputFormat(shard_format), SHARD))

    def render(self, store: Store, count: int, shard_format: str = "imagefolder", **settings: object) -> Store:
        dataset = self.dataset(store, count, shard_format, **settings)
        dataset.render_blocks(dataset.missing())
        assert dataset.finish()
        return store


@pytest.fixture(scope="module")
def maker(source) -> Maker:
    return Maker(source)


def files(store: Store) -> dict[str, bytes]:
    return {name: store.read(name) for name in store.list() if name != METRICS_JSON}


@pytest.fixture(scope="module")
def at_once(maker, tmp_path_factory) -> Callable[[str], dict[str, bytes]]:
    """Shard format → the files of the larger dataset, rendered at once in a folder of equal depth."""
    top = tmp_path_factory.mktemp("once")
    return functools.cache(lambda shard_format: files(maker.render(LocalStore(top / shard_format), MANY, shard_format)))


@pytest.fixture
def store(tmp_path_factory) -> LocalStore:
    return LocalStore(tmp_path_factory.mktemp("grown") / "a")


# ---------------------------------------------------------------- growing


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_a_dataset_grows_to_the_bytes_of_one_rendered_at_once(maker, store, at_once, shard_format):
    maker.render(store, FEW, shard_format)
    before = {name: (store.folder / name).stat().st_mtime_ns for name in store.list()}
    grown, drawn = maker.dataset(store, MANY, shard_format), []
    assert grown.missing() == [2, 3, 4], "the third block was not complete"
    grown.render_blocks(grown.missing(), done=lambda: drawn.append(1))
    assert grown.finish() and len(drawn) == MANY - 2 * SHARD
    assert files(store) == at_once(shard_format)
    untouched = [n for n in before if n.startswith(("train/", "test/", "records/")) and int(n.split("/")[1][:5]) < 4]
    assert untouched and all((store.folder / n).stat().st_mtime_ns == before[n] for n in untouched)
    assert verify(store, near=False).faults == ()


def test_a_dataset_grows_in_a_remote_store(maker):
    a, b = FsspecStore("memory://once/a"), FsspecStore("memory://grown/a")
    assert files(maker.render(maker.render(b, FEW), MANY)) == files(maker.render(a, MANY))


def test_a_dataset_grows_by_several_processes(maker, store, at_once):
    maker.render(store, FEW)
    grown = maker.dataset(store, MANY)
    grown.render_blocks(grown.missing(), functools.partial(run_task, workers=2))
    assert grown.finish() and files(store) == at_once("imagefolder")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_dataset_grows_by_jobs_that_each_render_a_part(maker, store, at_once, order):
    """Both start before either has written a shard; the job with the unfinished block may be the second."""
    maker.render(store, FEW)
    jobs = [maker.dataset(store, MANY) for _ in order]
    job_blocks = [[b for b in job.missing() if b % 2 == n] for n, job in enumerate(jobs)]
    assert sorted(job_blocks) == [[2, 4], [3]]
    finished = [bool(jobs[n].render_blocks(job_blocks[n])) and jobs[n].finish() for n in order]
    assert finished == [False, True] and files(store) == at_once("imagefolder")


def test_a_late_job_keeps_the_block_that_another_job_completed(maker, store, at_once):
    maker.render(store, FEW)
    late, first = maker.dataset(store, MANY), maker.dataset(store, MANY)
    before = store.read(DATASET_JSON)
    first.render_blocks([2])
    now = store.read(DATASET_JSON)
    store.put_file(DATASET_JSON, before)  # what the late one read a moment ago
    claim(store, late.writer.identity)
    assert store.read(DATASET_JSON) == now and 2 not in late.missing()
    late.render_blocks(late.missing())
    assert late.finish() and files(store) == at_once("imagefolder")


def test_a_dataset_grows_in_steps_interrupted_at_any_shard(maker, store, at_once):
    maker.render(store, 3)
    for count in (FEW, 12, MANY):
        grown = maker.dataset(store, count)
        grown.render_blocks(grown.missing()[:1])
        assert not store.exists(COMPLETE_JSON)
        assert grown.missing() == maker.dataset(store, count).missing()
        maker.render(store, count)
    assert files(store) == at_once("imagefolder")


def test_after_an_interruption_before_the_count_changes_either_command_resumes(maker, store, at_once, monkeypatch):
    maker.render(store, FEW)
    small = files(store)
    put = LocalStore.put_file

    def fails(self, name, data):
        if name == DATASET_JSON:
            raise DatasetError("pulled out")
        put(self, name, data)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "put_file", fails)
        grown = maker.dataset(store, MANY)
        with pytest.raises(DatasetError, match="pulled out"):
            grown.render_blocks(grown.missing())
    assert missing_shards(store) == [4, 5] and not is_complete(store)
    assert files(maker.render(store, FEW)) == small
    assert files(maker.render(store, MANY)) == at_once("imagefolder")


def test_the_smaller_dataset_stays_complete_until_a_new_shard_is_written(maker, store, monkeypatch):
    maker.render(store, FEW)
    before = files(store)

    def nothing(*_: object) -> object:
        raise RenderError("no OpenGL")

    grown = maker.dataset(store, MANY)
    with monkeypatch.context() as patch:
        patch.setattr(render_task, "open_backend", nothing)
        with pytest.raises(RenderError, match="no OpenGL"):
            grown.render_blocks(grown.missing())
    assert files(store) == before and is_complete(store)


def test_growing_a_split_by_avatar_keeps_each_avatar_in_its_split(maker, store, tmp_path_factory):
    by_avatar = {"split_by": "avatar", "splits": {"test": 0.5}}
    other = LocalStore(tmp_path_factory.mktemp("once") / "a")
    assert files(maker.render(maker.render(store, FEW, **by_avatar), MANY, **by_avatar)) == files(
        maker.render(other, MANY, **by_avatar)
    )


def test_a_smaller_count_or_any_other_change_is_refused_with_the_remedy(maker, store, tmp_path):
    maker.render(store, FEW)
    before = files(store)
    with pytest.raises(DatasetError, match=r"more pictures of this recipe; got count: 9; allowed: count: 10 or more"):
        maker.dataset(store, FEW - 1)
    for settings, key in (({"seed": 5}, "count, seed"), ({"splits": {"val": 0.3}}, "count, splits")):
        with pytest.raises(DatasetError, match=f"differs in {key}; .* only count may change, and grow"):
            maker.dataset(store, MANY, **settings)
    assert files(store) == before


def test_a_run_of_the_smaller_dataset_stops_at_its_next_shard(maker, store, at_once):
    small = maker.dataset(store, FEW)
    small.render_blocks([0, 1])
    maker.render(store, MANY)
    with pytest.raises(DatasetError, match="more pictures of this recipe"):
        small.render_blocks([2])
    maker.render(store, MANY)
    assert files(store) == at_once("imagefolder")


def test_finish_refuses_a_record_of_the_smaller_dataset(maker, store, tmp_path):
    old = files(maker.render(LocalStore(tmp_path / "b"), FEW))
    maker.render(store, MANY)
    for number in (4, 5):
        store.put_file(record_name(number), old[record_name(number)])
    with pytest.raises(DatasetError, match=f"another number of shots; got {MANY - 2}; allowed: {MANY}; .*--repair"):
        finish(store)


def test_outgrown_blocks_are_those_whose_shards_change(maker, source):
    def manifest(count: int) -> dict:
        return maker.dataset(LocalStore(Path("nowhere")), count).writer.identity

    assert list(outgrown(manifest(FEW), manifest(MANY))) == [4, 5]
    assert list(outgrown(manifest(8), manifest(MANY))) == list(outgrown(manifest(FEW), manifest(FEW))) == []
    assert list(outgrown(None, manifest(FEW))) == []


# ---------------------------------------------------------------- whose it is


def test_a_run_without_a_finished_shard_does_not_claim_the_folder(maker, store, monkeypatch):
    def nothing(*_: object) -> object:
        raise RenderError("no OpenGL")

    failing = maker.dataset(store, FEW)
    with monkeypatch.context() as patch:
        patch.setattr(render_task, "open_backend", nothing)
        with pytest.raises(RenderError):
            failing.render_blocks(failing.missing())
    assert store.list() == []
    maker.render(store, 3, "parquet", seed=9)


def test_a_folder_with_only_another_datasets_identity_can_be_claimed(maker, store):
    store.put_file(DATASET_JSON, identity_bytes(maker.dataset(store, FEW, seed=9).writer.identity))
    store.put_file(METRICS_JSON, b"{}")
    assert resumable_identity(store, maker.dataset(store, FEW).writer.identity) is None
    maker.render(store, FEW)
    other = identity({"seed": 1}, {}, [])
    with pytest.raises(DatasetError, match="another recipe's dataset"):
        resumable_identity(store, other)
    for name in store.list("records"):
        store.delete(name)
    with pytest.raises(DatasetError, match="another recipe's dataset"):
        resumable_identity(store, other)  # its pictures are still there


def test_of_two_runs_in_one_new_folder_the_second_to_finish_a_shard_stops(maker, store):
    one, other = maker.dataset(store, FEW), maker.dataset(store, FEW, seed=9)
    one.render_blocks([0])
    before = files(store)
    with pytest.raises(DatasetError, match="another recipe's dataset; got a recipe that differs in seed"):
        other.render_blocks([1])
    assert files(store) == before
    one.render_blocks(one.missing())
    assert one.finish() and verify(store, near=False).faults == ()


def test_a_derived_dataset_claims_with_its_first_shard_and_does_not_grow(maker, store, tmp_path, monkeypatch):
    maker.render(store, FEW)
    out = LocalStore(tmp_path / "out")

    def deriving() -> DeriveTask:
        sources = (SourceDataset.of(store),)
        return DeriveTask(sources, pick(sources), out, "convert", "webdataset", shard_size=SHARD)

    with monkeypatch.context() as patch:
        patch.setattr(DeriveTask, "_rewrite", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deriving().make()
    assert out.list() == []
    deriving().make()
    maker.render(store, MANY)
    with pytest.raises(DatasetError, match=r"differs in derived, splits; allowed: .*or a new folder"):
        deriving().make()
