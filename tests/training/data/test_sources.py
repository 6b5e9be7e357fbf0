"""Sources made by other tools: which files are read, of which split, and that all others are reported."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.training import disk, runs
from tests.training.disk import PoolingEncoder
from vrm_synth.core.errors import DatasetError
from vrm_synth.training.data.data_config import DataConfig, SourceConfig
from vrm_synth.training.data.quarantine import summary
from vrm_synth.training.data.scan.source_scan import find_layout
from vrm_synth.training.data.table_source import TableSource, open_source
from vrm_synth.training.data.training_dataset import open_training_dataset


def opened(path: Path, **options: object) -> TableSource:
    config = SourceConfig.model_validate({"path": str(path), "license": "CC0-1.0", **options})
    return open_source(config, path.parent / "tables")


def captions(source: TableSource) -> list[str]:
    return sorted(source.captions(i).sentence for i in range(len(source)))


def left_out(source: TableSource) -> dict[str, str]:
    assert sum(source.credit.quarantined.values()) == len(source.left_out)
    return {key: reason for key, reason, _ in source.left_out}


def tar(path: Path, *names: str) -> Path:
    """A shard of these samples, captioned by their names."""
    return disk.tar(path, [m for n in names for m in ((f"{n}.png", disk.png(1)), (f"{n}.txt", n.encode()))])


def parquet(path: Path, *names: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": disk.png(i), "path": f"{n}.png"} for i, n in enumerate(names)]
    pq.write_table(pa.table({"image": images, "caption": list(names)}), path)
    return path


def picture(path: Path, caption: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(disk.png(1))
    if caption is not None:
        path.with_name(path.name.rpartition(".")[0] + ".txt").write_text(caption)
    return path


# ---------------------------------------------------------------- splits


@pytest.mark.parametrize("shard", [tar, parquet], ids=["tar", "parquet"])
@pytest.mark.parametrize(
    "names",
    [("train-00000-of-00001", "test-00000-of-00001", "validation-00000-of-00001"), ("train", "test", "val"),
     ("a/train/0", "a/test/0", "a/dev/0"), ("x-train_0", "eval.0", "valid 0"), ("Train-1", "TEST-1", "Dev")],
    ids=lambda n: n[0],
)  # fmt: skip
def test_shards_are_of_the_split_that_they_are_named_for(names, shard, tmp_path):
    suffix = ".tar" if shard is tar else ".parquet"
    for name, split in zip(names, ("train", "test", "validation"), strict=True):
        shard(tmp_path / f"hub/data/{name}{suffix}", f"{split} 1", f"{split} 2")
    for name_of_split in ("train", "test", "validation", "val"):
        source = opened(tmp_path / "hub", split=name_of_split)
        split = "validation" if name_of_split == "val" else name_of_split
        assert captions(source) == [f"{split} 1", f"{split} 2"]
        assert [*left_out(source).values()] == ["of another split"] * 2
    with pytest.raises(DatasetError, match=r"no such split; got other; allowed: .*test, train, validation"):
        opened(tmp_path / "hub", split="other")


def test_a_named_shard_is_read_whatever_its_name(tmp_path):
    assert captions(opened(tar(tmp_path / "test-0.tar", "a"))) == ["a"]


def test_the_folder_called_like_the_split_is_read_alone_and_the_rest_is_reported(tmp_path):
    tar(tmp_path / "set/train/test-0.tar", "a")
    tar(tmp_path / "set/val/0.tar", "b")
    tar(tmp_path / "set/more.tar", "c")
    picture(tmp_path / "set/loose.png", "d")
    picture(tmp_path / "set/contact_sheet.png")
    (tmp_path / "set/records").mkdir()
    (tmp_path / "set/records/00000.json").write_text("{}")
    (tmp_path / "set/metadata.parquet").write_bytes(b"")
    source, excluded = opened(tmp_path / "set"), ["loose.png", "more.tar", "val/"]
    assert captions(source) == ["a"] and left_out(source) == dict.fromkeys(excluded, "of another split")
    with pytest.raises(DatasetError, match="not the name of a split"):
        opened(tmp_path / "set/train", split="..")


def test_a_card_says_which_shards_are_of_a_split(tmp_path):
    tar(tmp_path / "hub/a/0.tar", "a")
    tar(tmp_path / "hub/b/0.tar", "b")
    data = "[{split: train, path: a/*.tar}, {split: held, path: b/*.tar}]"
    (tmp_path / "hub/README.md").write_text(f"---\nconfigs: [{{config_name: x, data_files: {data}}}]\n---\n")
    assert captions(opened(tmp_path / "hub")) == ["a"] and captions(opened(tmp_path / "hub", split="held")) == ["b"]


def test_pictures_are_of_their_folders_split_and_of_their_names_where_all_have_one(tmp_path):
    for split in ("train", "test"):
        picture(tmp_path / f"folders/x/{split}/1.png", split)
        picture(tmp_path / f"names/{split}_1.png", split)
        picture(tmp_path / f"some/{split}_1.png", split)
    picture(tmp_path / "some/portrait.png", "portrait")
    for name in ("folders", "names"):
        assert captions(opened(tmp_path / name)) == ["train"]
        assert captions(opened(tmp_path / name, split="test")) == ["test"]
        assert [*left_out(opened(tmp_path / name)).values()] == ["of another split"]
    assert captions(opened(tmp_path / "some")) == ["portrait", "test", "train"]


def test_one_list_of_several_splits_is_read_by_its_pictures_folders(tmp_path):
    rows = [{"file_name": f"{split}/{i}.png", "caption": f"{split} {i}"} for split in ("train", "test") for i in (1, 2)]
    for row in rows:
        picture(tmp_path / "set" / str(row["file_name"]))
    (tmp_path / "set/metadata.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    for split in ("train", "test"):
        source = opened(tmp_path / "set", split=split)
        assert captions(source) == [f"{split} 1", f"{split} 2"]
        assert [*left_out(source).values()] == ["of another split"] * 2


# ---------------------------------------------------------------- names


def test_of_two_shards_whose_names_differ_in_capitals_both_are_read(tmp_path):
    tar(tmp_path / "set/A.tar", "one")
    tar(tmp_path / "set/a.tar", "two")
    assert captions(opened(tmp_path / "set")) == ["one", "two"]


def test_names_with_dots_are_pictures_where_they_have_captions(tmp_path):
    for name in ("photo", "photo.1", "photo.v2", "other.1", "photo.depth"):
        picture(tmp_path / f"set/{name}.png", name)
    picture(tmp_path / "set/photo.2.png")
    picture(tmp_path / "set/photo.normal.png")  # a pass: neither read nor reported
    picture(tmp_path / "set/photo.mask.png", "a mask has none")
    source = opened(tmp_path / "set")
    assert captions(source) == ["other.1", "photo", "photo.1", "photo.depth", "photo.v2"]
    assert left_out(source) == {"photo.2.png": "no caption"}
    assert [source.picture(i).mask is not None for i in range(5)] == [False, False, False, True, False]


def test_names_with_dots_are_pictures_in_a_shard_too(tmp_path):
    names = ["photo", "photo.1", "photo.v2", "other.1", "other.2"]
    members = [m for n in names for m in ((f"{n}.png", disk.png(1)), (f"{n}.txt", n.encode()))]
    extra = [("photo.depth.png", disk.png(1)), ("photo.9.png", disk.png(1)), ("photo.jpg", disk.png(1, form="JPEG"))]
    disk.tar(tmp_path / "set/0.tar", [*members[:6], *extra, *members[6:]])
    source = opened(tmp_path / "set")
    assert captions(source) == sorted(names) and source.key(1) == "0.tar: photo.1"
    expected = {"0.tar: photo.9.png": "no caption", "0.tar: photo.jpg": "another picture of its sample"}
    assert left_out(source) == expected


def test_suffixes_in_capitals_are_read(tmp_path):
    picture(tmp_path / "set/A.PNG").with_name("A.TXT").write_text("in capitals")
    picture(tmp_path / "set/a.png", "small")
    assert captions(opened(tmp_path / "set")) == ["in capitals", "small"]


# ---------------------------------------------------------------- what macOS adds, and links


def test_appledouble_members_and_folders_of_macos_are_counted_and_split_no_sample(tmp_path):
    head = b"\0\5\x16\7" + bytes(60)
    members = [(f"{prefix}{n}", data) for n, data in disk.members([0, 1]) for prefix in ("./._", "./")]
    members = [(n, head if "._" in n else data) for n, data in members]
    tar_ = disk.tar(tmp_path / "tars/0.tar", [*members, ("__MACOSX/x/._0.png", head), ("./.DS_Store", head)])
    (tar_.parent / "._0.tar").write_bytes(head)
    source = opened(tar_.parent)
    assert len(source) == 2 and dict(source.credit.quarantined) == {"AppleDouble file": 6}
    picture(tmp_path / "folder/a.png", "a")
    for name in ("._a.png", "._a.txt"):
        (tmp_path / "folder" / name).write_bytes(head)
    picture(tmp_path / "folder/__MACOSX/a.png", "no picture")
    source = opened(tmp_path / "folder")
    keys = ["._a.png", "._a.txt", "__MACOSX/"]
    assert captions(source) == ["a"] and left_out(source) == dict.fromkeys(keys, "AppleDouble file")


def test_a_member_without_a_suffix_splits_no_sample(tmp_path):
    (png, row) = disk.members([0])
    disk.tar(tmp_path / "set/0.tar", [png, ("README", b"x"), row])
    source = opened(tmp_path / "set")
    assert len(source) == 1 and left_out(source) == {"0.tar: README": "member has no suffix"}


@pytest.mark.parametrize("layout", [disk.folder, disk.texts, disk.tars, disk.parquet], ids=lambda f: f.__name__)
def test_linked_folders_are_followed_once(layout, tmp_path):
    layout(tmp_path / "disk 2/part", 5)
    (tmp_path / "set").mkdir()
    os.symlink(tmp_path / "disk 2/part", tmp_path / "set/part")
    os.symlink(tmp_path / "disk 2/part", tmp_path / "disk 2/part/loop")
    source = opened(tmp_path / "set")
    assert len(source) == 5 and all(source.picture(i).pixels.shape == (64, 64, 3) for i in range(5))
    assert left_out(source) == {"part/loop/": "folder is linked again"}


@pytest.mark.parametrize("suffix", [".tar", ".parquet"])
def test_a_shard_that_is_a_dangling_link_or_a_pipe_is_left_out(suffix, tmp_path):
    (tar if suffix == ".tar" else parquet)(tmp_path / f"set/0{suffix}", "a")
    os.symlink("nowhere", tmp_path / f"set/1{suffix}")
    os.mkfifo(tmp_path / f"set/2{suffix}")
    source = opened(tmp_path / "set")
    assert captions(source) == ["a"] and {*left_out(source)} == {f"1{suffix}", f"2{suffix}"}


# ---------------------------------------------------------------- what is not read


def test_parquet_without_pictures_is_no_shard(tmp_path):
    """img2dataset's: 00000.parquet says of each sample of 00000.tar how its download went."""
    table = pa.table({"url": ["x"], "caption": ["y"], "status": ["success"]})
    for layout in (disk.tars, disk.texts, disk.folder):
        data = layout(tmp_path / layout.__name__, 4)
        pq.write_table(table, data / "00000.parquet")
        (data / "00000_stats.json").write_text("{}")
        source = opened(data)
        assert len(source) == 4 and left_out(source) == {"00000.parquet": "Parquet file without pictures"}
    parquet(tmp_path / "parquets/0.parquet", "a")
    pq.write_table(table, tmp_path / "parquets/metadata.parquet")
    source = opened(tmp_path / "parquets")
    assert captions(source) == ["a"] and left_out(source) == {"metadata.parquet": "Parquet file without pictures"}


