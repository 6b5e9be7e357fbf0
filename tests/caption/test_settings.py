"""Settings of captions: what a recipe may say, and what is refused with its reason."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from vrm_synth.caption import STYLES, CaptionColumns, CaptionSettings
from vrm_synth.caption.settings import DEFAULT_COLUMNS
from vrm_synth.core.errors import RecipeError
from vrm_synth.yaml_models.strict_yaml import parse


class Recipe(BaseModel):
    captions: CaptionColumns


def test_a_style_is_one_name_a_list_or_weights() -> None:
    assert CaptionSettings().style == {"en": 1.0} == CaptionSettings(style="en").style
    assert CaptionSettings(style=["en", "tags"]).style == {"en": 1.0, "tags": 1.0}
    assert CaptionSettings(style={"en": 3, "tags": 1}).style == {"en": 3.0, "tags": 1.0}


def test_a_recipe_has_several_columns() -> None:
    text = "captions:\n  caption: {style: en, trigger: ohwx}\n  caption_ja: {style: ja}\n  tags: {style: tags}\n"
    columns = parse(text, Recipe, "r.yaml").captions
    assert list(columns) == ["caption", "caption_ja", "tags"]
    assert columns["caption"] == CaptionSettings(trigger="ohwx")
    assert list(DEFAULT_COLUMNS.values()) == [CaptionSettings()]


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"style": "japanese"}, "no such style"),
        ({"style": {}}, "not a style"),
        ({"style": 3}, "not a style"),
        ({"style": {"en": 0}}, "greater than 0"),
        ({"style": {"en": float("inf")}}, "finite"),
        ({"drop": {"hairs": 0.1}}, "did you mean hair"),
        ({"drop": {"hair": 1.5}}, "less than or equal to 1"),
        ({"trigger": "two\nlines"}, "not one line"),
        ({"prefix": "\x07"}, "not one line"),
        ({"suffix": "x" * 301}, "not one line"),
        ({"prefix": "a \ud800 b"}, "half of a character"),
        ({"prefix": "qzxv " * 30}, "leaves no place"),
        ({"trigger": "ok", "max_tokens": 24}, "leaves no place"),
        ({"max_tokens": 3}, "greater than or equal to 24"),
        ({"weights": {}}, "Extra inputs"),
    ],
)
def test_what_is_refused_says_why(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        CaptionSettings(**settings)


@pytest.mark.parametrize(
    "name", ["", "Caption", "text", "tags2", "caption-ja", "facts", "caption_", "caption__x", "x" * 50]
)
def test_a_column_is_named_for_what_it_is(name: str) -> None:
    with pytest.raises(RecipeError, match=r"r\.yaml:2: captions"):
        parse(f'captions:\n  "{name}": {{style: en}}\n', Recipe, "r.yaml")


def test_a_long_text_of_the_users_is_allowed_without_a_limit() -> None:
    assert CaptionSettings(prefix="qzxv " * 30, max_tokens=None).max_tokens is None
    assert set(STYLES) == {"en_short", "en", "en_long", "ja", "tags"}
