"""Verifying: a sound dataset has no fault, a hundred planted ones are found, and remaking brings the bytes back."""

from __future__ import annotations

import functools
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.dataset.faults import faults, put, samples, shards
from vrm_synth.builtin_avatar.avatar_source import open_avatar
from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.finish import finish
from vrm_synth.dataset.identity.dataset_json import read_identity
from vrm_synth.dataset.render_blocks import RecipeDataset
from vrm_synth.dataset.render_task import home_of, source_from
from vrm_synth.dataset.settings import DatasetSettings, OutputFormat
from vrm_synth.dataset.verify.checks import verify
from vrm_synth.dataset.verify.repair import repair
from vrm_synth.dataset.verify.report import Fault, VerifyReport
from vrm_synth.io.file_names import DATASET_JSON, SHARD_FORMATS
from vrm_synth.io.store import LocalStore
from vrm_synth.shot import Recipe
from vrm_synth.vrm import Avatar

COUNT = 12
once = functools.cache(open_avatar)


@pytest.fixture(scope="module", autouse=True)
def _one_avatar_and_one_context(gl):
    """The built-in avatar takes a second to make, and a context another: once is enough for a hundred repairs."""
    with pytest.MonkeyPatch.context() as patch:
        for place in ("vrm_synth.dataset.render_task", "vrm_synth.dataset.verify.repair"):
            patch.setattr(f"{place}.open_avatar", opened)
        patch.setattr("vrm_synth.dataset.render_task.open_backend", lambda *a: Kept(gl))
        yield


class Kept:
    """A renderer that whoever opened it does not close."""

    def __init__(self, gl):
        self._gl = gl
        self.device = gl.device

    def render(self, posed, view):
        return self._gl.render(posed, view)

    def close(self) -> None:
        pass


def opened(source: str, base: Path = Path()) -> Avatar:
    return once(source) if source == "demo" else open_avatar(source, base)


def opener(store: LocalStore):
    home = home_of(store, read_identity(store)["recipe"]["format"])
    return lambda name: opened(source_from(home, name))


@pytest.fixture(scope="module")
def sets(gl, avatars, tmp_path_factory) -> dict[str, LocalStore]:
    """A dataset of two avatars and two splits in each format; the tests do not change them."""
    return {
        shard_format: made(LocalStore(tmp_path_factory.mktemp(shard_format)), shard_format, avatars)
        for shard_format in SHARD_FORMATS
    }


def made(store: LocalStore, shard_format: str, avatars: Path) -> LocalStore:
    recipe = Recipe.model_validate(
        {
            "avatars": [str(avatars / "free.vrm"), "demo"],
            "count": COUNT,
            "seed": 4,
            "size": 32,
            "settle_seconds": None,
            "splits": {"test": 0.3},
        }
    )
    dataset = RecipeDataset(
        recipe, store, opened, DatasetSettings(OutputFormat(shard_format, passes=("mask",)), shard_size=5)
    )
    dataset.render_blocks(dataset.missing())
    assert dataset.finish()
    return store


def files(store: LocalStore) -> dict[str, bytes]:
    return {name: store.read(name) for name in store.list()}


def copy(store: LocalStore, folder: Path) -> LocalStore:
    shutil.copytree(store.folder, folder)
    return LocalStore(folder)


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_a_sound_dataset_has_no_fault(sets, shard_format, gl):
    before = files(sets[shard_format])
    found = verify(sets[shard_format], redraw=5, backend=gl, open_avatar=opener(sets[shard_format]))
    assert (found.faults, found.samples, found.redrawn) == ((), COUNT, 5)
    assert files(sets[shard_format]) == before
    assert {len(s.extras) for shard in shards(sets[shard_format]) for s in samples(sets[shard_format], shard)} == {1}


def test_several_processes_find_the_same(sets, tmp_path):
    store = copy(sets["webdataset"], tmp_path / "t")
    store.put_file("train/00000.tar", b"nothing")
    assert verify(store, workers=2) == verify(store)


