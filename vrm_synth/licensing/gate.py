"""License policy: decide from the file's own license and the manifest's evidence whether a dataset may use an avatar.

All parts of a dataset are CC0 unless its maker decides otherwise. An avatar is accepted where it is
CC0, or where the user named its license as accepted. The license that counts is, in this order:

1. the manifest's entry for the file's SHA-256, in both directions: evidence kept outside the file (its
   repository's license) can free a file whose metadata was left at a default, and an entry with
   another license overrules a file that claims CC0;
2. the file's own metadata.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from vrm_synth.core.errors import LicenseError
from vrm_synth.licensing.evidence import Evidence
from vrm_synth.licensing.license import License, license_from_url

UNNAMED = "none"  # what a user writes to accept a file that names no license


class _Meta(Protocol):
    @property
    def license(self) -> License: ...


class LicensedFile(Protocol):
    """A file with a license: an Avatar."""

    @property
    def source(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def meta(self) -> _Meta: ...


@dataclass(frozen=True)
class EffectiveLicense:
    """The license that counts for one avatar.

    Attributes:
        license: its identifier (license.py), by which a user accepts it.
        is_cc0: True for CC0.
        source: "file", or the URL of the evidence.
        url: URL of the file's own license; "" where evidence counts instead.
        terms: the file's own permission fields, "commercialUsage=corporation; …"; "" where evidence counts instead.
    """

    license: str
    is_cc0: bool
    source: str
    url: str = ""
    terms: str = ""


def effective_license(avatar: LicensedFile, evidence: Mapping[str, Evidence]) -> EffectiveLicense:
    """Return the license that counts for `avatar`: the evidence's, else the file's own."""
    entry = evidence.get(avatar.sha256)
    if entry is not None:
        return EffectiveLicense(entry.license, is_cc0(entry.license), entry.evidence)
    license = avatar.meta.license
    name = "CC0-1.0" if license.is_cc0 else license.name or UNNAMED
    terms = "; ".join(f"{key}={value}" for key, value in license.terms.items() if value != license.url)
    return EffectiveLicense(name, license.is_cc0, "file", _one_line(license.url), _one_line(terms))


def check_license(
    avatar: LicensedFile, evidence: Mapping[str, Evidence], accepted: Collection[str] = ()
) -> EffectiveLicense:
    """Return the license that counts for `avatar`, provided that a dataset may show it.

    accepted: licenses that the user takes besides CC0, as `inspect` prints them or by their URLs. Raises LicenseError.
    """
    found = effective_license(avatar, evidence)
    if found.is_cc0 or _comparison_key(found.license) in {_comparison_key(a) for a in accepted}:
        return found
    by = "its own metadata" if found.source == "file" else found.source
    raise LicenseError(
        "license not accepted",
        got=f"{found.license} (by {by})",
        allowed=f"CC0; to accept this one: --accept-license {shell_quoted(found.license)}, or accept_licenses in the "
        f"recipe; if it is CC0 after all: an entry with its evidence for sha256 {avatar.sha256} in a --manifest",
        where=avatar.source,
    )


def is_cc0(name: str) -> bool:
    """Return True for a spelling of CC0's name."""
    return _normalized(name) in {"cc0", "cc010", "cc010universal", "creativecommonszero"}


def _comparison_key(name: str) -> str:
    """Return a key that is equal for two spellings of one license: URLs are compared as URLs, the rest as names."""
    parts = re.split(r"((?:https?://|www\.|creativecommons\.org/)\S+)", " ".join(name.split()), flags=re.IGNORECASE)
    urls = (license_from_url(part) for part in parts[1::2])
    known = (url if "://" in url else _normalized(url) for url in urls)
    return "".join(_normalized(name) + url for name, url in zip(parts[::2], [*known, ""], strict=True))


def shell_quoted(name: str) -> str:
    """Quote a license's name for a command line that users copy into a shell; the name is untrusted."""
    return shlex.quote(name) if re.search(r'["$`\\!]', name) else f'"{name}"'


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _normalized(name: str) -> str:
    """Spellings of one license alike: upper and lower case, spaces, dots, dashes and underscores."""
    return re.sub(r"[\s_.-]+", "", name.casefold())
