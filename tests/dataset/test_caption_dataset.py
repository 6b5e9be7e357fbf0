"""Further captions for finished datasets: written from facts, verified, kept, and safe to interrupt anywhere."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dataset.faults import samples, shards
from tests.dataset.test_derive import derive, render_source, samples_by_key
from tests.patience import HANG
from vrm_synth.caption.captioner import caption
from vrm_synth.caption.settings import CaptionSettings
from vrm_synth.core.errors import DatasetError, RecipeError
from vrm_synth.dataset.caption_columns import dataset_captions
from vrm_synth.dataset.caption_dataset import caption_dataset
from vrm_synth.dataset.dataset_handle import FinishedDataset, open_dataset
from vrm_synth.dataset.finish import is_complete
from vrm_synth.dataset.identity.dataset_json import read_identity
from vrm_synth.dataset.summary.table import query_table, read_table
from vrm_synth.dataset.verify.checks import verify
from vrm_synth.facts.facts import Facts
from vrm_synth.io.file_names import DATASET_JSON, METADATA_TABLE, SHARD_FORMATS
from vrm_synth.io.store import LocalStore

ROOT = Path(__file__).resolve().parents[2]
TAGS = {"style": "tags", "trigger": "ohwx"}


@pytest.fixture(scope="module")
def sources(avatars, tmp_path_factory) -> dict[str, LocalStore]:
    """A dataset of twelve pictures in each format; the tests copy it."""
    first = render_source(tmp_path_factory.mktemp("first"), avatars, "webdataset")
    others = {f: derive([first], tmp_path_factory.mktemp(f), "convert", f, shard_size=5) for f in SHARD_FORMATS[::2]}
    return {"webdataset": first, **others}


@pytest.fixture
def copy(sources, tmp_path) -> Callable[[str], LocalStore]:
    def make(shard_format: str) -> LocalStore:
        shutil.copytree(sources[shard_format].folder, tmp_path / shard_format)
        return LocalStore(tmp_path / shard_format)

    return make


def handle(store: LocalStore) -> FinishedDataset:
    return open_dataset(store.folder)


def files(store: LocalStore) -> dict[str, bytes]:
    return {name: store.read(name) for name in store.list()}


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_a_column_is_written_from_facts_and_everything_else_stays(sources, copy, shard_format):
    store, seen = copy(shard_format), []
    before = samples_by_key(store)
    caption_dataset(store.folder, "tags", TAGS, progress=lambda done, total: seen.append((done, total)))
    after = samples_by_key(store)
    assert list(after) == list(before) and seen[0][0] == 0 and seen[-1][0] == seen[-1][1] == len(seen) - 1
    for key, s in after.items():
        old = before[key]
        assert (s.picture, s.caption, s.extras) == (old.picture, old.caption, old.extras)
        assert {k: v for k, v in s.row.items() if k != "tags"} == old.row
        seed = s.row["shot"]["choices"]["wording"]
        assert s.row["tags"] == caption(Facts.from_json(s.row["facts"]), CaptionSettings(**TAGS), seed)
        assert s.row["tags"].startswith("ohwx, ")
    assert verify(store).faults == () and is_complete(store)
    rows = {r["key"]: r["tags"] for r in read_table(store.folder / METADATA_TABLE)}
    assert rows == {key: s.row["tags"] for (_, key), s in after.items()}
    (row, *_) = query_table(store.folder / METADATA_TABLE, "tags like 'ohwx%'", ("tags",))
    assert len(row) == 12 and "`tags`" in store.read("README.md").decode()
    if shard_format == "imagefolder":
        changed = {n for n, data in files(store).items() if data != files(sources[shard_format]).get(n)}
        assert not any(name.endswith(".png") and name != "contact_sheet.png" for name in changed)


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_the_same_again_changes_nothing_and_other_settings_are_refused(copy, shard_format):
    store = copy(shard_format)
    caption_dataset(store.folder, "tags", TAGS)
    whole = files(store)
    caption_dataset(store.folder, "tags", CaptionSettings(**TAGS))
    assert files(store) == whole
    for settings in ({"style": "tags"}, {**TAGS, "style": "ja"}):
        with pytest.raises(DatasetError, match=r"has a column tags by other settings.*another column"):
            caption_dataset(store.folder, "tags", settings)
    with pytest.raises(DatasetError, match="has a column caption by other settings"):
        caption_dataset(store.folder, "caption", {"style": "ja"})
    caption_dataset(store.folder, "caption", {"style": "en"})
    assert files(store) == whole


def test_several_workers_write_the_same_bytes(copy, tmp_path):
    store = copy("webdataset")
    shutil.copytree(store.folder, tmp_path / "other")
    caption_dataset(store.folder, "tags", TAGS)
    caption_dataset(tmp_path / "other", "tags", TAGS, workers=2)
    assert files(store) == files(LocalStore(tmp_path / "other"))


@pytest.mark.parametrize("wrong", ["tag", "Tags", "shot", "caption-2", "", "tags_" + "x" * 40])
def test_a_name_that_is_no_column_is_refused_before_anything_is_written(copy, wrong):
    store = copy("imagefolder")
    before = files(store)
    with pytest.raises(DatasetError, match="not a column"):
        caption_dataset(store.folder, wrong, TAGS)
    with pytest.raises(RecipeError, match="did you mean tags"):
        caption_dataset(store.folder, "tags", {"style": "tag"})
    with pytest.raises(DatasetError, match="both settings and a captioner"):
        caption_dataset(store.folder, "tags", TAGS, captioner=lambda facts, seed: "x")
    assert files(store) == before


class Stopped(BaseException):
    """The machine stops here."""


class StoppingStore(LocalStore):
    """A store that stops before its n-th write."""

    left = 0

    def _count(self) -> None:
        if self.left == 0:
            raise Stopped
        StoppingStore.left -= 1

    def put_file(self, name: str, source: Any) -> None:
        self._count()
        super().put_file(name, source)

    def put_files(self, some: Any) -> None:
        for name, data in some.items():
            self.put_file(name, data)

    def delete(self, name: str) -> None:
        self._count()
        super().delete(name)


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_stopped_before_any_write_the_same_call_finishes(sources, copy, tmp_path, shard_format):
    """At each write, in turn: the dataset then is unfinished or whole, and never wrong."""
    expected = copy(shard_format)
    caption_dataset(expected.folder, "tags", TAGS)
    whole, n = files(expected), 0
    while True:
        folder = tmp_path / f"{n}"
        shutil.copytree(sources[shard_format].folder, folder)
        StoppingStore.left = n
        try:
            caption_dataset(FinishedDataset(StoppingStore(folder), str(folder)), "tags", TAGS)
            break
        except Stopped:
            pass
        store = LocalStore(folder)
        if is_complete(store):
            assert n == 0 and verify(store).faults == ()
        elif n > 2:
            assert all("lacks the captions" in f.what or "record says" in f.what or f.shard is None
                       for f in verify(store).faults)  # fmt: skip
        caption_dataset(folder, "tags", TAGS)
        assert files(store) == whole, n
        n += 1
    assert n > 8


def test_killed_at_any_moment_the_same_command_finishes(sources, copy, tmp_path):
    expected = copy("webdataset")
    caption_dataset(expected.folder, "tags", {"style": "tags"})
    command = [sys.executable, "-m", "vrm_synth", "caption", "--style", "tags", "--workers", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for n in range(2):
        folder = tmp_path / f"killed{n}"
        shutil.copytree(sources["webdataset"].folder, folder)
        process = subprocess.Popen([*command, str(folder)], env=environment, stderr=subprocess.PIPE)
        while process.poll() is None and (folder / "complete.json").exists():
            time.sleep(0.001)
        time.sleep(n * 0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=HANG)
        again = subprocess.run([*command, str(folder)], env=environment, capture_output=True, text=True, timeout=HANG)
        assert again.returncode == 0, again.stderr
        assert "12 pictures" in again.stdout and "column tags" in again.stdout
        assert files(LocalStore(folder)) == files(expected)


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_a_damaged_shard_is_refused_and_not_recorded_as_sound(copy, shard_format):
    store = copy(shard_format)
    (shard, *_) = shards(store)
    name = next(n for n in store.list("train") if n.endswith((".tar", ".parquet", "metadata.jsonl")))
    data = store.read(name)
    caption_text = samples(store, shard)[0].caption.encode()
    changed = data.replace(caption_text, caption_text.swapcase())
    assert changed != data
    store.put_file(name, changed)
    with pytest.raises(DatasetError, match=r"another shard than its record says|differ"):
        caption_dataset(store.folder, "tags", TAGS)
    assert not is_complete(store) and any(f.shard == shard.number for f in verify(store).faults)


def test_an_unfinished_dataset_is_refused(copy):
    store = copy("imagefolder")
    store.delete("records/00000.json")
    with pytest.raises(DatasetError, match=r"not finished.*vrm-synth render"):
        caption_dataset(store.folder, "tags", TAGS)


def test_a_dataset_without_facts_is_refused_in_one_line(copy):
    store = copy("imagefolder")
    identity = read_identity(store)
    del identity["recipe"]["captions"]
    store.put_file(DATASET_JSON, json.dumps({**identity, "format": 1, "vrm_synth": "0.3.0"}).encode())
    for act in (lambda: caption_dataset(store.folder, "tags", TAGS), lambda: verify(store)):
        with pytest.raises(DatasetError, match=r"kept no facts of its pictures; got vrm-synth 0\.3\.0; allowed: the"):
            act()


# ---------------------------------------------------------------- captioners of the user's own


def framing_word(facts: Facts, seed: int) -> str:
    """A captioner of the user's own."""
    return f"{facts.framing or 'some'} of a figure, {seed % 7}"


