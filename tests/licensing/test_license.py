"""Licenses as files state them; only those that are CC0 by their own words count as CC0."""

from __future__ import annotations

from typing import Any

import pytest

from tests.vrm.vrm_file import glb, vrm0, vrm1
from vrm_synth.gltf.json_reader import JsonObject
from vrm_synth.licensing.license import contradictions, is_cc0_url, license_from_url, vrm0_license, vrm1_license
from vrm_synth.vrm import load_bytes

ZERO = "https://creativecommons.org/publicdomain/zero/1.0/"
PUBLIC = "https://vrm.dev/licenses/1.0/"
BY = "https://creativecommons.org/licenses/by/4.0/"
VPL = "VRM Public License 1.0"
STRICT = (
    "avatarPermission=onlyAuthor; commercialUsage=personalNonProfit; creditNotation=required; modification=prohibited"
)


@pytest.mark.parametrize(
    ("meta", "name", "cc0"),
    [
        ({"licenseName": "CC0"}, "CC0", True),
        ({"licenseName": "CC0_1.0"}, "CC0", True),
        ({"licenseName": "CC0", "allowedUserName": "OnlyAuthor"}, "CC0", True),
        ({"licenseName": "Other", "otherLicenseUrl": ZERO}, "CC0", True),
        ({"otherLicenseUrl": ZERO}, "CC0", True),
        ({"licenseName": "CC_BY"}, "CC_BY", False),
        ({"licenseName": "CC_BY", "otherLicenseUrl": ZERO}, "CC_BY", False),
        ({"licenseName": "Redistribution_Prohibited"}, "Redistribution_Prohibited", False),
        ({"licenseName": "Redistribution_Prohibited", "otherLicenseUrl": ZERO}, "Redistribution_Prohibited", False),
        ({"licenseName": "Other", "otherLicenseUrl": "https://example.com/CC0"}, "https://example.com/CC0", False),
        ({"licenseName": "Other", "otherLicenseUrl": BY + "deed.ja"}, "CC-BY-4.0", False),
        ({"licenseName": "other", "otherLicenseUrl": "http://Example.com/a/"}, "https://example.com/a", False),
        ({"licenseName": "Other"}, "Other (no URL)", False),
        ({"licenseName": "Other", "otherLicenseUrl": "undefined"}, "Other (no URL)", False),
        ({"licenseName": "Other", "otherPermissionUrl": "https://e.org/p"}, "https://e.org/p", False),
        (
            {
                "licenseName": "Other",
                "otherLicenseUrl": "https://e.org/p?a=1",
                "otherPermissionUrl": "https://e.org/p?a=1",
            },
            "https://e.org/p?a=1",
            False,
        ),
        ({"licenseName": "CC_BY", "otherPermissionUrl": "https://e.org/p"}, "CC_BY and https://e.org/p", False),
        ({"licenseName": "MIT\n\x1b[2J"}, "MIT [2J", False),
        ({"licenseName": "CC01"}, "CC01", False),
        ({"licenseName": "not CC0"}, "not CC0", False),
        ({}, "", False),
    ],
)
def test_licenses_of_vrm0_files(meta: dict[str, Any], name: str, cc0: bool) -> None:
    license = vrm0_license(JsonObject(meta, "meta"))
    assert (license.name, license.is_cc0) == (name, cc0)


