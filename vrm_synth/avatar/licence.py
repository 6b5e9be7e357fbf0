"""What a file's own metadata says about its licence."""

from __future__ import annotations

import re
from collections.abc import Mapping

from vrm_synth.avatar.fields import Fields
from vrm_synth.avatar.model import Licence

_CC0_URL = re.compile(r"^(https?://)?(www\.)?creativecommons\.org/(publicdomain/zero|choose/zero)(/|$)", re.IGNORECASE)
_CC0_NAME = re.compile(r"^\s*CC0(\b|_)", re.IGNORECASE)
_VRM_PUBLIC_LICENSE = re.compile(r"^(https?://)?(www\.)?vrm\.dev/([a-z]{2}/)?licenses/1\.0(/|$)", re.IGNORECASE)

# The names are the files' own, misspellings included.
_TERMS_0 = (
    "allowedUserName",
    "violentUssageName",
    "sexualUssageName",
    "commercialUssageName",
    "otherPermissionUrl",
    "licenseName",
    "otherLicenseUrl",
)
_TERMS_1 = (
    "licenseUrl",
    "otherLicenseUrl",
    "avatarPermission",
    "commercialUsage",
    "creditNotation",
    "modification",
    "thirdPartyLicenses",
    "copyrightInformation",
)
_FLAGS_1 = (
    "allowExcessivelyViolentUsage",
    "allowExcessivelySexualUsage",
    "allowPoliticalOrReligiousUsage",
    "allowAntisocialOrHateUsage",
    "allowRedistribution",
)


def is_cc0_url(url: str) -> bool:
    """Whether a URL is Creative Commons' CC0 dedication."""
    return _CC0_URL.match(url.strip()) is not None


def licence0(meta: Fields) -> Licence:
    """VRM 0.x: licenseName, and for "Other" (or no name at all) the URL that it points to."""
    name, url = meta.text("licenseName").strip(), meta.text("otherLicenseUrl").strip()
    is_cc0 = _CC0_NAME.match(name) is not None or (name in ("", "Other") and is_cc0_url(url))
    return Licence("CC0" if is_cc0 else name, url, is_cc0, _terms(meta, _TERMS_0, ()))


def licence1(meta: Fields) -> Licence:
    """VRM 1.0: licenseUrl, which the specification fixes to the VRM Public License, and otherLicenseUrl.

    The VRM Public License alone is not CC0, whatever its permissions; a file that offers CC0 as well is.
    """
    url, other = meta.text("licenseUrl").strip(), meta.text("otherLicenseUrl").strip()
    terms = _terms(meta, _TERMS_1, _FLAGS_1)
    for candidate in (other, url):
        if is_cc0_url(candidate):
            return Licence("CC0", candidate, True, terms)
    if _VRM_PUBLIC_LICENSE.match(url):
        return Licence("VRM Public License 1.0", url, False, terms)
    return Licence("Other" if url or other else "", url or other, False, terms)


def _terms(meta: Fields, texts: tuple[str, ...], flags: tuple[str, ...]) -> Mapping[str, str]:
    said = {key: meta.text(key) for key in texts if meta.text(key)}
    return said | {key: str(meta.flag(key)).lower() for key in flags if meta.has(key)}
