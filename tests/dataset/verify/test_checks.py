"""Verify and repair: a sound dataset has no fault; planted faults are found and repaired byte for byte."""

from __future__ import annotations

import functools
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.dataset.faults import faults, replace_shard, samples, shards
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.caption_columns import dataset_captions
from vrm_synth.dataset.finish import finish
from vrm_synth.dataset.identity.dataset_json import read_identity
from vrm_synth.dataset.render_blocks import RecipeDataset
from vrm_synth.dataset.render_task import home_of, source_from
from vrm_synth.dataset.settings import DatasetSettings, OutputFormat
from vrm_synth.dataset.verify.checks import verify
from vrm_synth.dataset.verify.repair import repair
from vrm_synth.dataset.verify.report import Fault, VerifyReport
from vrm_synth.dataset.verify.reproduce import compare_facts
from vrm_synth.facts.facts import Facts, HairFacts, ViewFacts
from vrm_synth.io.dataset_columns import FACTS
from vrm_synth.io.file_names import DATASET_JSON, SHARD_FORMATS
from vrm_synth.io.store import LocalStore
from vrm_synth.shot import Recipe
from vrm_synth.vrm import Avatar

COUNT = 12
once = functools.cache(open_avatar)


@pytest.fixture(scope="module", autouse=True)
def _one_avatar_and_one_context(gl):
    """Share one built-in avatar and one GL context, which take a second each, between a hundred repairs."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("vrm_synth.dataset.render_task", "vrm_synth.dataset.verify.repair"):
            patch.setattr(f"{module}.open_avatar", opened)
        patch.setattr("vrm_synth.dataset.render_task.open_backend", lambda *a: LeavesOpen(gl))
        yield


class LeavesOpen:
    """A wrapper of a shared renderer whose close() does nothing."""

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
        shard_format: rendered(LocalStore(tmp_path_factory.mktemp(shard_format)), shard_format, avatars)
        for shard_format in SHARD_FORMATS
    }


def rendered(store: LocalStore, shard_format: str, avatars: Path) -> LocalStore:
    recipe = Recipe.model_validate(
        {
            "avatars": [str(avatars / "free.vrm"), "demo"],
            "count": COUNT,
            "seed": 4,
            "size": 32,
            "settle_seconds": None,
            "splits": {"test": 0.3},
            "passes": ["mask"],
        }
    )
    dataset = RecipeDataset(recipe, store, opened, DatasetSettings(OutputFormat(shard_format), shard_size=5))
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
    report = verify(sets[shard_format], redraw=5, backend=gl, open_avatar=opener(sets[shard_format]))
    assert (report.faults, report.samples, report.redrawn) == ((), COUNT, 5)
    assert files(sets[shard_format]) == before
    assert {len(s.extras) for shard in shards(sets[shard_format]) for s in samples(sets[shard_format], shard)} == {1}


def test_several_processes_find_the_same_faults(sets, tmp_path):
    store = copy(sets["webdataset"], tmp_path / "t")
    store.put_file("train/00000.tar", b"nothing")
    assert verify(store, workers=2) == verify(store)


def unrepaired(sets, count: int, folder: Path) -> list[str]:
    """Planted faults that verify did not find or that repair did not undo byte for byte."""
    missed = []
    for seed, plant in faults(count):
        shard_format = SHARD_FORMATS[(seed + seed // 10) % 3]
        store = copy(sets[shard_format], folder / f"{seed}")
        fault = f"{shard_format} {seed}: {plant(store, np.random.default_rng(seed))}"
        report = verify(store, near=False)
        if not report.faults:
            missed.append(f"not found: {fault}")
            continue
        repair(store, report)
        if files(store) != files(sets[shard_format]):
            missed.append(f"not repaired: {fault}, found {report.faults[0]}")
        shutil.rmtree(store.folder)
    return missed


def test_planted_faults_are_found_and_repaired(sets, avatars):
    # Beside the avatars: shots name them from the dataset's folder.
    assert unrepaired(sets, 10, folder_beside(sets)) == []


@pytest.mark.slow
def test_a_hundred_planted_faults_are_found_and_repaired(sets, avatars):
    assert unrepaired(sets, 100, folder_beside(sets)) == []


def folder_beside(sets) -> Path:
    return sets["parquet"].folder.parent


def test_repair_changes_the_broken_shard_only(sets):
    store = copy(sets["webdataset"], folder_beside(sets) / "touched")
    broken = shards(store)[0]
    before = {name: (store.folder / name).stat().st_mtime_ns for name in store.list()}
    store.put_file(f"{broken.stem}.tar", b"nothing")
    repair(store, verify(store))
    broken_number = f"{broken.number:05d}"
    untouched = [n for n in before if n.startswith(("train/", "test/", "records/")) and broken_number not in n]
    assert untouched and all((store.folder / name).stat().st_mtime_ns == before[name] for name in untouched)


def test_a_forged_picture_is_found_by_drawing_it_again(sets, tmp_path, gl):
    store = copy(sets["webdataset"], folder_beside(sets) / "forged")
    shard = shards(store)[0]
    a, b, *rest = samples(store, shard)
    replace_shard(store, shard, [replace(a, picture=b.picture), b, *rest])
    finish(store)
    assert verify(store).faults == ()
    report = verify(store, redraw=COUNT, backend=gl, open_avatar=opener(store))
    assert report.redrawn == COUNT
    assert [(f.shard, f.file) for f in report.faults] == [(shard.number, f"{shard.stem}/{a.key}")]
    assert "another picture when drawn again" in report.faults[0].what


def test_pictures_of_another_driver_may_differ_within_a_tolerance(sets, gl):
    class AnotherDriver(LeavesOpen):
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
        report = verify(store, near=False, redraw=COUNT, backend=AnotherDriver(gl, off), open_avatar=opener(store))
        assert len(report.faults) == wrong


def test_near_duplicates_are_reported_but_are_no_fault(sets):
    store = copy(sets["webdataset"], folder_beside(sets) / "near")
    shard = shards(store)[0]
    a, b, *rest = samples(store, shard)
    row = {**a.row, "i": b.row["i"], "shot": {**a.row["shot"], "id": b.key}}
    replace_shard(store, shard, [a, replace(a, key=b.key, row=row), *rest])
    finish(store)
    report = verify(store)
    assert report.faults == () and (a.key, b.key) in report.near_duplicates


def test_an_unknown_file_is_reported_and_kept(sets):
    store = copy(sets["imagefolder"], folder_beside(sets) / "mine")
    store.put_file("train/mine.png", b"mine")
    store.put_file("notes.txt", b"beside the splits anybody may write")
    report = verify(store)
    assert [f.file for f in report.faults] == ["train/mine.png"] and report.broken == ()
    repair(store, report)
    assert store.read("train/mine.png") == b"mine" and store.exists("notes.txt")


def test_a_changed_identity_is_a_fault_and_an_invalid_one_is_refused(sets, tmp_path):
    store = copy(sets["webdataset"], tmp_path / "t")
    intact = store.read(DATASET_JSON)
    store.put_file(DATASET_JSON, intact.replace(b'"seed": 4', b'"seed": 5'))
    assert DATASET_JSON in [f.file for f in verify(store).faults]
    sizeless = intact.replace(b'"shard_size": 5', b'"shard_size": 0')
    for data in (b"[]", b"{}", sizeless, intact.replace(b'"count"', b'"number"')):
        store.put_file(DATASET_JSON, data)
        with pytest.raises(DatasetError):
            verify(store)
    with pytest.raises(DatasetError):
        verify(LocalStore(tmp_path))


def test_an_avatar_of_unknown_source_stops_repair_before_removal(sets):
    store = copy(sets["webdataset"], folder_beside(sets) / "lost")
    before = files(store)
    report = VerifyReport((Fault("train/00000.tar", "is missing", 0),), 0)
    with pytest.raises(DatasetError, match="where its avatar lies"):
        repair(store, report)
    assert files(store) == before


def test_a_moved_avatar_file_stops_repair_before_removal(sets, tmp_path):
    store = LocalStore(tmp_path / "elsewhere" / "set")
    shutil.copytree(sets["webdataset"].folder, store.folder)
    (store.folder / "train" / "00000.tar").write_bytes(b"")
    report = verify(store, near=False)
    before = files(store)
    with pytest.raises(DatasetError, match=r"is not there; got .*free\.vrm; allowed: the file in its place"):
        repair(store, report)
    assert files(store) == before


def test_facts_that_the_picture_does_not_show_are_found_by_drawing_it_again(sets, gl, tmp_path):
    """Facts and captions forged together: nothing but the picture contradicts them."""
    shutil.copytree(sets["webdataset"].folder, tmp_path / "forged")
    store = LocalStore(tmp_path / "forged")
    captions = dataset_captions(read_identity(store))
    (shard, *_) = shards(store)
    first, *rest = samples(store, shard)
    facts = Facts.from_json(first.row[FACTS])
    forged = replace(facts, left_hand="" if facts.left_hand else "peace")
    text = captions.captions(forged, first.row["shot"]["choices"]["wording"], first.key)
    row = {**first.row, FACTS: forged.to_json(), **text}
    replace_shard(store, shard, [replace(first, row=row, caption=text["caption"]), *rest])
    finish(store)
    assert verify(store).faults == ()
    redrawn = verify(store, redraw=COUNT, backend=gl, open_avatar=opener(store))
    assert [f.what for f in redrawn.faults if f.shard is not None] == ["other when drawn again: facts.left_hand"]


def test_angles_of_facts_may_differ_by_half_a_degree():
    facts = Facts(view=ViewFacts(azimuth=179.9, elevation=3.0), hair=HairFacts(("pink",)))
    near = replace(facts, view=ViewFacts(azimuth=-179.8, elevation=3.4))
    assert compare_facts(facts, near) == ()
    assert compare_facts(facts, replace(facts, view=ViewFacts(azimuth=179.9, elevation=3.6))) == ("view",)
    assert compare_facts(facts, replace(facts, view=ViewFacts(azimuth=179.9))) == ("view",)
    assert compare_facts(facts, replace(near, hair=HairFacts(("red",)), count=2)) == ("count", "hair")
