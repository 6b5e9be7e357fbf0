"""Read the license of a VRM file, and find contradictions between the file's statements about it.

Users accept a license by its name, and rows and dataset cards carry it, so one name never stands for two licenses:

    CC0                                                        Creative Commons Zero, by name or by URL
    CC-BY-4.0                                                  a well-known URL, as SPDX writes it
    https://example.com/terms                                  any other URL, in one spelling
    VRM Public License 1.0 (avatarPermission=everyone; …)      a license whose terms are the file's own fields
    CC_BY                                                      a name of VRM 0.x
    … and https://example.com/more                             further conditions, or a second license
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from vrm_synth.gltf.json_reader import JsonObject


@dataclass(frozen=True)
class License:
    """The license that a file states.

    Attributes:
        name: its identifier (see the module's docstring), "" where the file names none.
        url: URL of its text, "" where the file gives none.
        is_cc0: True for CC0.
        terms: the permission fields as written (allowedUserName, avatarPermission, commercialUsage …).
    """

    name: str
    url: str = ""
    is_cc0: bool = False
    terms: Mapping[str, str] = field(default_factory=dict)


PUBLIC_LICENSE = "VRM Public License 1.0"
WITHOUT_URL = "Other (no URL)"  # VRM 0.x "Other" means the license at otherLicenseUrl; this is for an empty one

_CC0_NAME = re.compile(r"^\s*CC0(\b|_)", re.IGNORECASE)
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.[a-z]{2,}(:\d+)?", re.IGNORECASE)
_PLACEHOLDERS = {"undefined", "null", "none", "nan", "-"}  # what exporters write for a field that was left empty

# host and path of well-known licenses' pages → their SPDX identifiers; \1… are the groups in upper case
_KNOWN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r"(?:www\.)?creativecommons\.org/(?:publicdomain|choose)/zero(?:/.*)?", "CC0"),
        (r"(?:www\.)?creativecommons\.org/publicdomain/mark/(1\.0)(?:/.*)?", r"CC-PDM-\1"),
        (
            r"(?:www\.)?creativecommons\.org/licenses/(by(?:-nc)?(?:-sa|-nd)?)/(\d\.\d)"
            r"(?:/(?:deed|legalcode)[\w.-]*)?/?",
            r"CC-\1-\2",
        ),
        (
            r"(?:www\.)?creativecommons\.org/licenses/(by(?:-nc)?(?:-sa|-nd)?)/(\d\.\d)/([a-z]{2,4})"
            r"(?:/(?:deed|legalcode)[\w.-]*)?/?",
            r"CC-\1-\2-\3",
        ),
        (r"(?:www\.)?opensource\.org/licenses?/mit(?:-license)?(?:\.php|\.html)?/?", "MIT"),
        (r"(?:www\.)?apache\.org/licenses/license-2\.0(?:\.html|\.txt)?/?", "Apache-2.0"),
        (r"(?:www\.)?vrm\.dev/(?:[a-z]{2}/)?licenses/1\.0(?:/.*)?", PUBLIC_LICENSE),
    )
)

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
# The fields that are the VRM Public License's terms, with VRMC_vrm's defaults; flags are false by default.
_PUBLIC_TERMS = {
    "avatarPermission": "onlyAuthor",
    "commercialUsage": "personalNonProfit",
    "creditNotation": "required",
    "modification": "prohibited",
}


def license_from_url(url: str) -> str:
    """Return the identifier of the license at a URL: a well-known one's name, else the URL in one spelling.

    http or https, the case of the host, and slashes at the end make no difference. "" for no URL.
    """
    text = _clean(url)
    if text.casefold() in _PLACEHOLDERS:
        return ""
    scheme, separator, rest = text.partition("://")
    if not separator and not _HOST.fullmatch(text.partition("/")[0]):
        return text
    try:
        parts = urlsplit(f"https://{rest if separator else text}")
    except ValueError:  # brackets without an IPv6 address
        return text
    if separator and scheme.casefold() not in ("http", "https"):
        return text
    host = parts.netloc.casefold()
    for pattern, name in _KNOWN:
        found = pattern.fullmatch(f"{host}{parts.path}")
        if found and ".." not in unquote(parts.path):  # a browser would go elsewhere
            return found.expand(name).upper() if found.groups() else name
    return urlunsplit(("https", host, parts.path.rstrip("/"), parts.query, parts.fragment))


def is_cc0_url(url: str) -> bool:
    """Return True for the URL of Creative Commons' CC0 dedication."""
    return license_from_url(url) == "CC0"


def vrm0_license(meta: JsonObject) -> License:
    """Read a VRM 0.x license: licenseName, or for "Other" (or no name at all) otherLicenseUrl.

    otherPermissionUrl holds conditions beyond the fields, and is part of the license's identifier.
    """
    name, url = _clean(meta.text("licenseName")), meta.text("otherLicenseUrl").strip()
    terms = _terms(meta, _TERMS_0, ())
    at_url, conditions = license_from_url(url), license_from_url(meta.text("otherPermissionUrl"))
    unnamed = name.casefold() in ("", "other")
    if _CC0_NAME.match(name) or (unnamed and at_url == "CC0"):
        return License("CC0", url, True, terms)
    if unnamed and not at_url and not conditions:
        return License(WITHOUT_URL if name else "", url, False, terms)
    return License(_join_names(at_url if unnamed else name, conditions), url, False, terms)


def vrm1_license(meta: JsonObject) -> License:
    """Read a VRM 1.0 license: licenseUrl, which the specification fixes to the VRM Public License, and otherLicenseUrl.

    The VRM Public License alone is not CC0, whatever its permissions; a file that offers CC0 as well is.
    """
    url, other = meta.text("licenseUrl").strip(), meta.text("otherLicenseUrl").strip()
    terms = _terms(meta, _TERMS_1, _FLAGS_1)
    for candidate in (other, url):
        if is_cc0_url(candidate):
            return License("CC0", candidate, True, terms)
    names = [
        _public_license(terms) if n == PUBLIC_LICENSE else n for n in (license_from_url(url), license_from_url(other))
    ]
    return License(_join_names(*names), url or other, False, terms)


def _public_license(terms: Mapping[str, str]) -> str:
    """Return the VRM Public License with its terms: "VRM Public License 1.0 (avatarPermission=everyone; …)"."""
    chosen = [f"{key}={_term_value(terms.get(key, default))}" for key, default in _PUBLIC_TERMS.items()]
    allowed = [key for key in _FLAGS_1 if terms.get(key) == "true"]
    return f"{PUBLIC_LICENSE} ({'; '.join([*chosen, *allowed])})"


def _term_value(value: str) -> str:
    # Unquoted, a value with other characters could look like several terms.
    return value if re.fullmatch(r"\w{1,64}", value) else json.dumps(value)


def _join_names(*names: str) -> str:
    return " and ".join(dict.fromkeys(name for name in names if name))


def _terms(meta: JsonObject, texts: tuple[str, ...], flags: tuple[str, ...]) -> Mapping[str, str]:
    written = {key: meta.text(key) for key in texts if meta.text(key)}
    return written | {key: str(meta.flag(key)).lower() for key in flags if meta.has(key)}


# ---------------------------------------------------------------- contradictions


def contradictions(license: License) -> Iterator[str]:
    """Yield the contradictions between a file's statements about its license, one line each."""
    terms = license.terms
    denied = [
        f"{key} {terms[key]}" for key, values in _impossible_terms(license.name).items() if terms.get(key) in values
    ]
    if denied:
        yield f"the license contradicts itself: {license.name}, but {', '.join(denied)}"
    named, at_url = terms.get("licenseName", ""), license_from_url(terms.get("otherLicenseUrl", ""))
    if named.casefold() not in ("", "other") and at_url and not _plain(at_url).startswith(_plain(license.name)):
        yield f"two licenses: licenseName is {license.name}, which counts, and otherLicenseUrl {at_url}"
    conditions = license_from_url(terms.get("otherPermissionUrl", ""))
    if license.is_cc0 and conditions not in ("", "CC0"):
        yield f"the license contradicts itself: CC0, but further conditions at {conditions}"
    first = license_from_url(terms.get("licenseUrl", ""))
    if first not in ("", PUBLIC_LICENSE) and at_url not in ("", first):
        yield f"two licenses: licenseUrl is {first}, and otherLicenseUrl {at_url}"


def _impossible_terms(name: str) -> dict[str, tuple[str, ...]]:
    """Return field → values that contradict a Creative Commons license; empty for other licenses.

    Creative Commons' licenses allow everybody to use and share the work for any purpose; NC, ND and BY are their only
    conditions.
    """
    found = re.match(r"CC(?:0|[-_]BY((?:[-_](?:NC|SA|ND))*)(?![A-Za-z]))", name, re.IGNORECASE)
    if found is None:
        return {}
    parts = re.split("[-_]", (found[1] or "").upper())
    by, nc, nd = name[2:3] != "0", "NC" in parts, "ND" in parts
    return {
        "allowedUserName": ("OnlyAuthor", "ExplicitlyLicensedPerson"),
        "violentUssageName": ("Disallow",),
        "sexualUssageName": ("Disallow",),
        "commercialUssageName": ("Allow",) if nc else ("Disallow",),
        "avatarPermission": ("onlyAuthor", "onlySeparatelyLicensedPerson"),
        "commercialUsage": ("personalProfit", "corporation") if nc else ("personalNonProfit", "personalProfit"),
        "creditNotation": ("unnecessary",) if by else ("required",),
        "modification": ("allowModificationRedistribution",) if nd else ("prohibited", "allowModification"),
        **dict.fromkeys(_FLAGS_1, ("false",)),
    }


def _clean(text: str) -> str:
    """Return the text on one line, without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _plain(name: str) -> str:
    return re.sub(r"[\s_.-]+", "", name.casefold())
