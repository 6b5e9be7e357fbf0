"""Rendering a dataset: the same bytes for any order, number of workers and interruption, and no lost shot."""

from __future__ import annotations

import functools
import json
import multiprocessing
import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests.dataset.renders import COUNT, SHARD, claim, files, render, rows
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.render_task import CrashedShot, RenderResult
from vrm_synth.dataset.shards.record import read_records
from vrm_synth.dataset.shot_list.reader import read_shots
from vrm_synth.dataset.shot_list.shot_list_task import ShotListTask, answer_shots
from vrm_synth.execution.process_pool import run_task

pytestmark = pytest.mark.usefixtures("cached_avatars")


def test_a_dataset_has_its_files(rendered, avatars):
    names = files(rendered)
    pictures = sorted(name for name in names if name.endswith(".png") and name != "contact_sheet.png")
    assert [Path(p).stem for p in sorted(pictures, key=lambda p: Path(p).stem)] == [f"{i:06d}" for i in range(COUNT)]
    lines = {f"{Path(p).parent}/metadata.jsonl" for p in pictures}
    records = {f"records/{n:05d}.json" for n in range(6)}  # three blocks, two splits
    summaries = {"metadata.parquet", "README.md", "contact_sheet.png", "dataset.json", "complete.json"}
    assert set(names) == {*pictures, *lines, *records, *summaries}
    assert {p.split("/")[0] for p in pictures} == {"train", "test"}
    hashes = {"free": open_avatar(str(avatars / "free.vrm")).sha256, "demo": open_avatar("demo").sha256}
    assert {r["avatar"]: r["avatar_sha256"] for r in rows(rendered)} == hashes
    for i, row in enumerate(rows(rendered)):
        assert row["i"] == i and row["license"] == "CC0-1.0" and row["caption"].endswith(".") and row["seed"] == 4
        (file,) = rendered.glob(f"t*/*/{i:06d}.png")
        with Image.open(file) as picture:
            assert picture.size == (48, 64) and picture.mode == "RGBA"
            assert picture.getchannel("A").getextrema() == (0 if row["shot"]["background"] is None else 255, 255)


def test_a_second_run_and_blocks_in_another_order_make_the_same_bytes(recipe_file, rendered):
    assert files(render(recipe_file, rendered.parent / "again")) == files(rendered)
    parts = rendered.parent / "parts"
    for block in (2, 0, 1):
        assert not (parts / "complete.json").exists()
        render(recipe_file, parts, blocks=[block])
    assert files(parts) == files(rendered)


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_makes_the_same_bytes(recipe_file, rendered, workers):
    out, progress = rendered.parent / f"by {workers}", []
    render(recipe_file, out, workers=workers, done=lambda: progress.append(1))
    assert files(out) == files(rendered) and len(progress) == COUNT
    assert multiprocessing.active_children() == []


