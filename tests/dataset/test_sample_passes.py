"""Datasets with every pass, a conditioning image and annotations: in all formats, derived, verified and repaired."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.dataset.faults import replace_shard, samples, shards
from tests.dataset.test_derive import derive, opened, render_source, samples_by_key
from vrm_synth.core.errors import DatasetError
from vrm_synth.core.passes import CONDITIONING, CONDITIONING_IMAGE, PASSES
from vrm_synth.dataset.dataset_handle import open_dataset
from vrm_synth.dataset.finish import finish
from vrm_synth.dataset.render_blocks import RecipeDataset
from vrm_synth.dataset.render_task import home_of, source_from
from vrm_synth.dataset.settings import DatasetSettings, OutputFormat
from vrm_synth.dataset.verify.checks import verify
from vrm_synth.dataset.verify.repair import repair
from vrm_synth.io.file_names import SHARD_FORMATS
from vrm_synth.io.png_decoder import decode_png
from vrm_synth.io.store import LocalStore
from vrm_synth.shot import Recipe

ALL = tuple(PASSES)
PICTURES = [p.name for p in (*PASSES.values(), CONDITIONING_IMAGE) if p.is_image]
COUNT = 6


def render_all(folder: Path, avatars: Path, shard_format: str, **options) -> LocalStore:
    """COUNT pictures of 32 × 32 of two avatars, with everything beside them."""
    truth = {"passes": ALL, "conditioning": "pose", "annotations": True, "depth_layers": 2}
    return render_source(folder, avatars, shard_format, count=COUNT, **(truth | options))


@pytest.fixture(scope="module")
def stores(avatars, tmp_path_factory) -> dict[str, LocalStore]:
    top = tmp_path_factory.mktemp("passes")
    return {f: render_all(top / f, avatars, f) for f in SHARD_FORMATS}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def test_every_format_holds_the_same_files(stores):
    by_format = [samples_by_key(store) for store in stores.values()]
    suffixes = {p.suffix for p in (*PASSES.values(), CONDITIONING_IMAGE)}
    for (key, a), (_, b), (_, c) in zip(*(sorted(s.items()) for s in by_format), strict=True):
        assert set(a.extras) == suffixes, key
        assert a.extras == b.extras == c.extras and a.picture == b.picture == c.picture
        assert a.row["annotations"] == b.row["annotations"] == c.row["annotations"]
        assert a.extras[CONDITIONING_IMAGE.suffix] == a.extras["pose.png"]
    assert len(by_format[0]) == COUNT
    assert all(verify(store).faults == () for store in stores.values())


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_shows_every_picture_and_leaves_arrays_alone(stores, shard_format, streaming):
    from datasets import load_dataset

    store = stores[shard_format]
    ours = {key: s for (_, key), s in samples_by_key(store).items()}
    loaded = load_dataset(str(store.folder), streaming=streaming)
    shown = 0
    for split in loaded:
        for row in loaded[split]:
            rest = row["json"] if "json" in row else json.loads(row["metadata"]) if "metadata" in row else row
            shot = rest["shot"] if isinstance(rest["shot"], dict) else json.loads(rest["shot"])
            sample = ours[shot["id"]]
            for name in PICTURES:
                picture = row[name if name in row else f"{name}.png"]
                assert isinstance(picture, Image.Image), name
                pixels = decode_png(sample.extras[f"{name}.png"])
                if pixels.dtype == np.uint8 or pixels.ndim == 2:
                    np.testing.assert_array_equal(np.asarray(picture), pixels, name)
            arrays = {n: v for n, v in row.items() if n.partition("_path")[0] in ("depth_metres", "position")}
            assert not any(isinstance(v, Image.Image) for v in arrays.values())
            if shard_format == "parquet":
                assert arrays["position"] == {
                    "bytes": sample.extras["position.npz"], "path": f"{sample.key}.position.npz"
                }  # fmt: skip
            if shard_format == "imagefolder":
                assert arrays["position_path"] == f"{sample.key}.position.npz"
            annotations = rest["annotations"]
            annotations = json.loads(annotations) if isinstance(annotations, str) else annotations
            assert annotations["size"] == [32, 32] and annotations == sample.row["annotations"]
            shown += 1
    assert shown == COUNT


def test_webdataset_reads_every_member(stores):
    import webdataset

    store = stores["webdataset"]
    tars = [str(store.folder / n) for n in store.list() if n.endswith(".tar")]
    rows = {row["__key__"]: row for row in webdataset.WebDataset(tars, shardshuffle=False)}
    for (_, key), s in samples_by_key(store).items():
        assert {suffix: rows[key][suffix] for suffix in s.extras} == dict(s.extras)


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_a_loaded_sample_gives_its_passes_as_arrays(stores, shard_format):
    sample = next(iter(open_dataset(stores[shard_format].folder)))
    assert set(sample.passes) == {*ALL, "conditioning_image"}
    depth, metres = sample.read_pass("depth")["depth"], sample.read_pass("depth_metres")["depth"]
    assert depth.dtype == np.uint16 and metres.shape == (32, 32)
    figure = depth > 0
    np.testing.assert_allclose(depth[figure] / 10_000, metres[figure], atol=6e-5)
    assert np.isinf(metres[~figure]).all()
    assert sample.read_pass("nocs")["nocs"].dtype == np.uint16
    assert sample.read_pass("depth_layers")["depth"].shape == (2, 32, 32)
    np.testing.assert_array_equal(np.asarray(sample.mask) > 0, figure)
    with pytest.raises(DatasetError, match="no such pass; got flow; allowed: mask, depth") as e:
        sample.read_pass("flow")
    assert "\n" not in str(e.value)
    broken = replace(sample, encoded=replace(sample.encoded, extras={"depth.png": sample.passes["depth"][:99]}))
    with pytest.raises(DatasetError, match=rf"{sample.key}: depth: not a PNG file of ours"):
        broken.read_pass("depth")


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_the_card_names_what_is_a_picture_column_and_what_is_not(stores, shard_format):
    card = stores[shard_format].read("README.md").decode()
    columns = next(line for line in card.splitlines() if line.startswith("A row has"))
    pictures, _, arrays = columns.partition("Arrays for")
    name_of = (lambda p: p.suffix) if shard_format == "webdataset" else (lambda p: p.name)
    for p in (*PASSES.values(), CONDITIONING_IMAGE):
        assert (f"`{name_of(p)}`" in pictures) == p.is_image, p.name
        assert (f"`{p.suffix}`" in arrays) == (not p.is_image), p.name
        assert f"- `{p.suffix}`: {p.description}" in card
    assert "no picture columns" in arrays
    assert "`annotations`" in card and "coco.json" in card and "legends.json" in card


def test_a_dataset_without_passes_says_nothing_of_them(avatars, tmp_path):
    store = render_source(tmp_path / "bare", avatars, passes=(), count=3, splits={})
    card = store.read("README.md").decode()
    assert not any(word in card for word in ("Arrays", "annotations", "conditioning", "legends", ".npz"))
    assert not {"coco.json", "legends.json"} & set(store.list())
    assert all("annotations" not in s.row and not s.extras for s in samples_by_key(store).values())


def test_the_legends_name_every_id_in_the_files(stores):
    for store in stores.values():
        legends = json.loads(store.read("legends.json"))
        assert set(legends) == {"parts", "body_parts", "instances", "materials", "nodes"}
        for s in samples_by_key(store).values():
            for name, legend in legends.items():
                own = legend[s.row["avatar_sha256"]] if name in ("materials", "nodes") else legend
                ids = set(np.unique(decode_png(s.extras[f"{name}.png"])).tolist()) - {0}
                assert {str(i) for i in ids} <= own.keys(), name
    assert legends["parts"]["2"] == "hair" and legends["body_parts"]["1"] == "hips"


@pytest.mark.parametrize("shard_format", SHARD_FORMATS)
def test_deriving_keeps_passes_conditioning_and_annotations(stores, tmp_path, shard_format):
    source = stores["webdataset"]
    converted = derive([source], tmp_path / "converted", "convert", shard_format, shard_size=4)
    part = derive([converted], tmp_path / "part", "subset", "parquet", where="i < 3")
    whole = samples_by_key(source)
    for store, count in ((converted, COUNT), (part, 3)):
        assert verify(store).faults == ()
        derived = samples_by_key(store)
        assert len(derived) == count
        for key, s in derived.items():
            assert s.extras == whole[key].extras and s.row["annotations"] == whole[key].row["annotations"]
        coco = json.loads(store.read("coco.json"))
        assert len(coco["images"]) == count
        assert json.loads(store.read("legends.json")) == json.loads(source.read("legends.json"))
        assert "--conditioning_image_column conditioning_image" in store.read("README.md").decode()


def test_merging_keeps_them_and_refuses_others_in_one_line(stores, avatars, tmp_path):
    second = render_all(tmp_path / "second", avatars, "imagefolder", seed=5, splits={})
    both = derive([stores["parquet"], second], tmp_path / "both", "merge", "webdataset", shard_size=7)
    assert verify(both).faults == () and len(samples_by_key(both)) == 2 * COUNT
    names = {image["file_name"] for image in json.loads(both.read("coco.json"))["images"]}
    assert names == {f"{key}.png" for _, key in samples_by_key(both)}
    for change in ({"passes": ("mask",)}, {"conditioning": "depth"}, {"annotations": False}, {"depth_layers": 3}):
        other = render_all(tmp_path / str(change)[2:9], avatars, "webdataset", seed=6, splits={}, **change)
        with pytest.raises(DatasetError, match="datasets of other passes do not merge") as e:
            derive([second, other], tmp_path / "not", "merge", "webdataset")
        assert "\n" not in str(e.value) and next(iter(change)) in str(e.value)
        assert not (tmp_path / "not").exists()


def copy(store: LocalStore, folder: Path) -> LocalStore:
    shutil.copytree(store.folder, folder)
    return LocalStore(folder)


def files_of(store: LocalStore) -> dict[str, bytes]:
    return {name: store.read(name) for name in store.list()}


@pytest.mark.parametrize("damage", ["removed", "edited", "swapped"])
def test_a_damaged_pass_is_found_and_repaired_to_the_same_bytes(stores, avatars, tmp_path, damage):
    # beside the avatars as the original is, since rows name them by relative paths
    store = copy(stores["imagefolder"], stores["imagefolder"].folder.with_name(f"damaged_{damage}"))
    before = files_of(store)
    names = sorted(n for n in before if n.endswith(".depth.png"))
    if damage == "removed":
        store.delete(names[0])
    else:
        store.put_file(names[0], before[names[0]][:-1] + b"x" if damage == "edited" else before[names[1]])
    report = verify(store)
    assert report.broken and any(names[0] in f.file for f in report.faults)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("render_task", "verify.repair"):
            patch.setattr(f"vrm_synth.dataset.{module}.open_avatar", opened)
        repair(store, report)
    assert files_of(store) == before and verify(store).faults == ()


def test_shots_with_passes_are_drawn_again_to_the_same_pictures(stores, gl):
    for shard_format, store in stores.items():
        home = home_of(store, shard_format)
        report = verify(store, redraw=COUNT, backend=gl, open_avatar=lambda n, home=home: opened(source_from(home, n)))
        assert (report.faults, report.redrawn) == ((), COUNT)


def test_a_forged_pass_or_annotation_is_found_by_drawing_it_again(stores, tmp_path, gl):
    store = copy(stores["parquet"], stores["parquet"].folder.with_name("forged"))
    first = shards(store)[0]
    contents = samples(store, first)
    contents[0] = replace(contents[0], extras={**contents[0].extras, "parts.png": contents[0].extras["mask.png"]})
    annotations = {**contents[1].row["annotations"], "gaze": None, "size": [1, 1]}
    contents[1] = replace(contents[1], row={**contents[1].row, "annotations": annotations})
    replace_shard(store, first, contents)
    store.delete("complete.json")
    finish(store)
    assert verify(store).faults == ()
    home = home_of(store, "parquet")
    report = verify(store, redraw=COUNT, backend=gl, open_avatar=lambda n: opened(source_from(home, n)))
    found = {fault.file: fault.what for fault in report.faults}
    assert found == {
        f"{first.stem}/{contents[0].key}": "other when drawn again: parts.png",
        f"{first.stem}/{contents[1].key}": "other when drawn again: annotations",
    }


def test_one_and_two_workers_write_the_same_bytes(avatars, tmp_path):
    import functools

    from vrm_synth.execution.process_pool import run_task

    truth = {"passes": ALL, "conditioning": "lines", "annotations": True}
    plain = {"avatars": [str(avatars / "free.vrm"), "demo"], "count": 4, "size": 32, "settle_seconds": None, **truth}
    recipe, made = Recipe.model_validate(plain), []
    for workers in (1, 2):
        store = LocalStore(tmp_path / f"{workers}")
        dataset = RecipeDataset(recipe, store, opened, DatasetSettings(OutputFormat("webdataset"), shard_size=2))
        dataset.render_blocks(dataset.missing(), functools.partial(run_task, workers=workers))
        assert dataset.finish()
        made.append(files_of(store))
    assert made[0] == made[1] and any(n.endswith(".tar") for n in made[0])


@pytest.mark.parametrize("change", [{"passes": ["depth", "mask"]}, {"conditioning": "pose"}, {"annotations": True}])
def test_pyrender_draws_masks_alone(avatars, tmp_path, change):
    recipe = Recipe.model_validate({"avatars": ["demo"], "count": 1, "size": 32} | change)
    with pytest.raises(DatasetError, match=r"pyrender draws no geometry buffer; got .*; allowed: mask") as e:
        RecipeDataset(recipe, LocalStore(tmp_path / "new"), opened, DatasetSettings(renderer="pyrender"))
    assert "\n" not in str(e.value) and not (tmp_path / "new").exists()


def test_pyrenders_mask_is_where_the_figure_is_opaque(tmp_path):
    pytest.importorskip("pyrender")
    recipe = Recipe.model_validate({"avatars": ["demo"], "count": 1, "size": 48, "passes": ["mask"], "crops": "full"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vrm_synth.dataset.render_task.open_avatar", opened)
        store = LocalStore(tmp_path / "p")
        dataset = RecipeDataset(recipe, store, opened, DatasetSettings(renderer="pyrender"))
        dataset.render_blocks(dataset.missing())
        assert dataset.finish()
    (sample,) = samples_by_key(store).values()
    mask = decode_png(sample.extras["mask.png"])
    assert set(np.unique(mask)) == {0, 255} and 0.03 < (mask > 0).mean() < 0.6


def test_a_figure_too_far_away_is_quarantined_with_its_reason(tmp_path):
    recipe = Recipe.model_validate(
        {"avatars": ["demo"], "count": 1, "size": 32, "passes": ["depth"], "views": ["full_front_level"],
         "fov": [5, 5], "settle_seconds": None}
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vrm_synth.dataset.render_task.open_avatar", opened)
        store = LocalStore(tmp_path / "far")
        dataset = RecipeDataset(recipe, store, opened, DatasetSettings())
        notes: list[str] = []
        dataset.render_blocks(dataset.missing(), note=notes.append)
    assert len(notes) == 1 and "too far away for the depth pass" in notes[0] and "depth_metres" in notes[0]


def test_coco_json_is_loaded_by_pycocotools(stores):
    pytest.importorskip("pycocotools")
    from pycocotools.coco import COCO

    for shard_format, store in stores.items():
        coco = COCO(str(store.folder / "coco.json"))
        ours = {s.key: s for e in shards(store) for s in samples(store, e)}
        assert len(coco.anns) == len(coco.imgs) == COUNT == len(ours)
        for image in coco.imgs.values():
            name = image["file_name"]
            sample = ours[Path(name).name.partition(".")[0]]
            assert shard_format != "imagefolder" or (store.folder / name).is_file()
            (annotation,) = coco.loadAnns(coco.getAnnIds(image["id"]))
            mask = coco.annToMask(annotation)
            np.testing.assert_array_equal(mask * 255, decode_png(sample.extras["mask.png"]))
            assert annotation["area"] == mask.sum() and len(annotation["keypoints"]) == 17 * 3
            assert len(annotation["face_kpts"]) == 68 * 3 and len(annotation["lefthand_kpts"]) == 21 * 3


@pytest.mark.parametrize("kind", CONDITIONING)
def test_the_conditioning_image_is_the_pass_that_it_names(avatars, tmp_path, kind):
    store = render_source(tmp_path / kind, avatars, passes=(CONDITIONING[kind],), conditioning=kind, count=2, splits={})
    for s in samples_by_key(store).values():
        assert s.extras[CONDITIONING_IMAGE.suffix] == s.extras[f"{CONDITIONING[kind]}.png"]
        with Image.open(io.BytesIO(s.extras[CONDITIONING_IMAGE.suffix])) as picture:
            assert picture.mode == "RGB"


def test_the_picture_is_the_same_with_passes_and_without(stores, avatars, tmp_path):
    bare = render_source(tmp_path / "bare", avatars, "webdataset", passes=(), count=COUNT)
    a, b = samples_by_key(stores["webdataset"]), samples_by_key(bare)
    assert {k: hashlib.sha256(s.picture).hexdigest() for k, s in a.items()} == {
        k: hashlib.sha256(s.picture).hexdigest() for k, s in b.items()
    }
    assert {k: s.caption for k, s in a.items()} == {k: s.caption for k, s in b.items()}
