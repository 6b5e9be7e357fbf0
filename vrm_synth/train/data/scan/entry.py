"""What a scan of files finds: samples, each with the place where its picture lies, and what had to be left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from vrm_synth.io.byte_range import ByteRange
from vrm_synth.io.data_files import Exclusion
from vrm_synth.train.data.buckets import Size
from vrm_synth.train.data.source import BadRowError, CaptionText

MASK = ".mask.png"  # the pass that lies beside a picture and holds the share of figure

LONGEST_CAPTION = 10_000  # characters; a tokenizer takes a few hundred
LONGEST_TEXT = 1 << 20  # bytes of a caption's or metadata's file or line


class Entry(NamedTuple):
    """A sample. mask: a picture of the same size whose grey is the share of figure. license, avatar,
    avatar_sha256: "" where its metadata does not say."""

    key: str
    words: CaptionText
    picture: ByteRange
    size: Size
    mask: ByteRange | None = None
    license: str = ""
    avatar: str = ""
    avatar_sha256: str = ""


Found = Iterator[Entry | Exclusion]


class Columns(NamedTuple):
    """Names of the columns that hold the sentence and the tags."""

    caption: str
    tags: str

    def words(self, row: Mapping[str, Any]) -> CaptionText:
        """The row's captions, white space made plain. Raises BadRowError where it has none, or no text."""
        sentence, tags = row.get(self.caption), row.get(self.tags)
        if isinstance(tags, list | tuple):
            tags = ", ".join(t for t in (_clean(t) for t in tags) if t)
        words = CaptionText(_clean(sentence), _clean(tags))
        if not words.sentence and not words.tags:
            what = "no caption" if sentence is None and tags is None else "caption is empty"
            raise BadRowError(what, allowed=f"{self.caption} or {self.tags}")
        return words


def parse_row(data: bytes | str) -> dict[str, Any]:
    """A JSON object. Raises BadRowError."""
    try:
        row = json.loads(data)
    except (ValueError, RecursionError) as e:
        raise BadRowError("metadata is not JSON", got=str(e)) from None
    if not isinstance(row, dict):
        raise BadRowError("metadata is not JSON", got=type(row).__name__, allowed="an object")
    return row


def parse_text(data: bytes) -> str:
    """UTF-8. Raises BadRowError."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadRowError("caption is not UTF-8") from None


def entry_of(
    key: str, words: CaptionText, picture: ByteRange, size: Size, mask: ByteRange | None, row: Mapping[str, Any]
) -> Entry:
    """The entry, with what its row says of its origin."""
    license, avatar, sha256 = (_short(row, k) for k in ("license", "avatar", "avatar_sha256"))
    return Entry(key, words, picture, size, mask, license, avatar, sha256)


def _short(row: Mapping[str, Any], key: str) -> str:
    """A short text of the row, "" where it has none."""
    value = row.get(key)
    return _clean(value)[:500] if isinstance(value, str) else ""


def _clean(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRowError("caption is not text", got=value)
    if len(value) > LONGEST_CAPTION:
        raise BadRowError("caption is too long", got=f"{len(value)} characters", allowed=f"up to {LONGEST_CAPTION}")
    plain = " ".join("".join(c if c.isprintable() else " " for c in value).split())
    try:
        plain.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can spell
        raise BadRowError("caption is not Unicode text") from None
    return plain
