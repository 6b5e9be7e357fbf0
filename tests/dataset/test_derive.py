"""Subsets, merges and conversions: the same samples in complete datasets, resumed and refused like rendered ones."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import pytest

from tests.dataset.faults import samples, shards
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.derive import DeriveTask, PickedSample, PickedSamples, SourceDataset, encoded, pick
from vrm_synth.dataset.render_blocks import RecipeDataset
from vrm_synth.dataset.settings import DatasetSettings, OutputFormat
from vrm_synth.dataset.summary.table import read_table
from vrm_synth.dataset.verify.checks import verify
from vrm_synth.io.file_names import COMPLETE_JSON, METADATA_TABLE, SHARD_FORMATS, record_name
from vrm_synth.io.image_decoder import decode_rgba
from vrm_synth.io.shard_readers import DatasetSample
from vrm_synth.io.store import LocalStore
from vrm_synth.shot import Recipe
from vrm_synth.vrm import Avatar

once = functools.cache(open_avatar)


def opened(source: str, base: Path = Path()) -> Avatar:
    return once(source) if source == "demo" else open_avatar(source, base)


def render_source(
    folder: Path, avatars: Path, shard_format: str = "webdataset", passes: tuple[str, ...] = ("mask",), **options
) -> LocalStore:
    """A dataset of twelve small pictures, with two avatars and two splits."""
    store = LocalStore(folder)
    plain = {"avatars": [str(avatars / "free.vrm"), "demo"], "count": 12, "size": 32, "settle_seconds": None}
    recipe = Recipe.model_validate(plain | {"splits": {"test": 0.3}, "seed": 4, "passes": passes} | options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vrm_synth.dataset.render_task.open_avatar", opened)
        dataset = RecipeDataset(recipe, store, opened, DatasetSettings(OutputFormat(shard_format), shard_size=5))
        dataset.render_blocks(dataset.missing())
    assert dataset.finish()
    return store


@pytest.fixture(scope="module")
def source_set(avatars, tmp_path_factory) -> LocalStore:
    return render_source(tmp_path_factory.mktemp("whole"), avatars)


@pytest.fixture(scope="module")
def second_dataset(avatars, tmp_path_factory) -> LocalStore:
    return render_source(tmp_path_factory.mktemp("other"), avatars, "imagefolder", seed=5)


def derive(
    sources: list[LocalStore], out: Path, command: str, shard_format: str, *, where: str = "true", **options
) -> LocalStore:
    opened = tuple(SourceDataset.of(s, command == "merge") for s in sources)
    DeriveTask(opened, pick(opened, where), LocalStore(out), command, shard_format, where=where, **options).make()
    return LocalStore(out)


def samples_by_key(store: LocalStore) -> dict[tuple[str, str], DatasetSample]:
    return {(e.split, s.key): s for e in shards(store) for s in samples(store, e)}


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_converting_keeps_every_sample_and_converting_back_every_byte(source_set, tmp_path, shard_format):
    converted = derive([source_set], tmp_path / "there", "convert", shard_format, shard_size=4)
    assert verify(converted).faults == ()
    ours, theirs = samples_by_key(source_set), samples_by_key(converted)
    assert list(ours) and set(ours) == set(theirs)
    for key, s in ours.items():
        assert (theirs[key].picture, theirs[key].caption, theirs[key].extras) == (s.picture, s.caption, s.extras)
    restored = derive([converted], tmp_path / "back", "convert", "webdataset", shard_size=4)
    reconverted = derive([source_set], tmp_path / "again", "convert", "webdataset", shard_size=4)
    data = [n for n in reconverted.list() if n.endswith(".tar")]
    assert data and all(restored.read(n) == reconverted.read(n) for n in data)


@pytest.mark.parametrize("encoding", ["webp", "webp-lossy", "png"])
def test_converting_to_another_encoding_keeps_the_pictures(source_set, tmp_path, encoding):
    converted = derive([source_set], tmp_path / "there", "convert", "parquet", encoding=encoding)
    assert verify(converted).faults == ()
    for key, s in samples_by_key(converted).items():
        before = samples_by_key(source_set)[key]
        assert s.suffix == encoding.partition("-")[0]
        same = decode_rgba(s.picture) == decode_rgba(before.picture)
        assert same.all() if encoding != "webp-lossy" else not same.all()


def test_jpeg_refuses_transparency(source_set, avatars, tmp_path):
    clear = render_source(tmp_path / "clear", avatars, background="transparent", count=3, splits={})
    with pytest.raises(DatasetError, match="no transparency"):
        encoded(next(iter(samples_by_key(clear).values())), "jpeg")


def test_a_subset_has_exactly_the_samples_of_its_condition(source_set, tmp_path):
    expected = {
        (r["split"], r["key"])
        for b in [read_table(source_set.folder / METADATA_TABLE)]
        for r in b
        if r["avatar"] == "free"
    }
    part = derive([source_set], tmp_path / "part", "subset", "imagefolder", where="avatar = 'free'")
    assert set(samples_by_key(part)) == expected and 0 < len(expected) < 12
    assert verify(part).faults == ()
    with pytest.raises(DatasetError, match="for no picture"):
        pick([SourceDataset.of(source_set)], "pose = 'nothing'")


def test_merging_keeps_every_sample_and_its_shots_can_be_rendered(source_set, second_dataset, tmp_path, gl):
    from vrm_synth.dataset.render_task import home_of, source_from

    both = derive([source_set, second_dataset], tmp_path / "deep" / "both", "merge", "webdataset", shard_size=7)
    merged = samples_by_key(both)
    assert len(merged) == 24
    pictures = sorted(s.picture for store in (source_set, second_dataset) for s in samples_by_key(store).values())
    assert sorted(s.picture for s in merged.values()) == pictures
    home = home_of(both, "webdataset")
    redrawn = verify(both, redraw=24, backend=gl, open_avatar=lambda name: opened(source_from(home, name)))
    assert redrawn.faults == () and redrawn.redrawn == 24


def test_merging_incompatible_datasets_is_refused(source_set, avatars, tmp_path):
    with pytest.raises(DatasetError, match="twice"):
        derive([source_set, source_set], tmp_path / "a", "merge", "webdataset")
    bare = render_source(tmp_path / "bare", avatars, passes=(), count=3, splits={})
    with pytest.raises(DatasetError, match="other passes"):
        derive([source_set, bare], tmp_path / "b", "merge", "webdataset")
    bare.delete(COMPLETE_JSON)
    with pytest.raises(DatasetError, match="not finished"):
        SourceDataset.of(bare)


def test_the_same_command_writes_missing_shards_and_another_is_refused(source_set, tmp_path):
    out = derive([source_set], tmp_path / "t", "convert", "webdataset", shard_size=4)
    before = {n: out.read(n) for n in out.list()}
    untouched = {n: (out.folder / n).stat().st_mtime_ns for n in out.list() if "00000" not in n and n.endswith(".tar")}
    out.delete(record_name(0))
    out.delete(COMPLETE_JSON)
    derive([source_set], out.folder, "convert", "webdataset", shard_size=4)
    assert {n: out.read(n) for n in out.list()} == before
    assert untouched and {n: (out.folder / n).stat().st_mtime_ns for n in untouched} == untouched
    with pytest.raises(DatasetError, match="another recipe"):
        derive([source_set], out.folder, "convert", "webdataset", shard_size=3)


def test_the_same_command_leaves_a_complete_dataset_unchanged(source_set, tmp_path):
    out = derive([source_set], tmp_path / "t", "convert", "webdataset", shard_size=4)
    before = {n: (out.folder / n).stat().st_mtime_ns for n in out.list()}
    derive([source_set], out.folder, "convert", "webdataset", shard_size=4)
    assert {n: (out.folder / n).stat().st_mtime_ns for n in out.list()} == before


def test_picked_samples_are_grouped_by_split_in_source_order():
    picks, awkward = PickedSamples(), 'a\n"b\u2028'
    candidates = [PickedSample(k // 6, "ab"[k % 2], k // 3, f"{awkward}{k}") for k in range(12)]
    for p in candidates:
        picks.add(p)
    for _ in range(2):
        assert [*picks.of("a")] == candidates[::2] and [*picks.of("b")] == candidates[1::2]
        text = "".join(f"{p.source} {p.split} {p.shard} {p.key}\n" for p in candidates[::2] + candidates[1::2])
        assert picks.digest() == hashlib.sha256(text.encode()).hexdigest()
    assert picks.counts() == {"a": 6, "b": 6}


def test_a_source_that_contradicts_its_table_is_one_error(source_set, tmp_path):
    import shutil

    shutil.copytree(source_set.folder, tmp_path / "lame")
    lame = LocalStore(tmp_path / "lame")
    shard = shards(lame)[0]
    lame.put_file(f"{shard.stem}.tar", lame.read(f"{shard.stem}.tar")[:600])
    with pytest.raises(DatasetError) as e:
        derive([lame], tmp_path / "out", "convert", "parquet")
    assert "\n" not in str(e.value) and not LocalStore(tmp_path / "out").exists(COMPLETE_JSON)
