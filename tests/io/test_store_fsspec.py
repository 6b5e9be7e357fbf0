"""Object stores: one PUT per object, retries, and one line for every failure."""

from __future__ import annotations

import pickle
import sys

import fsspec
import pytest

from tests.io.s3 import serving
from vrm_synth.core.errors import DatasetError
from vrm_synth.io import store_fsspec
from vrm_synth.io.store_fsspec import FsspecStore


@pytest.fixture(scope="module")
def s3():
    with serving() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture(params=["s3", "memory", "file"])
def url(request, s3, tmp_path):
    """An empty place: an object store, one in memory, and one that has no atomic put."""
    if request.param == "s3":
        return f"{s3.bucket()}/sets/a"
    return f"memory://{tmp_path}" if request.param == "memory" else f"file://{tmp_path}/a"


def test_put_read_list_and_delete(url, tmp_path):
    store = FsspecStore(url)
    assert store.list() == [] and store.list("records") == [] and not store.exists("a.tar")
    (tmp_path / "source").write_bytes(b"from a file")
    store.put_file("train/00001.tar", tmp_path / "source")
    store.put_file("train/00000.tar", b"from memory")
    store.put_file("records/00000.json", b"{}")
    assert store.list() == ["records/00000.json", "train/00000.tar", "train/00001.tar"]
    assert store.list("train") == ["train/00000.tar", "train/00001.tar"]
    assert store.read("train/00001.tar") == b"from a file" and store.read("train/00000.tar") == b"from memory"
    assert store.exists("train/00000.tar") and not store.exists("train") and not store.exists("train/0")
    store.put_file("train/00000.tar", b"again")
    copy = pickle.loads(pickle.dumps(store))
    assert copy == store and copy.read("train/00000.tar") == b"again"
    store.delete("train/00000.tar")
    store.delete("train/00000.tar")
    assert store.list("train") == ["train/00001.tar"]


def test_a_name_outside_the_dataset_is_refused(url):
    store = FsspecStore(url)
    for name in ("../a", "/etc/passwd", "a/../../b", "a\\..\\b"):
        for act in (store.read, store.exists, store.delete, store.list, lambda n: store.put_file(n, b"")):
            with pytest.raises(DatasetError, match="not a name within a dataset"):
                act(name)


def test_a_missing_file_raises_one_line(url):
    with pytest.raises(DatasetError, match=r"/records/00000\.json: cannot be read: [^\n]+$"):
        FsspecStore(url).read("records/00000.json")


def test_an_object_is_written_with_one_put(s3, tmp_path):
    store = FsspecStore(f"{s3.bucket()}/a")
    (tmp_path / "big").write_bytes(bytes(101 << 20))  # s3fs by itself splits what is longer than 100 MiB
    store.put_file("0.tar", tmp_path / "big")
    store.put_file("0.json", b"{}")
    assert [(a.method, a.key, a.status) for a in s3.requests] == [("PUT", "a/0.tar", 200), ("PUT", "a/0.json", 200)]


def test_a_file_too_long_for_one_put_is_uploaded_in_parts(s3, tmp_path, monkeypatch):
    monkeypatch.setattr(store_fsspec, "MAX_PUT_BYTES", 10 << 20)
    url = f"{s3.bucket()}/a"
    (tmp_path / "big").write_bytes(bytes(range(256)) * (12 << 12))
    s3.fault = lambda method, key: 403 if method == "POST" and len(s3.requests) > 1 else 0
    with pytest.raises(DatasetError, match="cannot be written"):
        FsspecStore(url).put_file("0.tar", tmp_path / "big")
    assert s3.files(url) == {}, "a part of an upload is nothing"
    s3.fault = lambda method, key: 0
    FsspecStore(url).put_file("0.tar", tmp_path / "big")
    assert s3.files(url) == {"0.tar": (tmp_path / "big").read_bytes()}


def test_files_of_other_machines_are_listed(s3):
    bucket = s3.bucket()
    ours, theirs = FsspecStore(bucket), fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)
    ours.put_file("records/0", b"0")
    assert ours.list("records") == ["records/0"] and not ours.exists("records/1")
    theirs.pipe_file(f"{bucket}/records/1", b"1")
    assert ours.exists("records/1") and ours.read("records/1") == b"1" and len(ours.list("records")) == 2
    theirs.rm_file(f"{bucket}/records/0")
    assert not ours.exists("records/0") and ours.list() == ["records/1"]


@pytest.mark.parametrize("act", ["put_file", "read", "exists", "list", "delete"])
def test_a_refusal_raises_one_line_and_never_means_missing(s3, act):
    store = FsspecStore(f"{s3.bucket()}/a")
    store.put_file("b", b"")
    s3.fault = lambda method, key: 403
    with pytest.raises(DatasetError, match=r"^s3://bucket-\w+/a(/b)?: cannot be [a-z ]+: [^\n]+$"):
        getattr(store, act)(*{"list": (), "put_file": ("b", b"c")}.get(act, ("b",)))
    s3.fault = lambda method, key: 0
    assert s3.files(store.url) == {"b": b""}


def test_a_transient_error_is_retried(s3):
    store = FsspecStore(f"{s3.bucket()}/a")
    s3.fault = lambda method, key: 503 if len(s3.requests) < 2 else 0
    store.put_file("b", b"c")
    s3.fault = lambda method, key: 0
    assert [a.status for a in s3.requests] == [503, 503, 200] and store.read("b") == b"c"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://there-is-no-such-bucket/a", r"^s3://there-is-no-such-bucket/a/b: cannot be written: .*bucket"),
        ("nothing://a", r"^nothing://a: cannot be opened: .*nothing"),
    ],
)
def test_a_missing_bucket_raises_one_line(s3, url, message):
    with pytest.raises(DatasetError, match=message):
        FsspecStore(url).put_file("b", b"c")


def test_a_missing_library_raises_with_the_package_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(DatasetError, match=r"s3://b: cannot be opened: .* allowed: pip install 'vrm-synth\[remote\]'"):
        FsspecStore("s3://b").list()


def test_a_partial_write_never_has_the_final_name_where_a_put_is_not_atomic(tmp_path, monkeypatch):
    store = FsspecStore(f"file://{tmp_path}/a")
    store.put_file("0.tar", b"before")
    calls = []

    def breaks(self, path, data, **_):
        with open(path, "wb") as f:
            f.write(data[:1])
        calls.append(path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.pipe_file", breaks)
    with pytest.raises(DatasetError, match=r"a/0\.tar: cannot be written: No space left on device$"):
        store.put_file("0.tar", b"after")
    assert calls != [f"{tmp_path}/a/0.tar"] and [p.name for p in (tmp_path / "a").iterdir()] == ["0.tar"]
    assert store.read("0.tar") == b"before"
