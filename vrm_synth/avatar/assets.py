"""Which avatars may go into a dataset: the file's own licence, the manifest's evidence, and the gate.

A dataset is CC0 all the way down unless its maker decides otherwise. An avatar passes the gate where it is
CC0, or where the user named its licence as accepted. What counts is, in this order:

1. the manifest's entry for the file's SHA-256, in both directions: evidence kept outside the file (its
   repository's licence) can free a file whose metadata was left at a default, and an entry that says
   otherwise overrules a file that claims CC0;
2. the file's own metadata.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from vrm_synth.avatar.evidence import Evidence
from vrm_synth.avatar.licence import licence_at
from vrm_synth.avatar.model import Avatar
from vrm_synth.core.errors import LicenceError

UNNAMED = "none"  # what a user writes to accept a file that names no licence


@dataclass(frozen=True)
class Standing:
    """The licence that counts for one avatar.

    licence: what identifies it, and what a user accepts it by; source: "file", or the address of the evidence;
    url, terms: of the file's own licence ("commercialUsage=corporation; …"), "" where evidence counts instead.
    """

    licence: str
    is_cc0: bool
    source: str
    url: str = ""
    terms: str = ""


def standing(avatar: Avatar, evidence: Mapping[str, Evidence]) -> Standing:
    """The licence that counts for `avatar`: evidence first, then the file's own word."""
    entry = evidence.get(avatar.sha256)
    if entry is not None:
        return Standing(entry.licence, is_cc0(entry.licence), entry.evidence)
    licence = avatar.meta.licence
    name = "CC0-1.0" if licence.is_cc0 else licence.name or UNNAMED
    terms = "; ".join(f"{key}={value}" for key, value in licence.terms.items() if value != licence.url)
    return Standing(name, licence.is_cc0, "file", _one_line(licence.url), _one_line(terms))


def gate(avatar: Avatar, evidence: Mapping[str, Evidence], accepted: Collection[str] = ()) -> Standing:
    """`avatar`'s standing, where a dataset may show it.

    accepted: licences that the user takes besides CC0, as `inspect` prints them or by their URLs. Raises LicenceError.
    """
    found = standing(avatar, evidence)
    if found.is_cc0 or _key(found.licence) in {_key(a) for a in accepted}:
        return found
    by = "its own metadata" if found.source == "file" else found.source
    raise LicenceError(
        "licence not accepted",
        got=f"{found.licence} (by {by})",
        allowed=f"CC0; to accept this one: --accept-licence {quoted(found.licence)}, or accept_licences in the "
        f"recipe; if it is CC0 after all: an entry with its evidence for sha256 {avatar.sha256} in a --manifest",
        where=avatar.source,
    )


def is_cc0(name: str) -> bool:
    """Whether a licence's name is one of CC0's."""
    return _plain(name) in {"cc0", "cc010", "cc010universal", "creativecommonszero"}


def _key(name: str) -> str:
    """Equal for two spellings of one licence: its URLs are compared as URLs, the rest as names."""
    parts = re.split(r"((?:https?://|www\.|creativecommons\.org/)\S+)", " ".join(name.split()), flags=re.IGNORECASE)
    urls = (licence_at(part) for part in parts[1::2])
    known = (url if "://" in url else _plain(url) for url in urls)
    return "".join(_plain(name) + url for name, url in zip(parts[::2], [*known, ""], strict=True))


def quoted(name: str) -> str:
    """A licence's name for a command line: it is a stranger's, and what a user copies into a shell must be text."""
    return shlex.quote(name) if re.search(r'["$`\\!]', name) else f'"{name}"'


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _plain(name: str) -> str:
    """Spellings of one licence alike: upper and lower case, spaces, dots, dashes and underscores."""
    return re.sub(r"[\s_.-]+", "", name.casefold())
