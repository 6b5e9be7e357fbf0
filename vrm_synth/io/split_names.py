"""The split of a dataset that a file belongs to, by its name, its folders' names, or the dataset card.

The rules are those that Hugging Face documents for `datasets` ("Structure your repository"): the card's `configs`
first, then folders and files that are named after a split, `data/test/0.tar` or `test-00000-of-00001.parquet`. A split
has the keywords that Hugging Face lists, separated from the rest of a name by one of "-._ " or a digit; here in
capitals, too.

    rule = split_rule("train", patterns)
    mine, others = select_split(["train-0.tar", "test-0.tar"], "train", rule)  # ["train-0.tar"], {"test-0.tar": "test"}
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
SplitRule = Callable[[str], str]  # a file's path → the split it is named for, "" for none


def canonical_split(split: str) -> str:
    """The split's usual name: "validation" for "val"; itself where it is none of the usual."""
    return next((name for name, words in KEYWORDS.items() if split.lower() in words), split)


def split_rule(split: str, patterns: Mapping[str, Sequence[str]] | None = None) -> SplitRule:
    """The rule by which a dataset's files are assigned to splits. split: the one that is read; it may have any name.

    patterns: split → paths with wildcards, as a card has them; they alone count where there are any.
    """
    if patterns:
        known = [(canonical_split(name), glob) for name, globs in patterns.items() for glob in globs]
        return lambda path: next((name for name, glob in known if _matches(path, glob)), "")
    words = dict(KEYWORDS) if canonical_split(split) in KEYWORDS else {split: (split.lower(),), **KEYWORDS}
    expressions = [
        (name, re.compile(rf"(?:^|[{_APART}])(?:{'|'.join(map(re.escape, keywords))})(?:$|[{_APART}])", re.IGNORECASE))
        for name, keywords in words.items()
    ]
    return lambda path: next(filter(None, (_first(expressions, part) for part in PurePosixPath(path).parts)), "")


def select_split(paths: Sequence[str], split: str, rule: SplitRule) -> tuple[list[str], dict[str, str]]:
    """Select the paths of a split: (its paths, path → split of the others, "" for none).

    Where no path is named for training, the paths that are named for no split belong to it.
    """
    splits = {path: rule(path) for path in paths}
    name_of_split = canonical_split(split)
    if name_of_split == TRAIN and name_of_split not in splits.values():
        splits = {path: name or TRAIN for path, name in splits.items()}
    in_split = [path for path, name in splits.items() if name == name_of_split]
    return in_split, {path: name for path, name in splits.items() if name != name_of_split}


def split_label(path: str, split: str) -> str:
    """The name of a file's split for an error message; where no rule knows it, its shard's name or topmost folder's."""
    *folders, name = PurePosixPath(path).parts
    shard = _SHARD.fullmatch(name)
    return split or (shard[1] if shard else next((f for f in folders if f != "data"), ""))


def card_patterns(card: str) -> dict[str, list[str]]:
    """The `configs` of a dataset card (a README.md): split → paths with wildcards; empty where it has none.

    Of several configurations the one called default counts, or else all of them.
    """
    head = re.match(r"---\n(.*?)\n---", card, re.DOTALL)
    try:
        metadata = yaml.safe_load(head[1]) if head else None
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}  # not a valid card
    configs = metadata.get("configs") if isinstance(metadata, dict) else None
    several = [c for c in configs if isinstance(c, dict)] if isinstance(configs, list) else []
    default = [c for c in several if c.get("config_name") == "default" or c.get("default") is True]
    patterns: dict[str, list[str]] = {}
    for config in default or several:
        for split, path in _parse_data_files(config.get("data_files")):
            patterns.setdefault(split, []).append(path)
    return patterns


def _parse_data_files(value: Any) -> list[tuple[str, str]]:
    """Parse `data_files` of a Hugging Face dataset card into pairs (split, path with wildcards).

    value: a path, a list of paths, or a list of {split, path} entries.
    """
    entries = value if isinstance(value, list) else [value]
    pairs = []
    for entry in entries:
        split, path = (entry.get("split"), entry.get("path")) if isinstance(entry, dict) else (TRAIN, entry)
        pairs += [(split, p) for p in (path if isinstance(path, list) else [path])]
    return [(s, p) for s, p in pairs if isinstance(s, str) and isinstance(p, str)]


def _matches(path: str, glob: str) -> bool:
    """Return True where a path matches a pattern: ** for any folders, other wildcards within a name as in a shell."""
    segments = glob.removeprefix("./").split("/")

    def after(positions: set[int]) -> set[int]:
        for i, name in enumerate(segments):
            if i in positions and name == "**":
                positions = positions | {i + 1}
        return positions

    positions = after({0})  # in the pattern, where the next folder or file may stand
    for name in path.split("/"):
        positions = after(
            {i for i in positions if i < len(segments) and segments[i] == "**"}
            | {i + 1 for i in positions if i < len(segments) and segments[i] != "**" and fnmatchcase(name, segments[i])}
        )
    return len(segments) in positions


def _first(words: Sequence[tuple[str, re.Pattern[str]]], name: str) -> str:
    """The split whose keyword comes first in a name, "" for none."""
    matches = [(match.start(), split) for split, word in words if (match := word.search(name))]
    return min(matches, key=lambda p: p[0])[1] if matches else ""
