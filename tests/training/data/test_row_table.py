"""Sources on disk → rows: every layout gives the same samples, hostile ones are left out by name."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from tests.training import disk
from vrm_synth.core.errors import DatasetError
from vrm_synth.training.data.data_config import SourceConfig
from vrm_synth.training.data.table_source import TableSource, open_source


def opened(path: Path, tables: Path | None = None, **options: object) -> TableSource:
    config = SourceConfig.model_validate({"path": str(path), **options})
    return open_source(config, tables or path.parent / "tables")


def reasons(source: TableSource) -> dict[str, int]:
    return dict(source.credit.quarantined)


@pytest.mark.parametrize("layout", [disk.folder, disk.texts, disk.tars, disk.parquet], ids=lambda f: f.__name__)
def test_every_layout_gives_its_pictures_and_captions(layout, tmp_path):
    source = opened(layout(tmp_path / "data", 10), license="CC0-1.0")
    assert len(source) == 10 and source.sizes() == disk.SIZE and reasons(source) == {}
    for i in range(10):
        assert source.captions(i).sentence == f"picture {i}, seen from the left"
        assert source.picture(i).pixels[0, 0].tolist() == [i * 37 % 200 + 40, i * 11 % 256, i * 71 % 256]
    assert source.credit.licenses == {"CC0-1.0": 10} and source.credit.rows == 10
    assert len({source.file_fingerprint(i) for i in range(10)}) == len({source.key(i) for i in range(10)}) == 10


def test_a_split_is_read_alone(tmp_path):
    disk.folder(tmp_path / "data/train", 4)
    disk.folder(tmp_path / "data/test", 3)
    assert len(opened(tmp_path / "data")) == 4 and len(opened(tmp_path / "data", split="test")) == 3


def test_a_shard_or_list_can_be_named_alone(tmp_path):
    disk.tars(tmp_path / "tars", 6)
    disk.folder(tmp_path / "folder", 3)
    assert len(opened(tmp_path / "tars/00000.tar")) == 4
    assert len(opened(tmp_path / "folder/metadata.jsonl")) == 3


def test_pictures_without_a_license_are_not_trained_on(tmp_path):
    with pytest.raises(DatasetError, match=r"license .* is not known.*6 pictures"):
        opened(disk.texts(tmp_path / "data"))
    credit = opened(tmp_path / "data", license="CC-BY-4.0", attribution="the Museum").credit
    assert credit.licenses == {"CC-BY-4.0": 6} and credit.attribution == "the Museum"


def test_avatars_and_their_authors_are_credited(tmp_path):
    data = disk.folder(tmp_path / "data", 4)
    identity = {"avatars": [{"sha256": "0" * 64, "authors": ["Somebody"]}]}
    (data / "dataset.json").write_text(json.dumps(identity))
    avatar = {"avatar": "demo", "sha256": "0" * 64, "license": "CC0-1.0", "pictures": 4, "authors": ["Somebody"]}
    assert opened(data).credit.avatars == (avatar,)


# ---------------------------------------------------------------- made once, made again


def test_a_table_is_made_once_and_again_after_any_change(tmp_path):
    data = disk.folder(tmp_path / "data", 4)
    looked: list[int] = []

    def look() -> TableSource:
        looked.clear()
        config = SourceConfig.model_validate({"path": str(data)})
        return open_source(config, tmp_path / "tables", looked.append)

    first = look()
    assert looked == [4]
    reopened = look()
    assert looked == [] and reopened.credit == first.credit
    lines = (data / "metadata.jsonl").read_text()
    (data / "metadata.jsonl").write_text(lines.replace("picture 2", "picture two"))
    changed = look()
    assert looked == [4] and changed.credit.manifest != first.credit.manifest


@pytest.mark.parametrize("layout", [disk.folder, disk.texts, disk.tars, disk.parquet], ids=lambda f: f.__name__)
def test_rows_are_the_same_wherever_the_data_lies(layout, tmp_path):
    layout(tmp_path / "data", 5)
    here = opened(tmp_path / "data", license="CC0-1.0").credit
    (tmp_path / "data").rename(tmp_path / "moved")
    moved = opened(tmp_path / "moved", license="CC0-1.0").credit
    assert here.manifest == moved.manifest


def test_a_caption_file_that_changes_in_place_is_scanned_again(tmp_path):
    data = disk.texts(tmp_path / "data", 3)
    before = opened(data, license="x").credit.manifest
    (data / "001.txt").write_text("another caption, much longer")
    assert opened(data, license="x").credit.manifest != before


def test_a_cut_table_is_made_again(tmp_path):
    data = disk.folder(tmp_path / "data", 4)
    opened(data)
    account = next((tmp_path / "tables").glob("*.json"))
    account.write_bytes(account.read_bytes()[:40])
    assert len(opened(data)) == 4
    table = next((tmp_path / "tables").glob("*.arrow"))
    table.write_bytes(table.read_bytes()[:100])
    assert len(opened(data)) == 4


def test_a_picture_that_changes_has_another_fingerprint(tmp_path):
    data = disk.folder(tmp_path / "data", 2)
    source = opened(data)
    before, other = source.file_fingerprint(0), source.file_fingerprint(1)
    picture = data / "images/000.png"
    times = picture.stat()
    picture.write_bytes(disk.png(9)[: times.st_size].ljust(times.st_size, b"\0"))
    os.utime(picture, ns=(times.st_atime_ns, times.st_mtime_ns))  # as sly as can be
    assert source.file_fingerprint(0) != before and source.file_fingerprint(1) == other


# ---------------------------------------------------------------- hostile folders


def listing(path: Path, *rows: object) -> TableSource:
    """A folder with one good picture and these lines."""
    data = disk.folder(path, 1)
    good = (data / "metadata.jsonl").read_text()
    lines = [r if isinstance(r, str) else json.dumps(r) for r in rows]
    (data / "metadata.jsonl").write_text(good + "\n".join(lines) + "\n")
    return opened(data)


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside.png", "a/../../outside.png", "..\\outside.png"])
def test_no_file_name_leads_out_of_the_folder(name, tmp_path):
    (tmp_path / "outside.png").write_bytes(disk.png(0))
    source = listing(tmp_path / "data", {"file_name": name, **disk.row(1)})
    assert len(source) == 1 and reasons(source) == {"file_name leads out of the folder": 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "metadata is not JSON"),
        ("[1]", "metadata is not JSON"),
        ("[" * 100_000, "metadata is not JSON"),
        ('{"caption": "no name"}', "no file_name"),
        ('{"file_name": "images/000.png"}', "no caption"),
        ('{"file_name": "images/000.png", "caption": "  \\n "}', "caption is empty"),
        ('{"file_name": "images/000.png", "caption": 5}', "caption is not text"),
        ('{"file_name": "images/000.png", "caption": "\\ud800"}', "caption is empty"),
        ('{"file_name": "images/000.png", "caption": "%s"}' % ("x" * 20_000), "caption is too long"),
        ('{"file_name": "images/000.png", "caption": "%s"}' % ("x" * 2_000_000), "metadata is too long"),
        ('{"file_name": "images/999.png", "caption": "x"}', "file is missing or closed to us"),
        ('{"file_name": "images", "caption": "x"}', "not a plain file"),
        ('{"file_name": "metadata.jsonl", "caption": "x"}', "not a picture we read"),
        ('{"file_name": "images/\\u0000.png", "caption": "x"}', "no file_name"),
        ('{"file_name": "%s.png", "caption": "x"}' % ("n" * 300), "file is missing or closed to us"),
    ],
    ids=range(15),
)
def test_a_line_that_is_no_sample_is_left_out(line, reason, tmp_path):
    source = listing(tmp_path / "data", line)
    assert len(source) == 1 and reasons(source) == {reason: 1}
    assert source.left_out[0][1] == reason and source.left_out[0][0]


def test_a_pipe_is_not_waited_for(tmp_path):
    data = disk.folder(tmp_path / "data", 1)
    os.mkfifo(data / "images/pipe.png")
    with (data / "metadata.jsonl").open("a") as f:
        f.write(json.dumps({"file_name": "images/pipe.png", **disk.row(1)}) + "\n")
    assert reasons(opened(data)) == {"not a plain file": 1}


def test_pictures_without_captions_are_counted_and_passes_are_not_pictures(tmp_path):
    data = disk.texts(tmp_path / "data", 3)
    (data / "001.txt").unlink()
    (data / "002.txt").write_bytes(b"\xff\xfe\xff")
    (data / "000.depth.png").write_bytes(disk.png(0))
    source = opened(data, license="x")
    assert len(source) == 1 and reasons(source) == {"no caption": 1, "caption is not UTF-8": 1}


def test_a_mask_beside_a_picture_is_read_with_it(tmp_path):
    data = disk.folder(tmp_path / "data", 2)
    (data / "images/001.mask.png").write_bytes(disk.png(1, mode="L"))
    (data / "images/000.mask.png").write_bytes(disk.png(1, size=(32, 32), mode="L"))
    source = opened(data)
    mask = source.picture(1).mask
    assert mask is not None and mask.shape == (64, 64) and mask[0, 0] > 0 and mask[0, 63] == 0
    with pytest.raises(Exception, match="mask is not of its picture's size"):
        source.picture(0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: None, "no such folder"),
        (lambda p: p.mkdir(), "no captioned pictures"),
        (lambda p: (p.mkdir(), (p / "a.png").write_bytes(b"")), "no captioned pictures"),
        (lambda p: (p.mkdir(), (p / "a.tar.gz").write_bytes(b"")), "packed shards"),
        (lambda p: (disk.tars(p), disk.parquet(p / "more")), "both .tar and .parquet"),
        (lambda p: (p.mkdir(), (p / "metadata.jsonl").write_text("{}\n")), "no picture of 1 can be trained on"),
        (lambda p: p.write_text("x"), "not a source of pictures"),
    ],
    ids=range(7),
)
def test_an_invalid_source_is_refused_in_one_line(make, message, tmp_path):
    make(tmp_path / "data")
    with pytest.raises(DatasetError, match=message) as e:
        opened(tmp_path / "data")
    assert "\n" not in str(e.value) and str(tmp_path / "data") in str(e.value)


# ---------------------------------------------------------------- hostile shards


def shard(path: Path, *members: tuple[str, bytes]) -> TableSource:
    """A shard with one good sample and these members."""
    disk.tar(path / "data/00000.tar", [*disk.members([0]), *members])
    return opened(path / "data", license="CC0-1.0")


@pytest.mark.parametrize("length", [0.2, 0.5, 0.9, 0.99])
def test_a_cut_shard_gives_what_it_has_and_says_so(length, tmp_path):
    shard_file = disk.tar(tmp_path / "data/00001.tar", disk.members(range(8)))
    data = shard_file.read_bytes()[:-9000]  # without the padding to 10 KiB
    shard_file.write_bytes(data[: int(len(data) * length)])
    disk.tar(tmp_path / "data/00000.tar", disk.members([9]))
    source = opened(tmp_path / "data")
    assert 1 <= len(source) < 9
    assert reasons(source).pop("shard breaks off") == 1
    for i in range(len(source)):
        assert source.picture(i).pixels.shape == (64, 64, 3)


def test_a_shard_with_a_flipped_header_is_not_taken_for_its_end(tmp_path):
    path = disk.tar(tmp_path / "data/00000.tar", disk.members(range(4)))
    data = bytearray(path.read_bytes())
    with tarfile.open(path) as file:
        at = file.getmember("002.png").offset
    data[at + 150] ^= 0xFF  # in the checksum
    path.write_bytes(data)
    source = opened(tmp_path / "data")
    assert len(source) == 2 and reasons(source) == {"shard breaks off": 1}


def test_a_shard_that_is_no_tar_is_left_out_and_the_others_are_read(tmp_path):
    disk.tar(tmp_path / "data/00000.tar", disk.members([0, 1]))
    (tmp_path / "data/00001.tar").write_bytes(b"hello" * 1000)
    (tmp_path / "data/00002.tar").write_bytes(b"")
    source = opened(tmp_path / "data")
    assert len(source) == 2 and reasons(source) == {"shard is no tar": 2}


def test_links_and_devices_are_no_members(tmp_path):
    path = tmp_path / "data/00000.tar"
    path.parent.mkdir()
    with tarfile.open(path, "w") as file:
        for name, data in disk.members([0]):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
        for name, kind in (("001.png", tarfile.SYMTYPE), ("002.png", tarfile.LNKTYPE), ("003.png", tarfile.CHRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            file.addfile(info)
    source = opened(tmp_path / "data")
    assert len(source) == 1 and reasons(source) == {"member is no plain file": 3}


def test_a_long_record_before_a_member_is_not_read(tmp_path):
    path = tmp_path / "data/00000.tar"
    disk.tar(path, disk.members([0]))
    body = path.read_bytes()
    with tarfile.open(path) as file:
        end = file.getmembers()[-1].offset_data + 512
    info = tarfile.TarInfo("long")
    info.type, info.size = tarfile.XHDTYPE, 8 << 30
    path.write_bytes(body[:end] + info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 2048)
    source = opened(tmp_path / "data")
    assert len(source) == 1 and reasons(source) == {"shard breaks off": 1}


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([("x/../../y.png", disk.png(1))], "no caption"),
        ([("1.png", disk.png(1)), ("1.txt", b"")], "caption is empty"),
        ([("1.png", disk.png(1)), ("1.txt", b"x" * (2 << 20))], "caption is too long"),
        ([("1.png", disk.png(1)), ("1.txt", b"\xff\xff")], "caption is not UTF-8"),
        ([("1.png", disk.png(1)), ("1.json", b"{")], "metadata is not JSON"),
        ([("1.txt", b"alone")], "no picture"),
        ([("1.pickle", b"cos\nsystem\n(S'true'\ntR."), ("1.txt", b"x")], "no picture"),
        ([("1.png", disk.png(1)[:20]), ("1.txt", b"x")], "picture is damaged"),
        ([("1.png", b"no picture"), ("1.txt", b"x")], "not a picture we read"),
    ],
    ids=range(9),
)
def test_a_sample_that_is_none_is_left_out(members, reason, tmp_path):
    source = shard(tmp_path, *members)
    assert len(source) == 1 and reasons(source) == {reason: 1}


def test_samples_are_members_in_a_row_by_their_names_up_to_the_first_dot(tmp_path):
    a, b = disk.png(1), disk.png(2)
    source = shard(
        tmp_path,
        ("./p.q/1.png", a), ("./p.q/1.mask.png", disk.png(1, mode="L")), ("./p.q/1.txt", b"one"),
        ("p/1.JPG", b), ("p/1.txt", b"two"), ("p/1.jpg", a), ("p/1.txt", b"three"),
    )  # fmt: skip
    assert [source.captions(i).sentence for i in range(1, 4)] == ["one", "two", "three"]
    assert source.picture(1).mask is not None and source.picture(2).mask is None


def test_a_damaged_parquet_file_is_left_out_and_the_others_are_read(tmp_path):
    disk.parquet(tmp_path / "data", 6)
    good = tmp_path / "data/00000.parquet"
    data = good.read_bytes()
    (tmp_path / "data/00001.parquet").write_bytes(data[: len(data) // 2])
    flipped = bytearray(data)
    flipped[len(data) // 3] ^= 0xFF
    (tmp_path / "data/00002.parquet").write_bytes(flipped)
    source = opened(tmp_path / "data")
    assert len(source) >= 6 and reasons(source)["shard is no Parquet file"] == 1


def test_parquet_without_the_columns_is_refused_by_name(tmp_path):
    with pytest.raises(
        DatasetError, match=r"of 1 can .*no such columns; got .*image, caption.*allowed: image, and text or"
    ):
        opened(disk.parquet(tmp_path / "data"), caption="text", tags="labels")


def test_parquet_shards_of_ours_tell_their_origin_in_a_column_of_json(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "data").mkdir()
    images = [{"bytes": disk.png(i), "path": f"{i:06d}.png"} for i in range(3)]
    metadata = [json.dumps(disk.row(0)), json.dumps({**disk.row(1), "caption": "not this"}), "{"]
    columns = {"key": ["000000", "000001", "000002"], "image": images, "caption": ["a", "b", "c"], "metadata": metadata}
    pq.write_table(pa.table(columns), tmp_path / "data/00000.parquet")
    source = opened(tmp_path / "data")
    assert source.credit.licenses == {"CC0-1.0": 2} and source.credit.avatars[0]["pictures"] == 2
    assert [source.captions(i).sentence for i in range(2)] == ["a", "b"]
    assert source.key(1) == "00000.parquet: 000001" and reasons(source) == {"metadata is not JSON": 1}


def test_a_path_in_a_parquet_cell_is_never_followed(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "data").mkdir()
    (tmp_path / "secret.png").write_bytes(disk.png(3))
    images = [{"bytes": disk.png(0), "path": "a"}, {"bytes": None, "path": str(tmp_path / "secret.png")}]
    pq.write_table(pa.table({"image": images, "caption": ["a", "b"]}), tmp_path / "data/0.parquet")
    source = opened(tmp_path / "data", license="x")
    assert len(source) == 1 and reasons(source) == {"no picture": 1}