@pytest.mark.parametrize(
    ("meta", "name", "cc0"),
    [
        ({"licenseUrl": PUBLIC}, f"{VPL} ({STRICT})", False),
        ({"licenseUrl": PUBLIC, "allowRedistribution": True}, f"{VPL} ({STRICT}; allowRedistribution)", False),
        ({"licenseUrl": PUBLIC, "allowRedistribution": False}, f"{VPL} ({STRICT})", False),
        (
            {
                "licenseUrl": PUBLIC,
                "avatarPermission": "everyone",
                "commercialUsage": "corporation",
                "creditNotation": "unnecessary",
                "modification": "allowModificationRedistribution",
            },
            f"{VPL} (avatarPermission=everyone; commercialUsage=corporation; creditNotation=unnecessary; "
            "modification=allowModificationRedistribution)",
            False,
        ),
        (
            {"licenseUrl": PUBLIC, "avatarPermission": "everyone; commercialUsage=corporation"},
            f'{VPL} (avatarPermission="everyone; commercialUsage=corporation"; '
            "commercialUsage=personalNonProfit; creditNotation=required; modification=prohibited)",
            False,
        ),
        ({"licenseUrl": PUBLIC, "otherLicenseUrl": ZERO}, "CC0", True),
        ({"licenseUrl": ZERO}, "CC0", True),
        ({"licenseUrl": "https://vrm.dev/en/licenses/1.0/"}, f"{VPL} ({STRICT})", False),
        (
            {"licenseUrl": PUBLIC, "otherLicenseUrl": "https://example.com"},
            f"{VPL} ({STRICT}) and https://example.com",
            False,
        ),
        ({"licenseUrl": "https://example.com"}, "https://example.com", False),
        ({"licenseUrl": BY}, "CC-BY-4.0", False),
        ({"licenseUrl": BY, "otherLicenseUrl": BY}, "CC-BY-4.0", False),
        ({"licenseUrl": BY, "otherLicenseUrl": "https://e.org/b"}, "CC-BY-4.0 and https://e.org/b", False),
        ({}, "", False),
    ],
)
def test_licenses_of_vrm1_files(meta: dict[str, Any], name: str, cc0: bool) -> None:
    license = vrm1_license(JsonObject(meta, "meta"))
    assert (license.name, license.is_cc0) == (name, cc0)


def test_terms_are_kept_as_written() -> None:
    terms = vrm1_license(
        JsonObject({"licenseUrl": PUBLIC, "allowRedistribution": True, "creditNotation": "required"}, "meta")
    ).terms
    assert terms == {"licenseUrl": PUBLIC, "creditNotation": "required", "allowRedistribution": "true"}


@pytest.mark.parametrize(
    ("url", "yes"),
    [
        (ZERO, True),
        ("http://www.creativecommons.org/publicdomain/zero/1.0/deed.ja", True),
        ("creativecommons.org/publicdomain/zero/1.0", True),
        ("https://creativecommons.org/licenses/by/4.0/", False),
        ("https://creativecommons.org.example.com/publicdomain/zero/1.0/", False),
        ("https://example.com/?u=https://creativecommons.org/publicdomain/zero/1.0/", False),
        ("https://creativecommons.org/publicdomain/zeroes", False),
        ("https://creativecommons.org/publicdomain/zero/../../licenses/by/4.0/", False),
        ("https://creativecommons.org/publicdomain/zero/%2e%2e/%2e%2e/licenses/by/4.0/", False),
        ("https://creativecommons.org@example.com/publicdomain/zero/1.0/", False),
        ("", False),
    ],
)
def test_cc0_urls_are_recognized(url: str, yes: bool) -> None:
    assert is_cc0_url(url) == yes


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://creativecommons.org/licenses/by-nc-sa/3.0/jp/deed.en", "CC-BY-NC-SA-3.0-JP"),
        ("http://www.creativecommons.org/licenses/by-nd/4.0/legalcode", "CC-BY-ND-4.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0"),
        ("https://opensource.org/licenses/MIT", "MIT"),
        ("https://opensource.org/license/mit/", "MIT"),
        ("https://www.apache.org/licenses/LICENSE-2.0.txt", "Apache-2.0"),
        ("https://creativecommons.org/licenses/by/4.0.evil/", "https://creativecommons.org/licenses/by/4.0.evil"),
        ("HTTP://Example.COM/Terms/", "https://example.com/Terms"),
        ("example.com/terms", "https://example.com/terms"),
        ("https://example.com/terms?v=1#b", "https://example.com/terms?v=1#b"),
        ("see the readme", "see the readme"),
        ("https://[x/", "https://[x/"),
        ("null", ""),
        ("", ""),
    ],
)
def test_a_url_is_a_well_known_license_or_itself_in_one_spelling(url: str, name: str) -> None:
    assert license_from_url(url) == name
    assert license_from_url(name) == name