def unhealed(sets, count: int, folder: Path) -> list[str]:
    """Those of so many planted faults that verify did not find, or that remaking did not heal to the byte."""
    missed = []
    for seed, plant in faults(count):
        shard_format = SHARD_FORMATS[(seed + seed // 10) % 3]
        store = copy(sets[shard_format], folder / f"{seed}")
        told = f"{shard_format} {seed}: {plant(store, np.random.default_rng(seed))}"
        found = verify(store, near=False)
        if not found.faults:
            missed.append(f"not found: {told}")
            continue
        repair(store, found)
        if files(store) != files(sets[shard_format]):
            missed.append(f"not healed: {told}, found {found.faults[0]}")
        shutil.rmtree(store.folder)
    return missed


def test_planted_faults_are_found_and_healed(sets, avatars):
    # Beside the avatars: shots name them from the dataset's folder.
    assert unhealed(sets, 10, folder_beside(sets)) == []


@pytest.mark.slow
def test_a_hundred_planted_faults_are_found_and_healed(sets, avatars):
    assert unhealed(sets, 100, folder_beside(sets)) == []


def folder_beside(sets) -> Path:
    return sets["parquet"].folder.parent


def test_nothing_but_the_broken_shard_is_touched(sets):
    store = copy(sets["webdataset"], folder_beside(sets) / "touched")
    broken = shards(store)[0]
    before = {name: (store.folder / name).stat().st_mtime_ns for name in store.list()}
    store.put_file(f"{broken.stem}.tar", b"nothing")
    repair(store, verify(store))
    mine = f"{broken.number:05d}"
    kept = [n for n in before if n.startswith(("train/", "test/", "records/")) and mine not in n]
    assert kept and all((store.folder / name).stat().st_mtime_ns == before[name] for name in kept)


def test_a_forged_picture_is_found_by_drawing_it_again(sets, tmp_path, gl):
    store = copy(sets["webdataset"], folder_beside(sets) / "forged")
    shard = shards(store)[0]
    a, b, *others = samples(store, shard)
    put(store, shard, [replace(a, picture=b.picture), b, *others])
    finish(store)
    assert verify(store).faults == ()
    found = verify(store, redraw=COUNT, backend=gl, open_avatar=opener(store))
    assert found.redrawn == COUNT
    assert [(f.shard, f.file) for f in found.faults] == [(shard.number, f"{shard.stem}/{a.key}")]
    assert "another picture when drawn again" in found.faults[0].what


def test_another_driver_is_held_to_a_tolerance(sets, gl):
    class Other(Kept):
        def __init__(self, gl, off):
            super().__init__(gl)
            self.device = "another driver"
            self._off = off

        def render(self, posed, view):
            frame = self._gl.render(posed, view)
            rgba = frame.rgba.copy()
            rgba.reshape(-1, 4)[: self._off, :3] ^= 0x40
            return replace(frame, rgba=rgba)

    store = sets["webdataset"]
    for off, wrong in ((0, 0), (2, 0), (100, COUNT)):
        found = verify(store, near=False, redraw=COUNT, backend=Other(gl, off), open_avatar=opener(store))
        assert len(found.faults) == wrong


def test_near_duplicates_are_reported_and_are_no_fault(sets):
    store = copy(sets["webdataset"], folder_beside(sets) / "near")
    shard = shards(store)[0]
    a, b, *others = samples(store, shard)
    row = {**a.row, "i": b.row["i"], "shot": {**a.row["shot"], "id": b.key}}
    put(store, shard, [a, replace(a, key=b.key, row=row), *others])
    finish(store)
    found = verify(store)
    assert found.faults == () and (a.key, b.key) in found.near_duplicates


def test_a_file_that_belongs_to_nothing_is_reported_and_left_alone(sets):
    store = copy(sets["imagefolder"], folder_beside(sets) / "mine")
    store.put_file("train/mine.png", b"mine")
    store.put_file("notes.txt", b"beside the splits anybody may write")
    found = verify(store)
    assert [f.file for f in found.faults] == ["train/mine.png"] and found.broken == ()
    repair(store, found)
    assert store.read("train/mine.png") == b"mine" and store.exists("notes.txt")


def test_a_changed_identity_is_found_and_what_is_no_dataset_is_refused(sets, tmp_path):
    store = copy(sets["webdataset"], tmp_path / "t")
    whole = store.read(DATASET_JSON)
    store.put_file(DATASET_JSON, whole.replace(b'"seed": 4', b'"seed": 5'))
    assert DATASET_JSON in [f.file for f in verify(store).faults]
    sizeless = whole.replace(b'"shard_size": 5', b'"shard_size": 0')
    for data in (b"[]", b"{}", sizeless, whole.replace(b'"count"', b'"number"')):
        store.put_file(DATASET_JSON, data)
        with pytest.raises(DatasetError):
            verify(store)
    with pytest.raises(DatasetError):
        verify(LocalStore(tmp_path))


def test_an_avatar_that_no_shard_tells_of_stops_a_repair_before_anything_is_removed(sets):
    store = copy(sets["webdataset"], folder_beside(sets) / "lost")
    before = files(store)
    found = VerifyReport((Fault("train/00000.tar", "is missing", 0),), 0)
    with pytest.raises(DatasetError, match="where its avatar lies"):
        repair(store, found)
    assert files(store) == before


def test_an_avatar_that_has_been_moved_stops_a_repair_before_anything_is_removed(sets, tmp_path):
    store = LocalStore(tmp_path / "elsewhere" / "set")
    shutil.copytree(sets["webdataset"].folder, store.folder)
    (store.folder / "train" / "00000.tar").write_bytes(b"")
    found = verify(store, near=False)
    before = files(store)
    with pytest.raises(DatasetError, match=r"is not there; got .*free\.vrm; allowed: the file in its place"):
        repair(store, found)
    assert files(store) == before
