"""Captions of constructed facts, word for word, in each style: golden.yaml is the table to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from vrm_synth.caption import STYLES, CaptionSettings, caption
from vrm_synth.facts.facts import Facts

CASES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("golden.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[c["what"] for c in CASES])
def test_the_captions_of_constructed_facts_are_these(case: dict[str, Any]) -> None:
    facts = Facts.from_json(case["facts"])
    found = {style: caption(facts, CaptionSettings(style=style), case["seed"]) for style in STYLES}
    assert found == {style: case[style] for style in STYLES}


def test_the_examples_of_the_docs_are_these() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "captions.md").read_text(encoding="utf-8")
    looking_back = next(c for c in CASES if c["what"] == "seen from behind, looking back")
    assert all(f"| {looking_back[style]} |" in docs for style in STYLES)