def test_finished_shards_are_not_touched_and_missing_ones_are_rendered(recipe_file, rendered, tmp_path):
    out = tmp_path / "resumed"
    shutil.copytree(rendered, out)
    (out / "records" / "00002.json").unlink()
    (out / "complete.json").unlink()
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    progress = []
    render(recipe_file, out, done=lambda: progress.append(1))
    assert len(progress) == SHARD and files(out) == files(rendered)
    untouched = [p for p, mtime in before.items() if p.stat().st_mtime_ns == mtime]
    assert {p.relative_to(out).parts[0] for p in untouched} >= {"records", "train", "dataset.json"}
    blocks = {n: {int(p.stem) // SHARD for p in paths if p.parent.name.isdecimal() and p.suffix == ".png"}
              for n, paths in (("untouched", untouched), ("rendered", set(before) - set(untouched)))}  # fmt: skip
    assert blocks == {"untouched": {0, 2}, "rendered": {1}}


def test_complete_json_is_absent_while_a_shard_is_missing(recipe_file, rendered, tmp_path):
    out = tmp_path / "resumed"
    shutil.copytree(rendered, out)
    (out / "records" / "00002.json").unlink()
    marked = []
    render(recipe_file, out, done=lambda: marked.append((out / "complete.json").exists()))
    assert marked == [False] * SHARD and files(out) == files(rendered)


@pytest.mark.parametrize("damage", [b"", b"{}", None])
def test_a_shard_with_a_damaged_record_is_rendered_again(recipe_file, rendered, tmp_path, damage):
    out = tmp_path / "resumed"
    shutil.copytree(rendered, out)
    record = out / "records" / "00001.json"
    record.write_bytes((out / "records" / "00003.json").read_bytes() if damage is None else damage)
    assert claim(recipe_file, out).missing() == [0]
    assert files(render(recipe_file, out)) == files(rendered)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_picture_can_be_rendered_again_from_its_metadata_line(rendered, tmp_path, workers):
    for lines in rendered.glob("t*/*/metadata.jsonl"):
        events = list(answer_shots(read_shots(lines), ShotListTask(tmp_path, lines.parent, "gl", 0), workers))
        assert not any(getattr(e, "error", "") for e in events)
    for file in rendered.glob("t*/*/*.png"):
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_held_out_avatars_appear_in_no_other_split(changed_recipe, tmp_path):
    path = changed_recipe(splits={"test": 0.5}, split_by="avatar", count=12)
    out = render(path, tmp_path / "s")
    avatars = {split: {json.loads(line)["avatar"] for file in out.glob(f"{split}/*/metadata.jsonl")
                    for line in file.read_text().splitlines()} for split in ("train", "test")}  # fmt: skip
    assert len(avatars["train"]) == len(avatars["test"]) == 1 and not avatars["train"] & avatars["test"]
    with pytest.raises(DatasetError, match="too few avatars to split by avatar"):
        render(changed_recipe(splits={"test": 0.5}, split_by="avatar", avatars=["demo"]), tmp_path / "t")


def test_an_interruption_keeps_whole_shards_and_the_same_command_renders_the_rest(recipe_file, rendered):
    out, drawn = rendered.parent / "interrupted", []

    def interrupt():
        drawn.append(1)
        if len(drawn) == SHARD + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(recipe_file, out, done=interrupt)
    assert claim(recipe_file, out).missing() == [1, 2] and not (out / "complete.json").exists()
    drawn.clear()
    assert files(render(recipe_file, out, done=lambda: drawn.append(1))) == files(rendered)
    assert len(drawn) == COUNT - SHARD


def test_partial_files_of_a_killed_run_are_removed(recipe_file, rendered):
    out = rendered.parent / "killed"
    claim(recipe_file, out)
    (out / "train" / "00000").mkdir(parents=True)
    (out / "train" / "00000" / ".000000.png.123.part").write_bytes(b"half")
    assert files(render(recipe_file, out)) == files(rendered)


@pytest.mark.parametrize(("crashes", "quarantined"), [(1, {}), (2, {"000002": "2 processes that drew it died"})])
def test_a_shot_that_kills_its_worker_is_retried_and_then_quarantined(
    recipe_file, rendered, tmp_path, crashes, quarantined
):
    """`crashing` stands in for a process pool and loses shot 2; test_process_pool.py has real crashes."""
    remaining = [crashes]

    def crashing(task, groups, skip):
        for event in run_task(task, groups, skip=skip):
            if isinstance(event, RenderResult) and event.i == 2 and remaining[0]:
                remaining[0] -= 1
                event = CrashedShot(2, "SIGKILL")
            yield event

    dataset, notes = claim(recipe_file, tmp_path / "d"), []
    progress = dataset.render_blocks(dataset.missing(), crashing, note=notes.append)
    dataset.finish()
    assert progress.crashes == crashes and progress.quarantined == len(quarantined)
    assert json.loads((tmp_path / "d" / "complete.json").read_text())["quarantined"] == quarantined
    assert notes[0] == "shot 000002: the process that drew it died (SIGKILL)"
    if not quarantined:
        assert files(tmp_path / "d") == files(rendered)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_avatar_file_removed_or_changed_during_the_run_stops_it_without_quarantine(avatars, tmp_path, workers):
    avatar_file = tmp_path / "away.vrm"
    shutil.copy(avatars / "free.vrm", avatar_file)
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump({"avatars": ["away.vrm"], "count": COUNT, "size": 32, "settle_seconds": 0.0}))
    dataset = claim(path, tmp_path / "set")
    avatar_file.rename(tmp_path / "elsewhere.vrm")
    with pytest.raises(DatasetError, match=r"an avatar cannot be read any more: .*away\.vrm.*No such file"):
        dataset.render_blocks(dataset.missing(), functools.partial(run_task, workers=workers))
    shutil.copy(avatars / "kept.vrm", avatar_file)
    with pytest.raises(DatasetError, match=r"away\.vrm: an avatar is another file than when the run began"):
        dataset.render_blocks(dataset.missing(), functools.partial(run_task, workers=workers))
    assert list(read_records(dataset.store)) == []
    (tmp_path / "elsewhere.vrm").rename(avatar_file)
    assert len(rows(render(path, tmp_path / "set"))) == COUNT


def test_a_killed_worker_changes_no_byte(changed_recipe, rendered, tmp_path):
    path, killed = changed_recipe(settle_seconds=2.0), []

    def kill():
        if not killed and multiprocessing.active_children():
            killed.append(1)
            multiprocessing.active_children()[0].kill()

    out = render(path, tmp_path / "k", workers=2, done=kill)
    assert killed and files(out) == files(render(path, tmp_path / "l"))
    assert multiprocessing.active_children() == []