def test_a_captioner_of_ones_own_fills_a_column_that_verify_holds_to_its_bytes(copy):
    store = copy("parquet")
    caption_dataset(store.folder, "caption_own", captioner=framing_word)
    assert verify(store).faults == ()
    for s in handle(store):
        assert s.row["caption_own"] == framing_word(s.facts, s.shot.choices.wording)
    assert "captioner of its maker" in store.read("README.md").decode()
    with pytest.raises(DatasetError, match="other settings"):
        caption_dataset(store.folder, "caption_own", captioner=lambda facts, seed: "x")


@pytest.mark.parametrize("bad", [lambda facts, seed: 3, lambda facts, seed: "x" * 20_000, lambda facts, seed: 1 / 0])
def test_a_captioner_that_fails_says_where_and_another_can_go_on(copy, bad):
    store = copy("imagefolder")
    with pytest.raises(DatasetError, match="captioner") as e:
        caption_dataset(store.folder, "caption_own", captioner=bad)
    assert "0000" in str(e.value)


# ---------------------------------------------------------------- derived and grown datasets


def test_subsets_and_merged_datasets_keep_every_column_and_each_its_settings(copy, avatars, tmp_path):
    first, second = copy("webdataset"), render_source(tmp_path / "second", avatars, seed=5)
    caption_dataset(first.folder, "tags", TAGS)
    with pytest.raises(DatasetError, match="other columns of captions do not merge; got tags"):
        derive([first, second], tmp_path / "no", "merge", "parquet")
    caption_dataset(second.folder, "tags", {"style": "tags", "trigger": "sks"})
    merged = derive([first, second], tmp_path / "merged", "merge", "parquet")
    assert verify(merged).faults == ()
    part = derive([merged], tmp_path / "part", "subset", "imagefolder", where="facts.view.elevation is not null")
    assert verify(part).faults == ()
    words = {s.row["tags"].partition(",")[0] for s in handle(part)}
    assert words == {"ohwx", "sks"} and len(handle(part)) == 24
    caption_dataset(part.folder, "caption_ja", {"style": "ja"})
    assert verify(part).faults == () and dataset_captions(read_identity(part)).names == (
        "caption",
        "tags",
        "caption_ja",
    )
    forged = derive([part], tmp_path / "again", "merge", "parquet")
    assert verify(forged).faults == ()