@pytest.mark.parametrize(
    ("meta", "line"),
    [
        ({"licenseUrl": ZERO, "modification": "prohibited"}, "CC0, but modification prohibited"),
        (
            {
                "licenseUrl": PUBLIC,
                "otherLicenseUrl": ZERO,
                "avatarPermission": "onlyAuthor",
                "allowRedistribution": False,
            },
            "CC0, but avatarPermission onlyAuthor, allowRedistribution false",
        ),
        (
            {"licenseUrl": BY, "commercialUsage": "personalNonProfit"},
            "CC-BY-4.0, but commercialUsage personalNonProfit",
        ),
        ({"licenseUrl": BY, "creditNotation": "unnecessary"}, "CC-BY-4.0, but creditNotation unnecessary"),
        (
            {"licenseUrl": BY.replace("by", "by-nc"), "commercialUsage": "corporation"},
            "CC-BY-NC-4.0, but commercialUsage corporation",
        ),
        ({"licenseUrl": BY, "otherLicenseUrl": "https://e.org/b"}, "two licenses: licenseUrl is CC-BY-4.0"),
        ({"licenseUrl": BY, "otherLicenseUrl": ZERO}, "two licenses: licenseUrl is CC-BY-4.0, and otherLicenseUrl CC0"),
    ],
)
def test_contradictory_vrm1_licenses_are_reported(meta: dict[str, Any], line: str) -> None:
    assert line in "\n".join(contradictions(vrm1_license(JsonObject(meta, "meta"))))


@pytest.mark.parametrize(
    ("meta", "line"),
    [
        (
            {"licenseName": "CC0", "allowedUserName": "OnlyAuthor", "commercialUssageName": "Disallow"},
            "CC0, but allowedUserName OnlyAuthor, commercialUssageName Disallow",
        ),
        ({"licenseName": "CC_BY_NC", "commercialUssageName": "Allow"}, "CC_BY_NC, but commercialUssageName Allow"),
        (
            {"licenseName": "Redistribution_Prohibited", "otherLicenseUrl": ZERO},
            "two licenses: licenseName is Redistribution_Prohibited, which counts, and otherLicenseUrl CC0",
        ),
        (
            {"licenseName": "CC0", "otherPermissionUrl": "https://e.org/p"},
            "CC0, but further conditions at https://e.org/p",
        ),
    ],
)
def test_contradictory_vrm0_licenses_are_reported(meta: dict[str, Any], line: str) -> None:
    assert line in "\n".join(contradictions(vrm0_license(JsonObject(meta, "meta"))))


@pytest.mark.parametrize(
    "license",
    [
        vrm1_license(JsonObject({"licenseUrl": PUBLIC, "modification": "prohibited", "allowRedistribution": False})),
        vrm1_license(JsonObject({"licenseUrl": PUBLIC, "otherLicenseUrl": ZERO, "creditNotation": "unnecessary"})),
        vrm1_license(JsonObject({"licenseUrl": BY, "creditNotation": "required", "commercialUsage": "corporation"})),
        vrm0_license(JsonObject({"licenseName": "CC_BY", "otherLicenseUrl": BY, "allowedUserName": "Everyone"})),
        vrm0_license(JsonObject({"licenseName": "CC_BY_NC_ND", "commercialUssageName": "Disallow"})),
        vrm0_license(JsonObject({"licenseName": "CC0", "otherLicenseUrl": "undefined"})),
        vrm0_license(JsonObject({"licenseName": "Redistribution_Prohibited", "allowedUserName": "OnlyAuthor"})),
    ],
    ids=lambda license: license.name[:30],
)  # fmt: skip
def test_consistent_terms_are_not_reported(license: Any) -> None:
    assert list(contradictions(license)) == []


@pytest.mark.parametrize("version", ["0", "1"])
def test_a_contradiction_is_an_oddity_of_the_avatar(version: str) -> None:
    doc, data = vrm0() if version == "0" else vrm1()
    extension, stated = (
        (doc["extensions"]["VRM"], {"licenseName": "CC0", "allowedUserName": "OnlyAuthor"})
        if version == "0"
        else (doc["extensions"]["VRMC_vrm"], {"otherLicenseUrl": ZERO, "modification": "prohibited"})
    )
    extension.setdefault("meta", {}).update(stated)
    avatar = load_bytes(glb(doc, bytes(data)), "a.vrm")
    key, value = list(stated.items())[1]
    assert f"the license contradicts itself: CC0, but {key} {value}" in avatar.oddities
