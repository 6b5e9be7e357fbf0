"""Which avatars may go into a dataset: the file's own license, the manifest's evidence, and the gate.

A dataset is CC0 all the way down unless its maker decides otherwise. An avatar passes the gate where it is
CC0, or where the user named its license as accepted. What counts is, in this order:

1. the manifest's entry for the file's SHA-256, in both directions: evidence kept outside the file (its
   repository's license) can free a file whose metadata was left at a default, and an entry that says
   otherwise overrules a file that claims CC0;
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

    license: what identifies it, and what a user accepts it by; source: "file", or the address of the evidence;
    url, terms: of the file's own license ("commercialUsage=corporation; …"), "" where evidence counts instead.
    """

    license: str
    is_cc0: bool
    source: str
    url: str = ""
    terms: str = ""


def effective_license(avatar: LicensedFile, evidence: Mapping[str, Evidence]) -> EffectiveLicense:
    """The license that counts for `avatar`: evidence first, then the file's own word."""
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
    """Whether a license's name is one of CC0's."""
    return _normalized(name) in {"cc0", "cc010", "cc010universal", "creativecommonszero"}


def _comparison_key(name: str) -> str:
    """Equal for two spellings of one license: its URLs are compared as URLs, the rest as names."""
    parts = re.split(r"((?:https?://|www\.|creativecommons\.org/)\S+)", " ".join(name.split()), flags=re.IGNORECASE)
    urls = (license_from_url(part) for part in parts[1::2])
    known = (url if "://" in url else _normalized(url) for url in urls)
    return "".join(_normalized(name) + url for name, url in zip(parts[::2], [*known, ""], strict=True))


def shell_quoted(name: str) -> str:
    """A license's name for a command line: it is a stranger's, and what a user copies into a shell must be text."""
    return shlex.quote(name) if re.search(r'["$`\\!]', name) else f'"{name}"'


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _normalized(name: str) -> str:
    """Spellings of one license alike: upper and lower case, spaces, dots, dashes and underscores."""
    return re.sub(r"[\s_.-]+", "", name.casefold())
