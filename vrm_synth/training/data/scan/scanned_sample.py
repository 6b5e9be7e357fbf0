"""Results of a scan: samples, each with the byte range of its picture in a file, and exclusions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from vrm_synth.io.byte_range import ByteRange
from vrm_synth.io.data_files import Exclusion
from vrm_synth.training.data.buckets import Size
from vrm_synth.training.data.source import BadRowError, CaptionText

MASK_SUFFIX = ".mask.png"  # the pass that lies beside a picture and holds the share of figure

MAX_CAPTION_CHARACTERS = 10_000  # characters; a tokenizer takes a few hundred
MAX_TEXT_FILE_BYTES = 1 << 20  # bytes of a caption's or metadata's file or line


class ScannedSample(NamedTuple):
    """A captioned picture that a scan found.

    key: its name, for logs.
    captions: its captions.
    picture: byte range of its image file.
    size: (width, height) in pixels, upright.
    mask: byte range of an image of the same size whose grey is the share of figure, None where there is none.
    license: as its metadata says, "" where it does not.
    avatar: name of the rendered avatar, "" where its metadata does not say.
    avatar_sha256: of the avatar's file, "" where its metadata does not say.
    """

    key: str
    captions: CaptionText
    picture: ByteRange
    size: Size
    mask: ByteRange | None = None
    license: str = ""
    avatar: str = ""
    avatar_sha256: str = ""


ScanResults = Iterator[ScannedSample | Exclusion]


class Columns(NamedTuple):
    """Names of the columns that hold captions.

    caption: of the sentence.
    tags: of the tags, "a, b, c" or a list.
    """

    caption: str
    tags: str

    def read_captions(self, row: Mapping[str, Any]) -> CaptionText:
        """Read a row's captions, white space normalized. Raises BadRowError where it has none, or no text."""
        sentence, tags = row.get(self.caption), row.get(self.tags)
        if isinstance(tags, list | tuple):
            tags = ", ".join(t for t in (_clean(t) for t in tags) if t)
        captions = CaptionText(_clean(sentence), _clean(tags))
        if not captions.sentence and not captions.tags:
            what = "no caption" if sentence is None and tags is None else "caption is empty"
            raise BadRowError(what, allowed=f"{self.caption} or {self.tags}")
        return captions


def parse_row(data: bytes | str) -> dict[str, Any]:
    """Parse a JSON object. Raises BadRowError."""
    try:
        row = json.loads(data)
    except (ValueError, RecursionError) as e:
        raise BadRowError("metadata is not JSON", got=str(e)) from None
    if not isinstance(row, dict):
        raise BadRowError("metadata is not JSON", got=type(row).__name__, allowed="an object")
    return row


def parse_text(data: bytes) -> str:
    """Decode UTF-8. Raises BadRowError."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadRowError("caption is not UTF-8") from None


def make_scanned_sample(
    key: str, captions: CaptionText, picture: ByteRange, size: Size, mask: ByteRange | None, row: Mapping[str, Any]
) -> ScannedSample:
    """Make the sample, with license and avatar from its row of metadata."""
    license, avatar, sha256 = (_short(row, k) for k in ("license", "avatar", "avatar_sha256"))
    return ScannedSample(key, captions, picture, size, mask, license, avatar, sha256)


def _short(row: Mapping[str, Any], key: str) -> str:
    """A short text of the row, "" where it has none."""
    value = row.get(key)
    return _clean(value)[:500] if isinstance(value, str) else ""


def _clean(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadRowError("caption is not text", got=value)
    if len(value) > MAX_CAPTION_CHARACTERS:
        raise BadRowError(
            "caption is too long", got=f"{len(value)} characters", allowed=f"up to {MAX_CAPTION_CHARACTERS}"
        )
    plain = " ".join("".join(c if c.isprintable() else " " for c in value).split())
    try:
        plain.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can spell
        raise BadRowError("caption is not Unicode text") from None
    return plain
