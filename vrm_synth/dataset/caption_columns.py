"""The columns of captions of a dataset and their settings, as dataset.json has them.

A recipe's columns are in dataset.json's `recipe`, those that were added to the finished dataset in `added_captions`.
A merged dataset whose sources have other settings has them by the beginning of its keys (`captions_by_prefix`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vrm_synth.caption.captioner import captions
from vrm_synth.caption.settings import COLUMN_NAMES, CaptionSettings, is_column
from vrm_synth.core.errors import DatasetError
from vrm_synth.facts.facts import Facts
from vrm_synth.io.file_names import DATASET_JSON

CAPTIONS = "captions"  # keys of dataset.json's recipe
CAPTIONS_BY_PREFIX = "captions_by_prefix"
ADDED = "added_captions"  # of dataset.json itself
OWN = "captioner"  # key of a column that a captioner of the user's own wrote: its name

# Column → its settings as dataset.json has them.
Columns = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class DatasetCaptions:
    """The columns of captions of a dataset.

    by_prefix: beginning of a sample's key → its columns; "" for every key.
    """

    by_prefix: Mapping[str, Columns]
    _known: dict[str, Mapping[str, CaptionSettings]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, `caption` first."""
        return tuple(next(iter(self.by_prefix.values())))

    def settings(self, key: str) -> Mapping[str, CaptionSettings]:
        """Column → settings, for a sample's columns that settings write. Raises DatasetError."""
        prefixes = [p for p in self.by_prefix if key.startswith(p)]
        if not prefixes:
            raise DatasetError("a key of no source's captions", got=key, where=DATASET_JSON)
        prefix = max(prefixes, key=len)
        if prefix not in self._known:
            self._known[prefix] = settings_of(self.by_prefix[prefix])
        return self._known[prefix]

    def captions(self, facts: Facts, seed: int, key: str) -> dict[str, str]:
        """Column → caption, of those columns that settings write. seed: of the choice of words, of the shot.

        Raises DatasetError.
        """
        return captions(facts, self.settings(key), seed)

    def prefixed(self, prefix: str) -> dict[str, Columns]:
        """The columns by prefix, in a dataset where keys begin with another prefix before their own."""
        return {prefix + p: columns for p, columns in self.by_prefix.items()}

    def to_settings(self) -> dict[str, Any]:
        """The keys of a dataset.json's recipe that say the same."""
        several = list(self.by_prefix.values())
        if all(columns == several[0] for columns in several):
            return {CAPTIONS: dict(several[0])}
        return {CAPTIONS_BY_PREFIX: {p: dict(columns) for p, columns in self.by_prefix.items()}}


def dataset_captions(identity: Mapping[str, Any]) -> DatasetCaptions:
    """The columns of captions of a dataset. identity: the content of its dataset.json.

    Raises DatasetError for a dataset of a version without facts.
    """
    recipe, added = identity["recipe"], identity.get(ADDED, {})
    by_prefix = recipe.get(CAPTIONS_BY_PREFIX) or ({"": recipe[CAPTIONS]} if recipe.get(CAPTIONS) else None)
    if by_prefix is None:
        raise DatasetError(
            "a dataset of a version that kept no facts of its pictures",
            got=f"vrm-synth {identity['vrm_synth']}",
            allowed="the version that made it, or a dataset made anew",
            where=DATASET_JSON,
        )
    try:
        if any(set(columns) & set(added) for columns in by_prefix.values()):
            raise ValueError("an added column of the recipe's")
        found = DatasetCaptions({str(p): {**columns, **added} for p, columns in by_prefix.items()})
        names = [set(columns) for columns in found.by_prefix.values()]
        for columns in found.by_prefix.values():
            settings_of(columns)
        if any(n != names[0] for n in names):
            raise ValueError("other columns by prefix")
        if not all(map(is_column, names[0])):
            raise ValueError("a column of another name than captions have")
    except (ValueError, TypeError, AttributeError) as e:
        raise DatasetError("not settings of captions", got=str(e).partition("\n")[0], where=DATASET_JSON) from e
    return found


def settings_of(columns: Columns) -> dict[str, CaptionSettings]:
    """The columns that settings write; those of the user's own captioners are left out. Raises ValidationError."""
    own = {name for name, settings in columns.items() if OWN in settings}
    return {name: CaptionSettings.model_validate(s) for name, s in columns.items() if name not in own}


def check_column(name: str) -> None:
    """Raise DatasetError unless captions may have a column of this name."""
    if not is_column(name):
        raise DatasetError("not a column for captions", got=name, allowed=COLUMN_NAMES)


def merged(several: Sequence[tuple[str, DatasetCaptions]]) -> DatasetCaptions:
    """The columns of several datasets as one; each with the prefix of its keys. Raises DatasetError where one has a
    column that another lacks."""
    first = several[0][1]
    for _, other in several:
        if set(other.names) != set(first.names):
            lacking = sorted(set(first.names) ^ set(other.names))
            raise DatasetError(
                "datasets with other columns of captions do not merge",
                got=", ".join(lacking),
                allowed="the same columns: `vrm-synth caption` writes what one lacks",
            )
    return DatasetCaptions({p: columns for prefix, c in several for p, columns in c.prefixed(prefix).items()})
