"""Licences as files state them; only what is CC0 by its own words counts as CC0."""

from __future__ import annotations

from typing import Any

import pytest

from vrm_synth.avatar.fields import Fields
from vrm_synth.avatar.licence import is_cc0_url, licence0, licence1

ZERO = "https://creativecommons.org/publicdomain/zero/1.0/"
PUBLIC = "https://vrm.dev/licenses/1.0/"


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
        ({"licenseName": "Other", "otherLicenseUrl": "https://example.com/CC0"}, "Other", False),
        ({"licenseName": "CC01"}, "CC01", False),
        ({"licenseName": "not CC0"}, "not CC0", False),
        ({}, "", False),
    ],
)
def test_vrm0(meta: dict[str, Any], name: str, cc0: bool) -> None:
    licence = licence0(Fields(meta, "meta"))
    assert (licence.name, licence.is_cc0) == (name, cc0)


@pytest.mark.parametrize(
    ("meta", "name", "cc0"),
    [
        ({"licenseUrl": PUBLIC}, "VRM Public License 1.0", False),
        ({"licenseUrl": PUBLIC, "allowRedistribution": True}, "VRM Public License 1.0", False),
        ({"licenseUrl": PUBLIC, "otherLicenseUrl": ZERO}, "CC0", True),
        ({"licenseUrl": ZERO}, "CC0", True),
        ({"licenseUrl": "https://vrm.dev/en/licenses/1.0/"}, "VRM Public License 1.0", False),
        ({"licenseUrl": PUBLIC, "otherLicenseUrl": "https://example.com"}, "VRM Public License 1.0", False),
        ({"licenseUrl": "https://example.com"}, "Other", False),
        ({}, "", False),
    ],
)
def test_vrm1(meta: dict[str, Any], name: str, cc0: bool) -> None:
    licence = licence1(Fields(meta, "meta"))
    assert (licence.name, licence.is_cc0) == (name, cc0)


def test_terms_are_kept_as_written() -> None:
    terms = licence1(
        Fields({"licenseUrl": PUBLIC, "allowRedistribution": True, "creditNotation": "required"}, "meta")
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
        ("", False),
    ],
)
def test_urls(url: str, yes: bool) -> None:
    assert is_cc0_url(url) == yes
