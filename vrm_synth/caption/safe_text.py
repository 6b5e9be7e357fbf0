"""Strangers' strings made fit for captions: names, descriptions and phrases that come from files."""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME = 40
LONGEST_DESCRIPTION = 200
LONGEST_TAG = 60
_READ = 400  # characters of a string that are looked at
_NORMALIZED = re.compile(r"[A-Za-z0-9 ]*")


def plain_text(raw: str, longest: int, keep: str) -> str:
    """One line of letters, digits, single spaces and the marks in `keep`; "" where it has no letter or is too long."""
    if len(raw) > _READ:
        return ""
    if not _NORMALIZED.fullmatch(raw):
        raw = unicodedata.normalize("NFKC", raw)
        raw = "".join(c if c.isalnum() or unicodedata.category(c) in ("Mn", "Mc") or c in keep else " " for c in raw)
    text = " ".join(raw.split())
    return text if len(text) <= longest and any(c.isalpha() for c in text) else ""


def name_text(raw: str) -> str:
    """A proper name: letters, digits, and - ' . within."""
    return plain_text(raw, LONGEST_NAME, "-'.").strip("-'. ")


def description_text(raw: str) -> str:
    """A noun phrase: letters, digits, and - ' . , within; "" where it is longer than LONGEST_DESCRIPTION."""
    text = plain_text(raw, LONGEST_DESCRIPTION, "-'.,").strip("-'., ")
    return text[:1].lower() + text[1:] if text.startswith(("A ", "An ", "The ")) else text


def tag_text(raw: str) -> str:
    """A tag: no comma, spaces for underscores, brackets escaped, as anime models are prompted."""
    text = plain_text(raw.replace("_", " "), LONGEST_TAG, "-'.:!?()").strip("-'. ")
    return text.replace("(", r"\(").replace(")", r"\)")


def japanese_text(raw: str) -> str:
    """A Japanese phrase: letters, digits, and ー ・ 、 within."""
    return plain_text(raw, LONGEST_DESCRIPTION, "ー・、").strip("、・ ")
