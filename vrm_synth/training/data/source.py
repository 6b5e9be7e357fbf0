"""Interface of a training data source: numbered rows of captioned pictures that never change.

Files are one implementation (table_source.py); a renderer that draws rows when they are read could be another.
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
    """A row that cannot be trained on; the run continues without it."""


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
    """A row's captions, at least one of the two.

    sentence: prose, "" where the row has none.
    tags: "a, b, c", "" where the row has none.
    """

    sentence: str
    tags: str = ""


@dataclass(frozen=True)
class SourceImage:
    """A decoded picture.

    pixels: (H, W, 3) uint8, sRGB, or (H, W, 4) with straight alpha.
    sha256: 32 bytes, hash of the encoded picture, its mask and the decoder's version.
    mask: (H, W) uint8, share of figure in each pixel × 255; None where the source does not know it.
    """

    pixels: NDArray[np.uint8]
    sha256: bytes
    mask: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Credit:
    """A source's entry in the ledger.

    name: the source's.
    manifest: SHA-256 of everything that the rows follow from, except the pictures' own bytes.
    licenses: license → pictures under it.
    attribution: text to credit, "" for none.
    avatars: {avatar, sha256, license, pictures, authors} of each avatar in rendered pictures.
    rows: number of pictures.
    quarantined: reason → pictures left out when the source was indexed.
    """

    name: str
    manifest: str
    licenses: Mapping[str, int]
    attribution: str = ""
    avatars: tuple[Mapping[str, object], ...] = ()
    rows: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)


class DataSource(Protocol):
    """Rows numbered 0 … len − 1. All methods may be called from several threads."""

    @property
    def credit(self) -> Credit:
        """Licenses and counts. With another `credit.manifest` a run draws other samples."""

    def __len__(self) -> int: ...

    def sizes(self) -> NDArray[np.int32] | tuple[int, int]:
        """Widths and heights in pixels, (n, 2) int32, or one (width, height) that all rows have."""

    def key(self, row: int) -> str:
        """The row's name, for logs."""

    def captions(self, row: int) -> CaptionText:
        """The row's captions. Raises BadRowError."""

    def file_fingerprint(self, row: int) -> bytes:
        """16 bytes that differ when the picture may have changed, made without reading it. Raises BadRowError."""

    def picture(self, row: int) -> SourceImage:
        """Read and decode the row's picture. Raises BadRowError."""

    def close(self) -> None:
        """Close files."""
