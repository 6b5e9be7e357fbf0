"""Names of avatars, expressions and nodes: made unique and free of control characters."""

from __future__ import annotations

import pytest

from vrm_synth.core.names import LONGEST_NAME, UniqueNames, control_free_name, is_control_free

PLAIN = [
    "Joy",
    " ",
    "笑顔\u30001",
    "👩\u200d🎤",
    "x" * LONGEST_NAME,
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
]
NOT_PLAIN = ["", "a\nb", "a\r\nb", "\x00", "a\x7f", "a\x85b", "a\u2028b", "a\u2029b", "x" * (LONGEST_NAME + 1)]


@pytest.mark.parametrize("name", PLAIN)
def test_control_free_names_are_left_alone(name: str) -> None:
    assert is_control_free(name) and control_free_name(name, "unnamed") == name


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_other_names_become_control_free(name: str) -> None:
    assert not is_control_free(name) and is_control_free(control_free_name(name, "unnamed"))


def test_control_characters_and_long_names_are_cleaned() -> None:
    assert control_free_name("a\r\nb", "unnamed") == "a b" and control_free_name("\n\t", "unnamed") == "unnamed"
    assert control_free_name("y" * 10**6, "unnamed") == "y" * LONGEST_NAME


def test_names_are_unique() -> None:
    names = UniqueNames(["happy"])
    assert [names.take("a") for _ in range(3)] == ["a", "a (2)", "a (3)"]
    assert [names.take("happy", "custom") for _ in range(2)] == ["happy (custom)", "happy (custom 2)"]
    assert names.take("a (2)") == "a (2) (2)"
    long = [names.take("z" * LONGEST_NAME) for _ in range(12)]
    assert len(set(long)) == 12 and all(map(is_control_free, long)) and long[11].endswith(" (12)")


def test_thousands_of_equal_names_cost_no_more_than_others() -> None:
    names = UniqueNames()
    assert names.take("u") == "u"
    assert [names.take("u") for _ in range(20_000)][-1] == "u (20001)"
