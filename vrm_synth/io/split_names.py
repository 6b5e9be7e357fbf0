"""Which split of a dataset a file belongs to, by its name, its folders' names, or the card beside it.

The rules are those that the `datasets` library documents ("Structure your repository"): the card's `configs` first,
then folders and files that are called after a split, `data/test/0.tar` or `test-00000-of-00001.parquet`. Its words for
each split count, apart from the rest of a name by one of "-._ " or a digit; here in capitals, too.

    named = namer("train", patterns)
    mine, others = choose(["train-0.tar", "test-0.tar"], "train", named)    # ["train-0.tar"], {"test-0.tar": "test"}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

import yaml

TRAIN = "train"
KEYWORDS: Mapping[str, tuple[str, ...]] = {
    TRAIN: ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_APART = "-._ 0-9"
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}\b.*")
Namer = Callable[[str], str]  # a file's path → the split it is named for, "" for none


def canonical(split: str) -> str:
    """The split's usual name: "validation" for "val"; itself where it is none of the usual."""
    return next((name for name, words in KEYWORDS.items() if split.lower() in words), split)


def namer(asked: str, patterns: Mapping[str, Sequence[str]] | None = None) -> Namer:
    """How the files of a dataset are named, of which the split `asked` is wanted: a name of one's own counts, too.

    patterns: split → paths with wildcards, as a card has them; they alone count where there are any.
    """
    if patterns:
        known = [(canonical(split), glob) for split, several in patterns.items() for glob in several]
        return lambda path: next((split for split, glob in known if _matches(path, glob)), "")
    words = dict(KEYWORDS) if canonical(asked) in KEYWORDS else {asked: (asked.lower(),), **KEYWORDS}
    expressions = [
        (split, re.compile(rf"(?:^|[{_APART}])(?:{'|'.join(map(re.escape, several))})(?:$|[{_APART}])", re.IGNORECASE))
        for split, several in words.items()
    ]
    return lambda path: next(filter(None, (_first(expressions, part) for part in PurePosixPath(path).parts)), "")


def choose(paths: Sequence[str], asked: str, named: Namer) -> tuple[list[str], dict[str, str]]:
    """(the paths of the split, path → split of the others, "" for none).

    Where nothing is named for the training, whatever is named for no split is of it.
    """
    splits = {path: named(path) for path in paths}
    wanted = canonical(asked)
    if wanted == TRAIN and wanted not in splits.values():
        splits = {path: split or TRAIN for path, split in splits.items()}
    mine = [path for path, split in splits.items() if split == wanted]
    return mine, {path: split for path, split in splits.items() if split != wanted}


def called(path: str, split: str) -> str:
    """What a file's split may be called where no rule knows it: by its shard's name, or its topmost folder's."""
    *folders, name = PurePosixPath(path).parts
    shard = _SHARD.fullmatch(name)
    return split or (shard[1] if shard else next((f for f in folders if f != "data"), ""))


def card_patterns(card: str) -> dict[str, list[str]]:
    """Split → paths with wildcards, of a dataset card's `configs` (a README.md); empty where it has none.

    Of several configurations the one called default counts, or else all of them.
    """
    head = re.match(r"---\n(.*?)\n---", card, re.DOTALL)
    try:
        told = yaml.safe_load(head[1]) if head else None
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}  # a card that is none says nothing
    configs = told.get("configs") if isinstance(told, dict) else None
    several = [c for c in configs if isinstance(c, dict)] if isinstance(configs, list) else []
    default = [c for c in several if c.get("config_name") == "default" or c.get("default") is True]
    found: dict[str, list[str]] = {}
    for config in default or several:
        for split, path in _data_files(config.get("data_files")):
            found.setdefault(split, []).append(path)
    return found


def _data_files(value: Any) -> list[tuple[str, str]]:
    """(split, path with wildcards) of a configuration's `data_files`: a path, several, or {split, path} each."""
    entries = value if isinstance(value, list) else [value]
    found = []
    for entry in entries:
        split, path = (entry.get("split"), entry.get("path")) if isinstance(entry, dict) else (TRAIN, entry)
        found += [(split, p) for p in (path if isinstance(path, list) else [path])]
    return [(s, p) for s, p in found if isinstance(s, str) and isinstance(p, str)]


def _matches(path: str, glob: str) -> bool:
    """Whether a path is meant by one with wildcards: ** for any folders, the others within a name as in a shell."""
    wanted = glob.removeprefix("./").split("/")

    def after(places: set[int]) -> set[int]:
        for i, name in enumerate(wanted):
            if i in places and name == "**":
                places = places | {i + 1}
        return places

    places = after({0})  # in the pattern, where the next folder or file may stand
    for name in path.split("/"):
        places = after(
            {i for i in places if i < len(wanted) and wanted[i] == "**"}
            | {i + 1 for i in places if i < len(wanted) and wanted[i] != "**" and fnmatchcase(name, wanted[i])}
        )
    return len(wanted) in places


def _first(found: Sequence[tuple[str, re.Pattern[str]]], name: str) -> str:
    """The split whose word comes first in a name."""
    places = [(match.start(), split) for split, word in found if (match := word.search(name))]
    return min(places, key=lambda p: p[0])[1] if places else ""
