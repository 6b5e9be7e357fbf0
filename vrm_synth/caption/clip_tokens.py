"""Most tokens that CLIP's tokenizer makes of a text, without the tokenizer."""

from __future__ import annotations

BUDGET = 75  # CLIP reads 77 tokens, two of which mark beginning and end


def count_tokens(text: str) -> int:
    """An upper bound of CLIP's number of tokens, without the marks of beginning and end."""
    return len(text.encode())
