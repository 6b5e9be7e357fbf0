"""Datasets from Python: one call renders what is missing, and its handle iterates over the pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vrm_synth import __version__
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.core.errors import DatasetError
from vrm_synth.dataset.dataset_handle import open_dataset
from vrm_synth.dataset.identity import render_id
from vrm_synth.dataset.identity.dataset_json import read_identity
from vrm_synth.dataset.identity.render_id import render_parts
from vrm_synth.dataset.render_dataset import render_dataset
from vrm_synth.dataset.settings import DatasetSettings, OutputFormat
from vrm_synth.dataset.verify.checks import verify
from vrm_synth.dataset.verify.repair import repair
from vrm_synth.shot import Recipe

COUNT = 4


@pytest.fixture(scope="module")
def recipe(avatars) -> Recipe:
    settings = {"avatars": [str(avatars / "free.vrm")], "count": COUNT, "size": [32, 40], "settle_seconds": None}
    return Recipe.model_validate(settings)


@pytest.mark.parametrize("shard_format", ["imagefolder", "webdataset", "parquet"])
def test_a_dataset_is_rendered_and_iterated(recipe, tmp_path, shard_format):
    calls = []
    settings = DatasetSettings(OutputFormat(shard_format), shard_size=3)
    recipe = recipe.model_copy(update={"passes": ("mask",)})
    out = tmp_path / "set"
    dataset = render_dataset(recipe, out, workers=1, settings=settings, progress=lambda *call: calls.append(call))
    assert calls == [("avatars", 0, 1), ("avatars", 1, 1), *(("images", n, COUNT) for n in range(COUNT + 1))]
    assert dataset.is_complete and len(dataset) == COUNT and dataset.path == str(out)
    assert repr(dataset) == f"<FinishedDataset {out}: {COUNT} pictures>"
    samples = list(dataset)
    assert [s.key for s in samples] == [f"{i:06d}" for i in range(COUNT)]
    for sample in samples:
        assert sample.image.size == sample.mask.size == sample.shot.size == (32, 40)
        assert sample.shot.id == sample.key and sample.caption == sample.row["caption"] and "\n" not in repr(sample)
    assert [row["key"] for row in dataset.table()] == [s.key for s in samples]
    assert [s.caption for s in open_dataset(out)] == [s.caption for s in samples]


def test_jobs_make_their_shards_and_the_last_one_finishes(recipe, tmp_path):
    settings = DatasetSettings(shard_size=1)
    first = render_dataset(recipe, tmp_path, workers=1, shard=(0, 2), settings=settings)
    assert not first.is_complete and len(first) == COUNT // 2 and "not finished" in repr(first)
    assert render_dataset(recipe, tmp_path, workers=1, shard=(1, 2), settings=settings).is_complete


def test_an_invalid_job_and_a_folder_without_a_dataset_are_errors(recipe, tmp_path):
    with pytest.raises(DatasetError, match=r"not a job of the run; got 2/2; allowed: \(i, n\)"):
        render_dataset(recipe, tmp_path / "new", shard=(2, 2))
    assert not (tmp_path / "new").exists()
    with pytest.raises(DatasetError):
        open_dataset(tmp_path)


def test_a_dataset_of_another_render_id_is_neither_redrawn_repaired_nor_resumed(recipe, tmp_path, gl, monkeypatch):
    dataset = render_dataset(recipe, tmp_path, workers=1)
    monkeypatch.setattr(render_id, "render_parts", lambda: {**render_parts(), "poses": "0" * 16})
    report = verify(dataset.store, near=False, redraw=2, backend=gl, open_avatar=open_avatar)
    assert report.redrawn == 0 and report.faults == ()
    assert report.undrawable == (f"vrm-synth {__version__} drew it with other poses than this version has",)
    message = "draws other pictures than the folder has; got other poses"
    with pytest.raises(DatasetError, match=message):
        render_dataset(recipe, tmp_path, workers=1)
    (tmp_path / "records" / "00000.json").unlink()
    broken = verify(dataset.store, near=False)
    assert broken.broken
    before = sorted(p for p in tmp_path.rglob("*") if p.is_file())
    with pytest.raises(DatasetError, match=message):
        repair(dataset.store, replace(broken, sources={a: str(recipe.avatars[0]) for a in hashes(dataset)}))
    assert sorted(p for p in tmp_path.rglob("*") if p.is_file()) == before


def hashes(dataset) -> list[str]:
    return [avatar["sha256"] for avatar in read_identity(dataset.store)["avatars"]]
