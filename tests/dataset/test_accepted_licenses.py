"""Licenses of a dataset: unaccepted ones are refused first, accepted ones are written into rows and card."""

from __future__ import annotations

import pytest

from tests.dataset.renders import STRICT, claim, render, rows
from vrm_synth.core.errors import LicenseError

pytestmark = pytest.mark.usefixtures("cached_avatars")


def test_an_unaccepted_license_is_refused_before_anything_is_written(changed_recipe, tmp_path, avatars):
    path = changed_recipe(avatars=["demo", str(avatars / "kept.vrm")])
    with pytest.raises(LicenseError, match=r"kept\.vrm: license not accepted; got VRM Public License 1\.0"):
        claim(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_accepted_license_is_written_into_rows_and_card(changed_recipe, tmp_path, avatars):
    path = changed_recipe(avatars=[str(avatars / "kept.vrm")], count=2, accept_licenses=[STRICT])
    out = render(path, tmp_path / "out")
    for r in rows(out):
        assert r["license"] == STRICT and r["license_url"] == "https://vrm.dev/licenses/1.0/"
        assert "allowRedistribution=" not in r["license_terms"]  # the file leaves it at its default
    card = (out / "README.md").read_text()
    assert "license: other" in card and "modification=prohibited" in card and "https://vrm.dev/licenses/1.0/" in card