def test_unread_files_that_look_like_data_are_reported(tmp_path):
    data = disk.tars(tmp_path / "tars", 4)
    picture(data / "a.png", "a")
    (data / "metadata.jsonl").write_text("")
    (data / "1.tar.gz").write_bytes(b"")
    beside = "beside .tar shards"
    assert left_out(opened(data)) == {"1.tar.gz": "packed shard", "a.png": beside, "metadata.jsonl": beside}

    data = disk.texts(tmp_path / "texts", 2)
    picture(data / "sub/no caption.png")
    (data / "alone.txt").write_text("alone")
    (data / "photo.heic").write_bytes(b"")
    (data / "photo.txt").write_text("of a picture that is not read")
    (data / "metadata.csv").write_text("")
    assert left_out(opened(data)) == {
        "sub/no caption.png": "no caption",
        "alone.txt": "caption without a picture",
        "photo.heic": "not a picture we read",
        "metadata.csv": "list of another form",
    }

    data = disk.folder(tmp_path / "folder", 2)
    for name in ("images/new.png", "images/000.mask.png", "images/000.depth.png", "sub/new.png", "sub/old.gif"):
        picture(data / name)
    masked = {"file_name": "images/new 2.png", "mask_file_name": "masks/1.png", **disk.row(2)}
    picture(data / "images/new 2.png")
    picture(data / "masks/1.png")
    with (data / "metadata.jsonl").open("a") as lines:
        lines.write(json.dumps(masked) + "\n")
    unlisted = ["images/new.png", "sub/new.png", "sub/old.gif"]
    assert left_out(opened(data)) == dict.fromkeys(unlisted, "picture is not listed")


