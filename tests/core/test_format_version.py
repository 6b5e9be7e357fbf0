"""Format numbers: older files are read, newer ones are refused in one line."""

from __future__ import annotations

import pytest

from vrm_synth.core.errors import DatasetError, RecipeError
from vrm_synth.core.format_version import check_format


def test_a_missing_number_is_the_first_format():
    assert check_format(None, 3) == 1
    assert [check_format(n, 3) for n in (1, 2, 3)] == [1, 2, 3]


def test_a_newer_format_is_refused_with_what_is_known():
    says = r"^dataset\.json: a format newer than this version of vrm-synth; got 4; allowed: up to 3$"
    with pytest.raises(DatasetError, match=says):
        check_format(4, 3, "dataset.json")


@pytest.mark.parametrize("value", [0, -1, True, "1", 1.0, [1]])
def test_what_is_no_number_is_refused_as_the_readers_own_error(value):
    with pytest.raises(RecipeError, match="not a format number"):
        check_format(value, 3, error=RecipeError)
