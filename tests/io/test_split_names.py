"""The split of a file: as the `datasets` library resolves the same names."""

from __future__ import annotations

from pathlib import Path

import pytest

from vrm_synth.io.split_names import canonical_split, card_patterns, select_split, split_rule

NAMES = {
    "train.parquet": "train",
    "train-00000-of-00001.parquet": "train",
    "data/training_0.tar": "train",
    "cc3m-train-0000.tar": "train",
    "test.tar": "test",
    "my.eval.parquet": "test",
    "evaluation 3.tar": "test",
    "data/testing-1.tar": "test",
    "valid.parquet": "validation",
    "x/dev_2.tar": "validation",
    "val-00001.tar": "validation",
    "validation0.parquet": "validation",
    "test/train-0.tar": "test",
    "data/my-test set/0.tar": "test",
    "a/val/b/0.tar": "validation",
    "latest.tar": "",
    "trainer.tar": "",
    "retrain-0.tar": "",
    "contest/0.tar": "",
    "evaluate.tar": "",
    "00000.tar": "",
}


@pytest.mark.parametrize(("path", "split"), NAMES.items(), ids=NAMES)
def test_a_file_name_states_its_split(path, split):
    assert split_rule("train")(path) == split
    assert split_rule("train")(path.upper().replace("TAR", "tar")) == split


@pytest.mark.parametrize(
    "names",
    [
        ["data/train-00000-of-00001.txt", "data/test-00000-of-00001.txt"],
        ["train.txt", "test.txt", "valid.txt", "other.txt"],
        ["train_0.txt", "train_1.txt", "dev-0.txt", "my-eval.txt"],
        ["train/0.txt", "test/0.txt", "a/0.txt"],
        ["data/train/0.txt", "data/val-small/0.txt"],
        ["a.txt", "b.txt", "latest.txt"],
    ],
)
def test_the_datasets_library_takes_the_same_files(names, tmp_path):
    datasets = pytest.importorskip("datasets.data_files")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    patterns = datasets.get_data_patterns(str(tmp_path))
    for split, several in patterns.items():
        expected = {
            Path(p).relative_to(tmp_path).as_posix()
            for pattern in several
            for p in _resolved(datasets, pattern, tmp_path)
        }
        assert set(select_split(names, str(split), split_rule(str(split)))[0]) == expected


def _resolved(datasets, pattern, folder):
    try:
        return datasets.resolve_pattern(pattern, str(folder))
    except FileNotFoundError:
        return []


def test_a_split_of_any_name_is_found_by_its_name():
    paths = ["data/holdout-00000-of-00001.parquet", "data/train-00000-of-00001.parquet", "train_clean.tar"]
    assert select_split(paths, "holdout", split_rule("holdout"))[0] == paths[:1]
    assert select_split(paths, "train_clean", split_rule("train_clean"))[0] == paths[2:]
    assert canonical_split("Val") == "validation" and canonical_split("holdout") == "holdout"


def test_files_without_a_split_are_train_unless_a_name_says_train():
    assert select_split(["0.tar", "test.tar"], "train", split_rule("train")) == (["0.tar"], {"test.tar": "test"})
    assert select_split(["0.tar", "train.tar"], "train", split_rule("train")) == (["train.tar"], {"0.tar": ""})
    assert select_split(["0.tar", "train.tar"], "test", split_rule("test"))[0] == []


CARD = """---
license: cc0-1.0
configs:
- config_name: default
  data_files:
  - {split: train, path: [first/*.tar, "more/**"]}
  - {split: holdout, path: second/*.tar}
- config_name: small
  data_files: "**/tiny.tar"
---
# A card
"""


def test_a_card_overrides_file_names():
    patterns = card_patterns(CARD)
    assert patterns == {"train": ["first/*.tar", "more/**"], "holdout": ["second/*.tar"]}
    paths = ["first/test.tar", "first/x/0.tar", "more/a/b.tar", "second/train.tar"]
    assert select_split(paths, "train", split_rule("train", patterns))[0] == ["first/test.tar", "more/a/b.tar"]
    assert select_split(paths, "holdout", split_rule("holdout", patterns))[0] == ["second/train.tar"]


@pytest.mark.parametrize(
    "head",
    ["", "configs: 5", "configs: [5, {data_files: 7}]", "configs: [{data_files: [{path: x}, {split: 3}]}]", "{", "- a",
     "a: 2020-13-45", "configs: [{data_files: [[[]]]}]"],
)  # fmt: skip
def test_a_card_without_data_files_says_nothing(head):
    assert card_patterns(f"---\n{head}\n---\n") == {} and card_patterns(head) == {}


def test_hostile_wildcards_of_a_card_match_quickly():
    glob = "/".join(["**", "*a*a*a*a*b"] * 50)
    assert split_rule("train", {"train": [glob]})("/".join(["a" * 200] * 60)) == ""
