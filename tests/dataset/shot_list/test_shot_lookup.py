"""`vrm-synth shots DATASET`: shots of a dataset rendered again, from any format and in any size."""

from __future__ import annotations

import io
import json
import re
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tests.dataset.test_derive import derive, render_source, samples_by_key
from vrm_synth.cli.main import main
from vrm_synth.core.errors import DatasetError, ShotError
from vrm_synth.dataset.shot_list.reader import scaled
from vrm_synth.dataset.shot_list.shot_lookup import dataset_shots
from vrm_synth.io.file_names import COMPLETE_JSON, SHARD_FORMATS
from vrm_synth.io.store import LocalStore
from vrm_synth.shot.figure import Figure
from vrm_synth.shot.shot import CAMERA_KEYS, KEYS, Shot

DOC = (Path(__file__).resolve().parents[3] / "docs" / "shots.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sets(avatars, tmp_path_factory) -> dict[str, LocalStore]:
    """One dataset in each format, of two avatars and two splits."""
    top = tmp_path_factory.mktemp("sets")
    rendered = render_source(top / "imagefolder", avatars, "imagefolder", size=[24, 32])
    converted = {f: derive([rendered], top / "deep" / f, "convert", f, shard_size=5) for f in ("webdataset", "parquet")}
    return {"imagefolder": rendered, **converted}


def shots(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["shots", *map(str, words), "--workers", "1"])
    assert result.exit_code == code and "Traceback" not in result.output, result.output
    return result.stderr


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_a_shot_rendered_again_has_the_same_bytes(sets, tmp_path, shard_format):
    shots(sets[shard_format].folder, "-o", tmp_path, "--id", "000003", "--id", "8", "--id", "000003")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["000003.json", "000003.png", "000008.json", "000008.png"]
    samples = {key: s for (_, key), s in samples_by_key(sets[shard_format]).items()}
    for key in ("000003", "000008"):
        assert (tmp_path / f"{key}.png").read_bytes() == samples[key].picture


def test_without_ids_every_shot_is_rendered(sets, tmp_path):
    shots(sets["parquet"].folder, "-o", tmp_path)
    for (_, key), s in samples_by_key(sets["parquet"]).items():
        assert (tmp_path / f"{key}.png").read_bytes() == s.picture


@pytest.mark.parametrize(("size", "expected"), [("96", (72, 96)), ("100x50", (100, 50))])
def test_another_size_shows_the_same_view(sets, tmp_path, size, expected):
    shots(sets["webdataset"].folder, "-o", tmp_path, "--id", "000003", "--size", size)
    large = Image.open(tmp_path / "000003.png")
    assert large.size == expected
    if size == "96":
        small = Image.open(
            io.BytesIO({k: s for (_, k), s in samples_by_key(sets["webdataset"]).items()}["000003"].picture)
        )
        downscaled = large.convert("RGBa").resize(small.size, Image.Resampling.BOX)
        difference = np.abs(np.asarray(downscaled, int) - np.asarray(small.convert("RGBa"), int))
        assert difference.mean() < 4


def test_shots_of_an_unfinished_dataset_are_rendered(sets, tmp_path):
    shutil.copytree(sets["imagefolder"].folder, tmp_path / "imagefolder")
    store = LocalStore(tmp_path / "imagefolder")
    store.delete(COMPLETE_JSON)
    assert [e.id for e in dataset_shots(store, ["000004", "000001"])] == ["000004", "000001"]


def test_an_unknown_key_is_one_line_with_the_known_ones(sets, tmp_path):
    output = shots(sets["parquet"].folder, "-o", tmp_path / "x", "--id", "000099", code=1)
    assert "no such picture in the dataset; got 000099; allowed: 000000 to 000011" in output
    webp = derive([sets["imagefolder"]], tmp_path / "o", "convert", "imagefolder", encoding="webp")
    both = derive([sets["imagefolder"], webp], tmp_path / "both", "merge", "webdataset")
    with pytest.raises(DatasetError, match=r"allowed: \w{8}-000003, \w{8}-000003"):
        dataset_shots(both, ["000003"])
    (name, _) = (key for _, key in samples_by_key(both) if key.endswith("-000003"))
    assert dataset_shots(both, [name])[0].id == name
    assert not (tmp_path / "x").exists()


def test_a_changed_avatar_file_is_an_error_of_its_shots(avatars, tmp_path):
    shutil.copytree(avatars, tmp_path / "avatars")
    store = render_source(tmp_path / "set", tmp_path / "avatars", "parquet", count=4, splits={})
    shutil.copy(avatars / "kept.vrm", tmp_path / "avatars" / "free.vrm")
    output = shots(store.folder, "-o", tmp_path / "out", code=1)
    assert "free.vrm: the avatar is another file than the one that the picture shows" in output
    answer_files = [json.loads((tmp_path / "out" / f"{i:06d}.json").read_text()) for i in range(4)]
    assert ["error" in t for t in answer_files] == [s.row["avatar"] == "free" for s in samples_by_key(store).values()]
    assert {"error" in t for t in answer_files} == {True, False}


def test_id_and_size_work_on_lists_of_shots(tmp_path, avatars):
    camera = {"position": [0, 1.8, 4]}
    entries = [{"id": name, "avatar": "free.vrm", "camera": camera, "size": [24, 32]} for name in "abc"]
    (tmp_path / "shots.json").write_text(json.dumps([{**e, "avatar": str(avatars / "free.vrm")} for e in entries]))
    shots(tmp_path / "shots.json", "-o", tmp_path / "out", "--id", "b", "--size", "64")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["b.json", "b.png"]
    assert Image.open(tmp_path / "out" / "b.png").size == (48, 64)
    assert "no such shot in the list; got d" in shots(tmp_path / "shots.json", "-o", tmp_path, "--id", "d", code=1)


def test_sizes_are_parsed_and_scaled(tmp_path):
    assert scaled((512, 768), 2048) == (1365, 2048) and scaled((512, 512), 2048) == (2048, 2048)
    assert scaled((768, 512), 3) == (3, 2) and scaled((8192, 1), 16) == (16, 1) and scaled((1, 2), (3, 4)) == (3, 4)
    for size in ("0", "9000", "1x", "1x9000", "-3", "1e3"):
        shots(tmp_path / "a.json", "-o", tmp_path, "--size", size, code=2)


def test_a_size_over_the_limit_is_an_error_of_the_shot(sets, tmp_path):
    (entry,) = dataset_shots(sets["parquet"], ["000003"])
    text = json.dumps({**json.loads(entry.text), "supersample": 4})
    from dataclasses import replace

    with pytest.raises(ShotError, match="picture too large"):
        replace(entry, text=text, size=8192).shot()


def test_the_format_is_documented_key_by_key():
    keys = re.findall(
        r"`([a-z_.]+)`", "\n".join(line.split("|")[1] for line in DOC.splitlines() if line.startswith("| `"))
    )
    named = {key.partition(".")[0] for key in keys}
    assert set(KEYS) <= named
    assert {f"camera.{key}" for key in CAMERA_KEYS} | {"pose.bones", "pose.hips_offset"} <= set(keys)
    assert len(fields(Shot)) + len(fields(Figure)) == 20, "a new field of a shot wants its line in docs/shots.md"


def test_the_documents_example_is_a_list_of_shots(tmp_path):
    (text,) = re.findall(r"```json\n(.*?)```", DOC, re.DOTALL)
    for entry in json.loads(text):
        Shot.from_json(entry)
    (tmp_path / "shots.json").write_text(text)
    shots(tmp_path / "shots.json", "-o", tmp_path / "out", "--size", "96")
    answer_json = json.loads((tmp_path / "out" / "wave.json").read_text())
    answers = set(
        re.findall(
            r"`([a-z_]+)`",
            "\n".join(x.split("|")[1] for x in DOC.split("## Answers")[1].splitlines() if x[:3] == "| `"),
        )
    )
    assert set(answer_json) == answers