def test_unused_files_are_quarantined_and_summarized(tmp_path):
    tar(tmp_path / "set/train-0.tar", *map(str, range(4)))
    tar(tmp_path / "set/test-0.tar", "a")
    (tmp_path / "set/._train-0.tar").write_bytes(b"")
    config = DataConfig.model_validate({"sources": [{"path": str(tmp_path / "set"), "license": "x"}], "size": 64})
    path = tmp_path / "q.jsonl"
    data = open_training_dataset(
        config, PoolingEncoder(), seed=1, batch_size=2, cache=tmp_path / "cache", quarantine=path
    )
    lines = {(line["key"], line["reason"]) for line in map(json.loads, path.read_text().splitlines())}
    assert lines == {("._train-0.tar", "AppleDouble file"), ("test-0.tar", "of another split")}
    assert summary(data.quarantined) == "Not used: 2 (1 AppleDouble file; 1 of another split)"
    assert summary({}) == "" and summary({"b": 1, "a": 1200, "c": 0}) == "Not used: 1,201 (1,200 a; 1 b)"
    data.close()


def test_a_run_says_in_one_line_how_much_it_does_not_use(tmp_path):
    from vrm_synth.training.callbacks import Callbacks
    from vrm_synth.training.config import RunConfig
    from vrm_synth.training.loop import train

    tar(tmp_path / "set/train-0.tar", *map(str, range(4)))
    tar(tmp_path / "set/test-0.tar", "a")
    messages: list[str] = []
    sources = {"sources": [{"path": str(tmp_path / "set"), "license": "x"}]}
    config = RunConfig.model_validate(runs.settings(tmp_path / "set", more=sources, steps=1))
    train(config, tmp_path / "run", Callbacks(on_message=messages.append), device="cpu")
    assert messages == [f"Not used: 1 (1 of another split): {tmp_path / 'run/quarantine.jsonl'}"]


