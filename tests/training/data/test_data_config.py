"""Configuration of training data: what is refused, and what the docs say of keys and defaults."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from vrm_synth.training.data.data_config import DataConfig, SourceConfig


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"sources": []}, "sources"),
        ({"sources": [{"path": "a"}, {"path": "b/a"}]}, "two sources are called a"),
        ({"sources": ["a"], "size": 100}, "size"),
        ({"sources": ["a"], "buckets": 7}, "buckets"),
        ({"sources": [{"path": "a", "weight": 0}]}, "weight"),
        ({"sources": [{"path": "a", "mirror": 2}]}, "mirror"),
        ({"sources": ["a"], "cache_dtype": "int8"}, "cache_dtype"),
        ({"sources": ["a"], "colour": 1}, "colour"),
    ],
    ids=range(8),
)
def test_an_invalid_configuration_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        DataConfig.model_validate(config)


def test_documented_keys_and_defaults_match_the_configuration():
    text = (Path(__file__).parents[3] / "docs/training-data.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|", text, re.MULTILINE)
    documented = {}
    for names, defaults in rows:
        keys = re.findall(r"`(\w+)`", names)
        values = [d.strip("`") for d in defaults.split(", ")]
        documented.update(dict(zip(keys, values if len(keys) > 1 else [", ".join(values)], strict=True)))
    fields = {**SourceConfig.model_fields, **DataConfig.model_fields}
    assert documented.keys() | {"sources"} == fields.keys()
    for key, documented_default in documented.items():
        default = fields[key].default
        if isinstance(default, str):
            assert documented_default.strip('"') == default, key
        elif isinstance(default, int | float):
            assert json.loads(documented_default) == default, key