def test_a_dataset_that_grows_has_the_column_in_its_new_shards(avatars, tmp_path):
    small = render_source(tmp_path / "grown", avatars, count=7)
    caption_dataset(small.folder, "tags", TAGS)
    grown = render_source(tmp_path / "grown", avatars, count=12)
    assert verify(grown).faults == () and all(s.row["tags"].startswith("ohwx, ") for s in handle(grown))
    at_once = render_source(tmp_path / "whole", avatars, count=12)
    caption_dataset(at_once.folder, "tags", TAGS)
    assert files(grown) == files(at_once)


def test_a_recipe_has_several_columns_and_the_words_of_its_own(avatars, tmp_path):
    words = {"free.vrm": {"name": "Aki", "kind": "boy", "style": "anime"}}
    columns = {"tags": {"style": "tags"}, "caption": {"style": "en", "trigger": "ohwx"}}
    store = render_source(tmp_path / "set", avatars, captions=columns, characters=words)
    assert verify(store).faults == () and dataset_captions(read_identity(store)).names == ("caption", "tags")
    for s in handle(store):
        assert s.caption == s.row["caption"] and s.caption.startswith("ohwx, ") and s.row["tags"].startswith("1")
        if s.row["avatar"] == "free":
            assert (s.facts.character.name, s.facts.character.kind) == ("Aki", "boy") and "1boy" in s.row["tags"]


# ---------------------------------------------------------------- verify


def forge(store: LocalStore, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a row of the first shard, and record it as if it had been made so."""
    from dataclasses import replace

    from tests.dataset.faults import replace_shard

    (shard, *_) = shards(store)
    contents = samples(store, shard)
    row = json.loads(json.dumps(contents[0].row))
    change(row)
    replace_shard(store, shard, [replace(contents[0], row=row, caption=row["caption"]), *contents[1:]])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda row: row.update(tags="1girl, solo"), "a tags that is not its facts'"),
        (lambda row: row.update(caption="A girl."), "a caption that is not its facts'"),
        (lambda row: row["facts"].update(hair={"colors": ["mauve-ish"]}), "facts of no vocabulary: facts.hair.colors"),
        (lambda row: row["facts"].update(framing="whole"), "its facts are none: facts.framing"),
        (lambda row: row["facts"].update(mood="glad"), "its facts are none: facts: no such key; got mood"),
        (lambda row: row["facts"]["view"].update(azimuth="3"), "its facts are none: facts.view.azimuth"),
        (lambda row: row["facts"]["character"].update(kind="hobbit"), "facts of no vocabulary"),
        (lambda row: row.update(mood="glad"), "a column that the dataset has not: mood"),
    ],
)
def test_forged_words_and_facts_are_found_without_drawing(copy, change, fault):
    store = copy("webdataset")
    caption_dataset(store.folder, "tags", TAGS)
    forge(store, change)
    found = [f.what for f in verify(store).faults]
    assert any(what.startswith(fault) for what in found), found
