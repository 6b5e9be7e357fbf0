"""Datasets: the same bytes however they are made, pictures that can be made again, and a gate that holds."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from vrm_synth import __version__
from vrm_synth.builtin_avatar.avatar_source import open_avatar
from vrm_synth.core.errors import DatasetError, LicenseError, RecipeError, ShotError
from vrm_synth.dataset import image_checks, render_task
from vrm_synth.dataset import render_shot as render_shot_module
from vrm_synth.dataset.render_blocks import RecipeDataset
from vrm_synth.dataset.render_shot import pose_for, render_shot
from vrm_synth.dataset.render_task import CrashedShot, RenderResult, gaze_in_angles, path_from
from vrm_synth.dataset.settings import DatasetSettings, OutputFormat
from vrm_synth.dataset.shards.record import read_records
from vrm_synth.dataset.shards.writers import rows_of
from vrm_synth.dataset.shot_list.reader import read_shots
from vrm_synth.dataset.shot_list.shot_list_task import ShotListTask, answer_shots
from vrm_synth.execution.process_pool import run_task
from vrm_synth.io.image_decoder import decode_rgba
from vrm_synth.io.shard_readers import read_shard
from vrm_synth.io.store import LocalStore
from vrm_synth.pose.evaluate import LookAtAngles
from vrm_synth.shot import Shot, load_recipe, plan_shot, source_at
from vrm_synth.vrm import Avatar

COUNT, SHARD = 10, 4
STRICT = (
    "VRM Public License 1.0 (avatarPermission=onlyAuthor; commercialUsage=personalNonProfit; creditNotation=required; "
    "modification=prohibited)"
)
once = functools.cache(open_avatar)


def opened(source: str) -> Avatar:
    """The built-in avatar takes a second to make: once is enough."""
    return once(source) if source == "demo" else open_avatar(source)


@pytest.fixture(scope="module", autouse=True)
def avatars_are_opened_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render_task, "open_avatar", opened)
        yield


@pytest.fixture(scope="module")
def recipe_file(avatars, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    settings = {
        "avatars": [os.path.relpath(avatars / "free.vrm", folder), "demo"],
        "count": COUNT,
        "seed": 4,
        "size": [48, 64],
        "background": {"transparent": 1, "pink": 1},
        "settle_seconds": 0.1,
        "splits": {"test": 0.25},
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(settings))
    return folder / "recipe.yaml"


@pytest.fixture
def change(recipe_file, tmp_path):
    """The recipe with other settings, beside it so that its paths stay right."""

    def change(**settings):
        path = recipe_file.parent / f"{tmp_path.name}.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(recipe_file.read_text()), **settings}))
        return path

    return change


def dataset(recipe_file, out, settings=None):
    return RecipeDataset(
        load_recipe(recipe_file), LocalStore(out), opened, settings or DatasetSettings(shard_size=SHARD)
    )


def render(recipe_file, out, settings=None, blocks=None, workers=1, done=lambda: None, note=lambda text: None):
    made = dataset(recipe_file, out, settings)
    made.render_blocks(made.missing(blocks), functools.partial(run_task, workers=workers), done, note)
    made.finish()
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def rows(folder: Path, shard_format="imagefolder") -> list[dict]:
    """Every line of metadata, in the order of the shots."""
    store = LocalStore(folder)
    found = [row for r in read_records(store) if r.keys for _, row in rows_of(store, shard_format, r.split, r.shard)]
    return sorted(found, key=lambda row: row["i"])


@pytest.fixture(scope="module")
def whole(recipe_file, tmp_path_factory):
    """The dataset that the other tests look at; they do not change it."""
    return render(recipe_file, tmp_path_factory.mktemp("sets") / "whole")


def test_a_dataset_has_its_files(whole, avatars):
    found = files(whole)
    pictures = sorted(name for name in found if name.endswith(".png") and name != "contact_sheet.png")
    assert [Path(p).stem for p in sorted(pictures, key=lambda p: Path(p).stem)] == [f"{i:06d}" for i in range(COUNT)]
    lines = {f"{Path(p).parent}/metadata.jsonl" for p in pictures}
    records = {f"records/{n:05d}.json" for n in range(6)}  # three blocks, two splits
    own = {"metadata.parquet", "README.md", "contact_sheet.png", "dataset.json", "complete.json"}
    assert set(found) == {*pictures, *lines, *records, *own}
    assert {p.split("/")[0] for p in pictures} == {"train", "test"}
    hashes = {"free": open_avatar(str(avatars / "free.vrm")).sha256, "demo": open_avatar("demo").sha256}
    assert {r["avatar"]: r["avatar_sha256"] for r in rows(whole)} == hashes
    for i, row in enumerate(rows(whole)):
        assert row["i"] == i and row["license"] == "CC0-1.0" and row["caption"].endswith(".") and row["seed"] == 4
        (file,) = whole.glob(f"t*/*/{i:06d}.png")
        with Image.open(file) as picture:
            assert picture.size == (48, 64) and picture.mode == "RGBA"
            assert picture.getchannel("A").getextrema() == (0 if row["shot"]["background"] is None else 255, 255)


def test_made_again_and_block_by_block_in_another_order_it_is_the_same_to_the_byte(recipe_file, whole):
    assert files(render(recipe_file, whole.parent / "again")) == files(whole)
    parts = whole.parent / "parts"
    for block in (2, 0, 1):
        assert not (parts / "complete.json").exists()
        render(recipe_file, parts, blocks=[block])
    assert files(parts) == files(whole)


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_makes_the_same_bytes(recipe_file, whole, workers):
    out, told = whole.parent / f"by {workers}", []
    render(recipe_file, out, workers=workers, done=lambda: told.append(1))
    assert files(out) == files(whole) and len(told) == COUNT
    assert multiprocessing.active_children() == []


def test_finished_shards_are_not_touched_and_missing_ones_are_made(recipe_file, whole, tmp_path):
    out = tmp_path / "resumed"
    shutil.copytree(whole, out)
    (out / "records" / "00002.json").unlink()
    (out / "complete.json").unlink()
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    told = []
    render(recipe_file, out, done=lambda: told.append(1))
    assert len(told) == SHARD and files(out) == files(whole)
    kept = [p for p, at in before.items() if p.stat().st_mtime_ns == at]
    assert {p.relative_to(out).parts[0] for p in kept} >= {"records", "train", "dataset.json"}
    blocks = {n: {int(p.stem) // SHARD for p in some if p.parent.name.isdecimal() and p.suffix == ".png"}
              for n, some in (("kept", kept), ("made", set(before) - set(kept)))}  # fmt: skip
    assert blocks == {"kept": {0, 2}, "made": {1}}


def test_while_anything_is_missing_there_is_no_mark_of_completion(recipe_file, whole, tmp_path):
    out = tmp_path / "resumed"
    shutil.copytree(whole, out)
    (out / "records" / "00002.json").unlink()
    marked = []
    render(recipe_file, out, done=lambda: marked.append((out / "complete.json").exists()))
    assert marked == [False] * SHARD and files(out) == files(whole)


@pytest.mark.parametrize("damage", [b"", b"{}", None])
def test_a_damaged_record_is_a_missing_shard(recipe_file, whole, tmp_path, damage):
    out = tmp_path / "resumed"
    shutil.copytree(whole, out)
    record = out / "records" / "00001.json"
    record.write_bytes((out / "records" / "00003.json").read_bytes() if damage is None else damage)
    assert dataset(recipe_file, out).missing() == [0]
    assert files(render(recipe_file, out)) == files(whole)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_picture_can_be_made_again_from_its_line(whole, tmp_path, workers):
    for lines in whole.glob("t*/*/metadata.jsonl"):
        events = list(answer_shots(read_shots(lines), ShotListTask(tmp_path, lines.parent, "gl", 0), workers))
        assert not any(getattr(e, "error", "") for e in events)
    for file in whole.glob("t*/*/*.png"):
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_datasets_loads_it_and_hands_back_shots(whole, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    from datasets import load_dataset

    found = load_dataset("imagefolder", data_dir=str(whole), cache_dir=str(tmp_path / "cache"))
    assert set(found) == {"train", "test"} and sum(s.num_rows for s in found.values()) == COUNT
    loaded = {entry["i"]: entry for split in found.values() for entry in split}
    for row in rows(whole):
        entry = loaded[row["i"]]
        assert entry["caption"] == row["caption"] and entry["image"].size == (48, 64)
        assert Shot.from_json(json.loads(entry["shot"])) == Shot.from_json(row["shot"])


@pytest.mark.parametrize("shard_format", ["webdataset", "parquet"])
def test_the_other_formats_hold_the_same_samples(recipe_file, whole, tmp_path, shard_format):
    out = render(recipe_file, tmp_path / shard_format, DatasetSettings(OutputFormat(shard_format), SHARD))
    pictures = {}
    for record in read_records(LocalStore(out)):
        for sample in read_shard(LocalStore(out), shard_format, record.split, record.shard) if record.keys else ():
            pictures[sample.key] = sample.picture
    assert pictures == {p.stem: p.read_bytes() for p in whole.glob("t*/*/*.png")}

    def told(found):
        return [{**r, "shot": {**r["shot"], "avatar": Path(r["shot"]["avatar"]).name}} for r in found]

    assert told(rows(out, shard_format)) == told(rows(whole))
    assert (out / "metadata.parquet").exists() and (out / "complete.json").exists()


def test_webdataset_and_pyarrow_read_it(recipe_file, tmp_path):
    import pyarrow.parquet as pq
    import webdataset

    out = render(recipe_file, tmp_path / "w", DatasetSettings(OutputFormat("webdataset", passes=("mask",)), SHARD))
    tars = sorted(map(str, out.glob("*/*.tar")))
    samples = list(webdataset.WebDataset(tars, shardshuffle=False).decode("pil"))
    table = pq.read_table(out / "metadata.parquet").to_pylist()
    assert sorted(s["__key__"] for s in samples) == sorted(row["key"] for row in table)
    assert {s["__key__"]: s["txt"] for s in samples} == {row["key"]: row["caption"] for row in table}
    assert all(s["mask.png"].size == s["png"].size == (48, 64) for s in samples)
    for tar in tars:
        index = [
            json.loads(line) for line in (out / "records" / f"{Path(tar).stem}.index.jsonl").read_text().splitlines()
        ]
        data = Path(tar).read_bytes()
        for entry in index:
            at, size = entry["members"]["png"]
            assert data[at : at + 8] == b"\x89PNG\r\n\x1a\n" and data[at + size - 8 : at + size - 4] == b"IEND"


@pytest.mark.parametrize("encoding", ["webp", "webp-lossy", "jpeg", "jxl"])
def test_encodings_hold_the_picture(change, whole, tmp_path, encoding):
    path = change(background="pink", count=3)
    out = render(path, tmp_path / encoding, DatasetSettings(OutputFormat(encoding=encoding), SHARD))
    plain = render(path, tmp_path / "plain")
    for file in plain.glob("t*/*/*.png"):
        (other,) = out.glob(f"t*/*/{file.stem}.*")
        with Image.open(file) as a, Image.open(other) as b:
            difference = abs(np.asarray(a.convert("RGB"), int) - np.asarray(b.convert("RGB"), int))
        assert difference.max() == 0 if encoding in ("webp", "jxl") else difference.mean() < 3


def test_jpeg_refuses_transparency(recipe_file, tmp_path):
    with pytest.raises(DatasetError, match="JPEG has no transparency"):
        dataset(recipe_file, tmp_path / "new", DatasetSettings(OutputFormat(encoding="jpeg"), SHARD))
    assert not (tmp_path / "new").exists()


def test_a_mask_is_the_figure_without_its_background(change, tmp_path):
    out = render(
        change(background="pink", count=2), tmp_path / "m", DatasetSettings(OutputFormat(passes=("mask",)), SHARD)
    )
    for file in out.glob("t*/*/*.mask.png"):
        with Image.open(file) as mask, Image.open(file.with_name(f"{file.name.split('.')[0]}.png")) as picture:
            covered, rgb = np.asarray(mask), np.asarray(picture.convert("RGB"), int)
        assert covered.ndim == 2 and 0 < (covered > 0).mean() < 1
        assert (rgb[covered == 0] == rgb[0, 0]).all()


def test_held_out_avatars_are_shown_nowhere_else(change, tmp_path):
    path = change(splits={"test": 0.5}, split_by="avatar", count=12)
    out = render(path, tmp_path / "s")
    seen = {split: {json.loads(line)["avatar"] for file in out.glob(f"{split}/*/metadata.jsonl")
                    for line in file.read_text().splitlines()} for split in ("train", "test")}  # fmt: skip
    assert len(seen["train"]) == len(seen["test"]) == 1 and not seen["train"] & seen["test"]
    with pytest.raises(DatasetError, match="too few avatars to split by avatar"):
        render(change(splits={"test": 0.5}, split_by="avatar", avatars=["demo"]), tmp_path / "t")


def test_shots_name_files_from_their_own_folder_and_built_in_avatars_as_they_are(whole, avatars):
    for lines in whole.glob("t*/*/metadata.jsonl"):
        for line in lines.read_text().splitlines():
            named = json.loads(json.loads(line)["shot"])["avatar"]
            assert named == "demo" or os.path.samefile(lines.parent / named, avatars / "free.vrm")


def test_paths_are_right_from_a_folder_behind_a_link(tmp_path):
    (tmp_path / "deep" / "real").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "real")
    (tmp_path / "a.vrm").write_bytes(b"")
    assert os.path.samefile(
        tmp_path / "link" / path_from(tmp_path / "link", str(tmp_path / "a.vrm")), tmp_path / "a.vrm"
    )


def test_a_gaze_at_a_point_is_kept_as_angles_that_draw_the_same(gl, avatars):
    avatar = open_avatar(str(avatars / "free.vrm"))
    camera = {"position": [0.5, 1.6, 3], "target": [0, 1.6, 0]}
    entry = {"id": "a", "avatar": "x", "camera": camera, "size": [64, 64], "look_at": [0.5, 1.9, 2]}
    shot = Shot.from_json(entry | {"pose": {"bones": {"head": [0, 0.1, 0, 0.995]}}})
    angled = gaze_in_angles(avatar, shot)
    assert isinstance(angled.figure.look_at, LookAtAngles)
    (before, first), (after, second) = render_shot(gl, avatar, shot), render_shot(gl, avatar, angled)
    assert before.look_at == after.look_at and before.look_at.yaw != 0
    assert (first.rgba == second.rgba).all() and (before.world_from_node == after.world_from_node).all()


def test_a_shot_without_a_gaze_is_posed_once(recipe_file, gl, monkeypatch):
    """Planning has posed it: whoever draws it poses it again for a gaze alone."""
    recipe, posed_again = load_recipe(recipe_file), []
    monkeypatch.setattr(render_shot_module, "pose_for", lambda *a: posed_again.append(a[1].id) or pose_for(*a))
    licenses = {source: dict.fromkeys(render_task.LICENSE, "") for source in recipe.avatars}
    task = render_task.RenderTask(recipe, None, licenses)
    drawn = [render_task.render_sample(task, gl, opened, i) for i in range(COUNT)]
    gazes = [plan_shot(recipe, i, opened).shot.figure.look_at is not None for i in range(COUNT)]
    assert 0 < sum(gazes) < COUNT
    assert posed_again == [f"{i:06d}" for i, gaze in enumerate(gazes) if gaze]
    for d in drawn:
        shot = Shot.from_json(d.sample.row["shot"])
        anew = render_shot(gl, opened(source_at(recipe, d.i)), shot)[1].rgba
        assert (decode_rgba(d.sample.picture) == anew).all(), shot.id


@pytest.mark.parametrize("settings", [{"seed": 5}, {"size": 48}, {"avatars": ["demo"]}])
def test_another_recipe_is_refused_and_changes_nothing(change, whole, settings):
    before = files(whole)
    with pytest.raises(DatasetError, match=f"another recipe's dataset; got .*{next(iter(settings))}"):
        render(change(**settings), whole)
    assert files(whole) == before


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (DatasetSettings(shard_size=5), "shard_size"), (DatasetSettings(OutputFormat("parquet"), SHARD), "format"),
        (DatasetSettings(OutputFormat(encoding="webp"), SHARD), "encoding"),
        (DatasetSettings(OutputFormat(passes=("mask",)), SHARD), "passes"),
        (DatasetSettings(shard_size=SHARD, renderer="pyrender"), "renderer"),
    ],
)  # fmt: skip
def test_another_look_is_another_dataset(recipe_file, whole, settings, what):
    with pytest.raises(DatasetError, match=f"differs in {what};"):
        dataset(recipe_file, whole, settings)


def test_an_expression_that_no_avatar_has_is_refused_before_anything_is_made(change, tmp_path):
    with pytest.raises(
        RecipeError, match=r"no avatar .* expression \(did you mean happy\?\); got happyy; allowed: aa, angry"
    ):
        dataset(change(expressions=["happy", "happyy"]), tmp_path / "new")
    assert not (tmp_path / "new").exists()
    dataset(change(expressions=["surprised"]), tmp_path / "new")  # a preset may be lacking


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"recipe_sha256": 1}', "\ufeff"])
def test_a_broken_identity_is_one_error(recipe_file, tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(DatasetError, match=r"dataset\.json: not a dataset's identity"):
        dataset(recipe_file, tmp_path)


def test_accepting_a_license_does_not_make_it_another_recipe(change, whole):
    dataset(change(accept_licenses=["Other"]), whole)


def test_an_avatar_that_has_changed_makes_it_another_recipe(tmp_path, avatars):
    shutil.copy(avatars / "free.vrm", tmp_path / "a.vrm")
    (tmp_path / "r.yaml").write_text(f"avatars: [a.vrm]\ncount: 1\nsize: 16\naccept_licenses: ['{STRICT}']")
    render(tmp_path / "r.yaml", tmp_path / "out")
    shutil.copy(avatars / "kept.vrm", tmp_path / "a.vrm")
    with pytest.raises(DatasetError, match="differs in avatars"):
        dataset(tmp_path / "r.yaml", tmp_path / "out")


def test_a_folder_that_is_not_ours_is_left_alone(recipe_file, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(DatasetError, match="not empty, and no dataset of ours"):
        dataset(recipe_file, tmp_path)
    assert files(tmp_path) == {"README.md": b"mine"}


def test_another_versions_folder_is_refused(recipe_file, whole, tmp_path):
    shutil.copytree(whole, tmp_path / "old")
    text = (tmp_path / "old" / "dataset.json").read_text()
    (tmp_path / "old" / "dataset.json").write_text(text.replace(f'"{__version__}"', '"0.0.1"'))
    with pytest.raises(DatasetError, match=r"another version.*got 0\.0\.1"):
        dataset(recipe_file, tmp_path / "old")


def test_an_avatar_that_is_not_free_stops_it_before_anything_is_made(change, tmp_path, avatars):
    path = change(avatars=["demo", str(avatars / "kept.vrm")])
    with pytest.raises(LicenseError, match=r"kept\.vrm: license not accepted; got VRM Public License 1\.0"):
        dataset(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_accepted_license_is_carried_into_lines_and_card(change, tmp_path, avatars):
    path = change(avatars=[str(avatars / "kept.vrm")], count=2, accept_licenses=[STRICT])
    out = render(path, tmp_path / "out")
    for r in rows(out):
        assert r["license"] == STRICT and r["license_url"] == "https://vrm.dev/licenses/1.0/"
        assert "allowRedistribution=" not in r["license_terms"]  # the file leaves it at its default
    card = (out / "README.md").read_text()
    assert "license: other" in card and "modification=prohibited" in card and "https://vrm.dev/licenses/1.0/" in card


def test_an_interruption_keeps_whole_shards_and_the_same_again_makes_the_rest(recipe_file, whole):
    out, drawn = whole.parent / "interrupted", []

    def interrupt():
        drawn.append(1)
        if len(drawn) == SHARD + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(recipe_file, out, done=interrupt)
    assert dataset(recipe_file, out).missing() == [1, 2] and not (out / "complete.json").exists()
    drawn.clear()
    again = []
    assert files(render(recipe_file, out, done=lambda: again.append(1))) == files(whole)
    assert len(again) == COUNT - SHARD


def test_leftovers_of_a_killed_run_are_tidied_away(recipe_file, whole):
    out = whole.parent / "killed"
    dataset(recipe_file, out)
    (out / "train" / "00000").mkdir(parents=True)
    (out / "train" / "00000" / ".000000.png.123.part").write_bytes(b"half")
    assert files(render(recipe_file, out)) == files(whole)


# ---------------------------------------------------------------- pictures that are none, shots that kill


def test_a_picture_that_shows_nothing_is_drawn_again_and_says_so(recipe_file, tmp_path, monkeypatch):
    real, asked = image_checks.find_fault, []

    def once_black(rgba, size):
        asked.append(1)
        return "black" if len(asked) in (3, 4) else real(rgba, size)

    monkeypatch.setattr(render_task, "find_fault", once_black)
    out = render(recipe_file, tmp_path / "g")
    attempts = [row["attempt"] for row in rows(out)]
    assert sorted(attempts) == [0] * (COUNT - 1) + [2]
    (again,) = [row for row in rows(out) if row["attempt"]]
    assert json.loads((out / "complete.json").read_text())["quarantined"] == {}
    recipe = load_recipe(recipe_file)
    from vrm_synth.shot import plan_shot

    shots = [plan_shot(recipe, again["i"], opened, attempt).shot for attempt in range(3)]
    assert len({json.dumps(s.to_json()["camera"]) for s in shots}) == 3 and len({s.figure.avatar for s in shots}) == 1
    assert shots[2].to_json()["camera"] == again["shot"]["camera"]


def test_what_never_shows_anything_is_quarantined_and_reported(recipe_file, tmp_path, monkeypatch):
    def shot_or_error(recipe, i, opened, attempt):
        if i == 5:
            raise ShotError("nothing to see")
        return plan_shot(recipe, i, opened, attempt)

    monkeypatch.setattr(render_task, "plan_shot", shot_or_error)

    told = []
    out = render(recipe_file, tmp_path / "q", note=told.append)
    assert told == ["shot 000005 is quarantined: nothing to see"]
    assert [row["i"] for row in rows(out)] == [i for i in range(COUNT) if i != 5]
    assert json.loads((out / "complete.json").read_text())["quarantined"] == {"000005": "nothing to see"}
    assert f"(of {COUNT} that the recipe asks for)" in (out / "README.md").read_text()
    assert "- quarantined: 1;" in (out / "README.md").read_text()
    assert dataset(recipe_file, out).missing() == []


@pytest.mark.parametrize(("deaths", "quarantined"), [(1, {}), (2, {"000002": "2 processes that drew it died"})])
def test_a_shot_that_processes_die_of_is_tried_again_and_then_quarantined(
    recipe_file, whole, tmp_path, deaths, quarantined
):
    """The engine is one that loses shot 2 so many times; what the real one tells of a death is test_workers'."""
    left = [deaths]

    def engine(task, groups, skip):
        for event in run_task(task, groups, skip=skip):
            if isinstance(event, RenderResult) and event.i == 2 and left[0]:
                left[0] -= 1
                event = CrashedShot(2, "SIGKILL")
            yield event

    made, told = dataset(recipe_file, tmp_path / "d"), []
    progress = made.render_blocks(made.missing(), engine, note=told.append)
    made.finish()
    assert progress.crashes == deaths and progress.quarantined == len(quarantined)
    assert json.loads((tmp_path / "d" / "complete.json").read_text())["quarantined"] == quarantined
    assert told[0] == "shot 000002: the process that drew it died (SIGKILL)"
    if not quarantined:
        assert files(tmp_path / "d") == files(whole)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_avatar_that_goes_away_or_changes_meanwhile_stops_the_run_and_quarantines_nothing(
    avatars, tmp_path, workers
):
    away = tmp_path / "away.vrm"
    shutil.copy(avatars / "free.vrm", away)
    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump({"avatars": ["away.vrm"], "count": COUNT, "size": 32, "settle_seconds": 0.0}))
    made = dataset(path, tmp_path / "set")
    away.rename(tmp_path / "elsewhere.vrm")
    with pytest.raises(DatasetError, match=r"an avatar cannot be read any more: .*away\.vrm.*No such file"):
        made.render_blocks(made.missing(), functools.partial(run_task, workers=workers))
    shutil.copy(avatars / "kept.vrm", away)
    with pytest.raises(DatasetError, match=r"away\.vrm: an avatar is another file than when the run began"):
        made.render_blocks(made.missing(), functools.partial(run_task, workers=workers))
    assert list(read_records(made.store)) == []
    (tmp_path / "elsewhere.vrm").rename(away)
    assert len(rows(render(path, tmp_path / "set"))) == COUNT


def test_a_worker_that_is_killed_costs_nothing_but_time(change, whole, tmp_path):
    path, killed = change(settle_seconds=2.0), []

    def kill():
        if not killed and multiprocessing.active_children():
            killed.append(1)
            multiprocessing.active_children()[0].kill()

    told = []
    out = render(path, tmp_path / "k", workers=2, done=kill, note=told.append)
    assert killed and files(out) == files(render(path, tmp_path / "l"))
    assert multiprocessing.active_children() == []
