"""Verifying: a sound dataset has no fault, a hundred planted ones are found, and repair brings the bytes back."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from tests.dataset.faults import faults
from tests.dataset.small_sets import drawn
from vrm_synth.avatar import Avatar, open_avatar
from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.derive import finish, write_shard
from vrm_synth.dataset.layout import identity_bytes, plan_of, read_identity
from vrm_synth.dataset.pack import FORMATS
from vrm_synth.dataset.reader import Sample, read_shard
from vrm_synth.dataset.record import record_name
from vrm_synth.dataset.repair import repair
from vrm_synth.dataset.store import LocalStore
from vrm_synth.dataset.verify import Verdict, verify


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return open_avatar("demo")


@pytest.fixture(scope="module")
def samples(gl, avatar) -> list[Sample]:
    return drawn(gl, avatar, 12)


@pytest.fixture(scope="module")
def sets(samples, tmp_path_factory) -> dict[str, LocalStore]:
    """A dataset of three shards and two splits in each format; the tests do not change them."""
    return {form: make(form, samples, tmp_path_factory.mktemp(form)) for form in FORMATS}


def make(form: str, samples: list[Sample], folder) -> LocalStore:
    store = LocalStore(folder)
    plan = {"train": [s.key for s in samples[:8]], "test": [s.key for s in samples[8:]]}
    store.put_file("dataset.json", identity_bytes({"format": form, "shard_size": 4, "plan": plan}))
    make_missing(store, samples)
    finish(store)
    return store


def make_missing(store: LocalStore, samples: list[Sample]) -> None:
    by_key = {s.key: s for s in samples}
    for p in plan_of(read_identity(store)):
        if not store.exists(record_name(p.shard)):
            write_shard(store, read_identity(store)["format"], p, [by_key[k] for k in p.keys])


def files(store: LocalStore) -> dict[str, bytes]:
    return {name: store.read(name) for name in store.list()}


@pytest.mark.parametrize("form", FORMATS)
def test_a_sound_dataset_has_no_fault(sets, form, gl, avatar):
    before = files(sets[form])
    found = verify(sets[form], redraw=5, renderer=gl, open_avatar=lambda source: avatar)
    assert found == Verdict((), samples=12, redrawn=5)
    assert files(sets[form]) == before


def test_several_processes_find_the_same(sets, tmp_path):
    store = copy(sets["webdataset"], tmp_path / "t")
    store.put_file("train/00001.tar", b"nothing")
    assert verify(store, workers=2) == verify(store)


def copy(store: LocalStore, folder) -> LocalStore:
    shutil.copytree(store.folder, folder)
    return LocalStore(folder)


def planted(sets, count: int, tmp_path, samples) -> list[str]:
    """Those of so many planted faults that verify did not find, or that repair did not heal to the byte."""
    missed = []
    for seed, plant in faults(count):
        form = FORMATS[seed // 10 % 3] if count >= 30 else FORMATS[seed % 3]
        store = copy(sets[form], tmp_path / f"{seed}")
        told = f"{form} {seed}: {plant(store, np.random.default_rng(seed))}"
        found = verify(store, near=False)
        if not found.faults:
            missed.append(told)
            continue
        repair(store, found.broken, lambda store=store: make_missing(store, samples), lambda store=store: finish(store))
        if files(store) != files(sets[form]):
            missed.append(f"not healed: {told}, found {found.faults[0]}")
        shutil.rmtree(store.folder)
    return missed


def test_planted_faults_are_found_and_healed(sets, tmp_path, samples):
    assert planted(sets, 20, tmp_path, samples) == []


@pytest.mark.slow
def test_a_hundred_planted_faults_are_found_and_healed(sets, tmp_path, samples):
    assert planted(sets, 100, tmp_path, samples) == []


def test_a_forged_picture_is_found_by_drawing_it_again(sets, tmp_path, gl, avatar):
    store = copy(sets["webdataset"], tmp_path / "t")
    p = next(plan_of(read_identity(store)))
    a, b, *others = read_shard(store, "webdataset", p.split, p.shard)
    write_shard(store, "webdataset", p, [replace(a, picture=b.picture), b, *others])
    finish(store)
    assert verify(store).faults == ()
    found = verify(store, redraw=12, renderer=gl, open_avatar=lambda source: avatar)
    assert found.redrawn == 12
    assert [(f.shard, f.file) for f in found.faults] == [(0, f"shard 00000/{a.key}")]
    assert "another picture when drawn again" in found.faults[0].what


def test_near_duplicates_are_told_and_are_no_fault(sets, tmp_path, samples):
    first, twin = samples[0], samples[5].key
    same = replace(first, key=twin, row={**first.row, "shot": {**first.row["shot"], "id": twin}})
    store = make("webdataset", [same if s.key == twin else s for s in samples], tmp_path / "t")
    found = verify(store)
    assert (first.key, twin) in found.near
    assert found.faults == ()


def test_a_file_that_belongs_to_nothing_is_told_of_and_left_alone(sets, tmp_path, samples):
    store = copy(sets["imagefolder"], tmp_path / "t")
    store.put_file("train/mine.png", b"mine")
    store.put_file("notes.txt", b"beside the splits anybody may write")
    found = verify(store)
    assert [f.file for f in found.faults] == ["train/mine.png"] and found.broken == ()
    repair(store, found.broken, lambda: make_missing(store, samples), lambda: finish(store))
    assert store.read("train/mine.png") == b"mine"


def test_what_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(DatasetError):
        verify(LocalStore(tmp_path))
    (tmp_path / "dataset.json").write_text("[]")
    with pytest.raises(DatasetError):
        verify(LocalStore(tmp_path))
