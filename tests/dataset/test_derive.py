"""Subsets, merged and converted datasets: the same samples, whole datasets again, resumed and refused like any."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import pytest

from tests.dataset.faults import samples, shards
from vrm_synth.builtin_avatar.avatar_source import open_avatar
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


def made(
    folder: Path, avatars: Path, shard_format: str = "webdataset", passes: tuple[str, ...] = ("mask",), **more
) -> LocalStore:
    """A dataset of twelve small pictures, with two avatars and two splits."""
    store = LocalStore(folder)
    plain = {"avatars": [str(avatars / "free.vrm"), "demo"], "count": 12, "size": 32, "settle_seconds": None}
    recipe = Recipe.model_validate(plain | {"splits": {"test": 0.3}, "seed": 4} | more)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vrm_synth.dataset.render_task.open_avatar", opened)
        dataset = RecipeDataset(
            recipe, store, opened, DatasetSettings(OutputFormat(shard_format, passes=passes), shard_size=5)
        )
        dataset.render_blocks(dataset.missing())
    assert dataset.finish()
    return store


@pytest.fixture(scope="module")
def whole(avatars, tmp_path_factory) -> LocalStore:
    return made(tmp_path_factory.mktemp("whole"), avatars)


@pytest.fixture(scope="module")
def other(avatars, tmp_path_factory) -> LocalStore:
    return made(tmp_path_factory.mktemp("other"), avatars, "imagefolder", seed=5)


def derive(
    sources: list[LocalStore], out: Path, command: str, shard_format: str, *, where: str = "true", **more
) -> LocalStore:
    found = tuple(SourceDataset.of(s, command == "merge") for s in sources)
    DeriveTask(found, pick(found, where), LocalStore(out), command, shard_format, where=where, **more).make()
    return LocalStore(out)


def everything(store: LocalStore) -> dict[tuple[str, str], DatasetSample]:
    return {(e.split, s.key): s for e in shards(store) for s in samples(store, e)}


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_converting_keeps_every_sample_and_back_again_every_byte(whole, tmp_path, shard_format):
    there = derive([whole], tmp_path / "there", "convert", shard_format, shard_size=4)
    assert verify(there).faults == ()
    ours, theirs = everything(whole), everything(there)
    assert list(ours) and set(ours) == set(theirs)
    for key, s in ours.items():
        assert (theirs[key].picture, theirs[key].caption, theirs[key].extras) == (s.picture, s.caption, s.extras)
    back = derive([there], tmp_path / "back", "convert", "webdataset", shard_size=4)
    again = derive([whole], tmp_path / "again", "convert", "webdataset", shard_size=4)
    data = [n for n in again.list() if n.endswith(".tar")]
    assert data and all(back.read(n) == again.read(n) for n in data)


@pytest.mark.parametrize("encoding", ["webp", "webp-lossy", "png"])
def test_converting_pictures(whole, tmp_path, encoding):
    there = derive([whole], tmp_path / "there", "convert", "parquet", encoding=encoding)
    assert verify(there).faults == ()
    for key, s in everything(there).items():
        before = everything(whole)[key]
        assert s.suffix == encoding.partition("-")[0]
        same = decode_rgba(s.picture) == decode_rgba(before.picture)
        assert same.all() if encoding != "webp-lossy" else not same.all()


def test_jpeg_refuses_transparency(whole, avatars, tmp_path):
    clear = made(tmp_path / "clear", avatars, background="transparent", count=3, splits={})
    with pytest.raises(DatasetError, match="no transparency"):
        encoded(next(iter(everything(clear).values())), "jpeg")


def test_a_subset_has_what_the_condition_says_and_nothing_else(whole, tmp_path):
    wanted = {
        (r["split"], r["key"]) for b in [read_table(whole.folder / METADATA_TABLE)] for r in b if r["avatar"] == "free"
    }
    part = derive([whole], tmp_path / "part", "subset", "imagefolder", where="avatar = 'free'")
    assert set(everything(part)) == wanted and 0 < len(wanted) < 12
    assert verify(part).faults == ()
    with pytest.raises(DatasetError, match="for no picture"):
        pick([SourceDataset.of(whole)], "pose = 'nothing'")


def test_merging_loses_nothing_and_its_shots_can_be_drawn(whole, other, tmp_path, gl):
    from vrm_synth.dataset.render_task import home_of, source_from

    both = derive([whole, other], tmp_path / "deep" / "both", "merge", "webdataset", shard_size=7)
    found = everything(both)
    assert len(found) == 24
    pictures = sorted(s.picture for store in (whole, other) for s in everything(store).values())
    assert sorted(s.picture for s in found.values()) == pictures
    home = home_of(both, "webdataset")
    redrawn = verify(both, redraw=24, backend=gl, open_avatar=lambda name: opened(source_from(home, name)))
    assert redrawn.faults == () and redrawn.redrawn == 24


def test_what_does_not_go_together_is_refused(whole, avatars, tmp_path):
    with pytest.raises(DatasetError, match="twice"):
        derive([whole, whole], tmp_path / "a", "merge", "webdataset")
    bare = made(tmp_path / "bare", avatars, passes=(), count=3, splits={})
    with pytest.raises(DatasetError, match="other passes"):
        derive([whole, bare], tmp_path / "b", "merge", "webdataset")
    bare.delete(COMPLETE_JSON)
    with pytest.raises(DatasetError, match="not finished"):
        SourceDataset.of(bare)


def test_the_same_again_makes_what_is_missing_and_another_is_refused(whole, tmp_path):
    out = derive([whole], tmp_path / "t", "convert", "webdataset", shard_size=4)
    before = {n: out.read(n) for n in out.list()}
    kept = {n: (out.folder / n).stat().st_mtime_ns for n in out.list() if "00000" not in n and n.endswith(".tar")}
    out.delete(record_name(0))
    out.delete(COMPLETE_JSON)
    derive([whole], out.folder, "convert", "webdataset", shard_size=4)
    assert {n: out.read(n) for n in out.list()} == before
    assert kept and {n: (out.folder / n).stat().st_mtime_ns for n in kept} == kept
    with pytest.raises(DatasetError, match="another recipe"):
        derive([whole], out.folder, "convert", "webdataset", shard_size=3)


def test_the_same_again_touches_nothing_where_nothing_is_missing(whole, tmp_path):
    out = derive([whole], tmp_path / "t", "convert", "webdataset", shard_size=4)
    before = {n: (out.folder / n).stat().st_mtime_ns for n in out.list()}
    derive([whole], out.folder, "convert", "webdataset", shard_size=4)
    assert {n: (out.folder / n).stat().st_mtime_ns for n in out.list()} == before


def test_picks_come_back_by_split_in_the_order_of_the_sources():
    picks, awkward = PickedSamples(), 'a\n"b\u2028'
    some = [PickedSample(k // 6, "ab"[k % 2], k // 3, f"{awkward}{k}") for k in range(12)]
    for p in some:
        picks.add(p)
    for _ in range(2):
        assert [*picks.of("a")] == some[::2] and [*picks.of("b")] == some[1::2]
        text = "".join(f"{p.source} {p.split} {p.shard} {p.key}\n" for p in some[::2] + some[1::2])
        assert picks.digest() == hashlib.sha256(text.encode()).hexdigest()
    assert picks.counts() == {"a": 6, "b": 6}


def test_a_source_that_is_not_what_its_table_says_stops_it_with_one_line(whole, tmp_path):
    import shutil

    shutil.copytree(whole.folder, tmp_path / "lame")
    lame = LocalStore(tmp_path / "lame")
    shard = shards(lame)[0]
    lame.put_file(f"{shard.stem}.tar", lame.read(f"{shard.stem}.tar")[:600])
    with pytest.raises(DatasetError) as e:
        derive([lame], tmp_path / "out", "convert", "parquet")
    assert "\n" not in str(e.value) and not LocalStore(tmp_path / "out").exists(COMPLETE_JSON)