# ---------------------------------------------------------------- upright


def turned(form: str, **options: object) -> bytes:
    """96×64 as stored, red on its left; upright 64×96, red on top."""
    stored = Image.new("RGB", (96, 64), (0, 0, 200))
    stored.paste((250, 0, 0), (0, 0, 48, 64))
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    stored.save(file, form, exif=exif, **options)
    return file.getvalue()


FORMS = {
    "a.jpg": ("JPEG", {}),
    "a.png": ("PNG", {}),
    "a.webp": ("WEBP", {"lossless": True}),
    "a.jpeg": ("MPO", {"save_all": True, "append_images": [Image.new("RGB", (48, 32))]}),
}


@pytest.mark.parametrize("kind", ["texts", "listed", "tar", "parquet"])
@pytest.mark.parametrize("name", FORMS)
def test_a_picture_is_upright_in_every_format_and_layout(name, kind, tmp_path):
    form, options = FORMS[name]
    data, folder = turned(form, **options), tmp_path / "set"
    folder.mkdir()
    row = {"file_name": name, "caption": "red above blue"}
    if kind == "tar":
        disk.tar(folder / "0.tar", [(name, data), ("a.txt", b"red above blue")])
    elif kind == "parquet":
        pq.write_table(
            pa.table({"image": [{"bytes": data, "path": name}], "caption": [row["caption"]]}), folder / "0.parquet"
        )
    else:
        (folder / name).write_bytes(data)
        (folder / ("a.txt" if kind == "texts" else "metadata.jsonl")).write_text(json.dumps(row))
    source = opened(folder)
    assert source.sizes() == (64, 96)
    pixels = source.picture(0).pixels.astype(int)
    assert pixels.shape == (96, 64, 3)
    assert np.abs(pixels[10, 32] - (250, 0, 0)).max() < 20 and np.abs(pixels[90, 32] - (0, 0, 200)).max() < 20


def test_the_files_of_two_splits_are_separated(tmp_path):
    for split in ("train", "test"):
        picture(tmp_path / f"set/{split}_1.png", split)
    (name,) = find_layout(tmp_path / "set", "test").files()
    assert name == tmp_path / "set/test_1.png"
    assert not find_layout(tmp_path / "set", "train").files() & find_layout(tmp_path / "set", "test").files()
