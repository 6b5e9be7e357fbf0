"""What training data is to the loop: numbered rows of captioned pictures, each the same whenever it is asked for.

Files are one kind (table_source.py); a renderer that draws its rows when they are read can be another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import DatasetError, StoreError, VrmSynthError


class BadRowError(VrmSynthError):
    """This row cannot be trained on; the run goes on without it."""


@contextmanager
def as_bad_row() -> Iterator[None]:
    """Turn io's errors about one file or picture into BadRowErrors. Those of the machine, StoreErrors, end the run."""
    try:
        yield
    except StoreError:
        raise
    except DatasetError as e:
        raise BadRowError(e.what, got=e.got, allowed=e.allowed, where=e.where) from e


@dataclass(frozen=True)
class CaptionText:
    """A row's captions. sentence, tags: "" where it has none, but never both; tags are "a, b, c"."""

    sentence: str
    tags: str = ""


@dataclass(frozen=True)
class SourceImage:
    """A decoded picture.

    pixels: (H, W, 3) uint8, sRGB, or (H, W, 4) with straight alpha. sha256: of what it was decoded from, 32 bytes.
    mask: (H, W) uint8, the exact share of figure in each pixel, where the source knows it.
    """

    pixels: NDArray[np.uint8]
    sha256: bytes
    mask: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Credit:
    """A source as the ledger names it.

    licenses: license → pictures under it. avatars: one {avatar, sha256, license, pictures} each, of rendered sets.
    rows: pictures; quarantined: reason → pictures left out when the source was indexed.
    """

    name: str
    manifest: str
    licenses: Mapping[str, int]
    attribution: str = ""
    avatars: tuple[Mapping[str, object], ...] = ()
    rows: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)


class DataSource(Protocol):
    """Rows 0 to len - 1. All methods may be called from several threads."""

    @property
    def credit(self) -> Credit:
        """Licenses and counts. `credit.manifest` is a SHA-256 of everything that the rows follow from but the
        pictures' own bytes: another manifest, another order of samples."""

    def __len__(self) -> int: ...

    def sizes(self) -> NDArray[np.int32] | tuple[int, int]:
        """(n, 2) widths and heights in pixels, or one (width, height) where all rows are alike."""

    def key(self, row: int) -> str:
        """The row's name, for logs."""

    def words(self, row: int) -> CaptionText:
        """Its captions. Raises BadRowError."""

    def fingerprint(self, row: int) -> bytes:
        """16 bytes, another value when the picture may have changed, told without reading it. Raises BadRowError."""

    def picture(self, row: int) -> SourceImage:
        """Read and decode it. Raises BadRowError."""

    def close(self) -> None:
        """Let go of files."""
