"""Listing data files of a folder: links are followed once, hidden files are excluded and reported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.data_files import (
    MAX_DEPTH,
    Exclusion,
    NoSplitError,
    find_data_files,
    has_split,
    hidden_reason,
    split_files,
)


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def reasons(exclusions: tuple[Exclusion, ...]) -> dict[str, str]:
    return {key: reason for key, reason, _ in exclusions}


def test_names_that_differ_in_capitals_alone_are_two_files(tmp_path):
    listing = find_data_files(make(tmp_path, "A.tar", "a.tar", "b.TAR", "notes.md", "x/0.Parquet"))
    assert listing.with_suffix(".tar") == ["A.tar", "a.tar", "b.TAR"] and listing.with_suffix(".parquet") == [
        "x/0.Parquet"
    ]
    assert listing.folders == (".", "x") and listing.exclusions == ()


def test_linked_folders_and_files_are_followed_each_folder_once(tmp_path):
    make(tmp_path / "elsewhere", "0.tar", "deep/1.tar")
    root = make(tmp_path / "root", "2.tar", "sub/3.tar")
    os.symlink(tmp_path / "elsewhere", root / "linked")
    os.symlink(tmp_path / "elsewhere/0.tar", root / "4.tar")
    os.symlink(root, root / "sub/loop")
    os.symlink(tmp_path / "elsewhere/deep", root / "twice")
    os.symlink(root / "sub", root / "a link, before what it links to")
    os.symlink("nowhere", root / "dangling")
    listing = find_data_files(root)
    assert listing.paths == ("2.tar", "4.tar", "linked/0.tar", "linked/deep/1.tar", "sub/3.tar")
    repeated = ["a link, before what it links to/", "sub/loop/", "twice/"]
    assert reasons(listing.exclusions) == dict.fromkeys(repeated, "folder is linked again")


def test_a_root_that_is_a_link_is_a_folder(tmp_path):
    make(tmp_path / "real", "0.tar")
    os.symlink(tmp_path / "real", tmp_path / "link")
    assert find_data_files(tmp_path / "link").paths == ("0.tar",)


def test_hidden_and_macos_files_are_excluded_by_name(tmp_path):
    deep = "/".join("abcdefghijklmnopq")
    root = make(
        tmp_path, "a.png", "._a.png", ".b.png", "__MACOSX/._a.png", ".cache/c.png", ".git/HEAD", f"{deep}/d.png"
    )
    listing = find_data_files(root)
    assert listing.paths == ("a.png",)
    assert reasons(listing.exclusions) == {
        "._a.png": "AppleDouble file",
        ".b.png": "hidden file",
        "__MACOSX/": "AppleDouble file",
        ".cache/": "hidden file",
        f"{deep}/": "folder is too deep",
    }
    assert deep.count("/") == MAX_DEPTH


@pytest.mark.parametrize(
    ("path", "reason"),
    [("./a/b.png", None), ("../b.png", None), ("a/._b.png", "AppleDouble file"), ("./._b.png", "AppleDouble file"),
     ("__MACOSX/a/._b", "AppleDouble file"), (".hid/b.png", "hidden file"), ("a.b/c.d.png", None)],
)  # fmt: skip
def test_any_part_of_a_path_can_hide_a_file(path, reason):
    assert (hidden_reason(path) or (None,))[0] == reason


def test_files_of_other_splits_are_excluded_by_name(tmp_path):
    root = make(tmp_path, "data/train-0.tar", "data/test-0.tar", "data/more.tar")
    listing = find_data_files(root)
    of_split, of_others = split_files(listing, listing.with_suffix(".tar"), "train")
    assert of_split == ["data/train-0.tar"]
    assert [(o.key, o.reason, o.detail) for o in of_others] == [
        ("data/more.tar", "of another split", "its name says none"),
        ("data/test-0.tar", "of another split", "test"),
    ]
    with pytest.raises(NoSplitError, match=r"no such split; got val; allowed: test, train"):
        split_files(listing, listing.with_suffix(".tar"), "val")


def test_a_card_of_other_files_is_ignored(tmp_path):
    root = make(tmp_path, "train-0.tar", "test-0.tar")
    (root / "README.md").write_text("---\nconfigs: [{data_files: [{split: train, path: 'x/*.csv'}]}]\n---\n")
    listing = find_data_files(root)
    assert split_files(listing, listing.with_suffix(".tar"), "train")[0] == ["train-0.tar"]
    (root / "README.md").write_text("---\nconfigs: [{data_files: [{split: train, path: 'test-*'}]}]\n---\n")
    assert split_files(listing, listing.with_suffix(".tar"), "train")[0] == ["test-0.tar"]


def test_has_split_finds_files_of_a_split(tmp_path):
    root = make(tmp_path, "train-0.tar", "dev/0.tar", "holdout-00000-of-00001.tar")
    assert all(has_split(root, s) for s in ("train", "val", "validation", "dev", "holdout"))
    assert not has_split(root, "test") and not has_split(root / "train-0.tar", "train")
    with pytest.raises(DatasetError, match="not the name of a split"):
        has_split(root, "../root")
