"""The folder of shared avatars, motions and reference pictures, and the skip marker of tests that need it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def _find() -> Path | None:
    named = os.environ.get("VRM_SYNTH_CORPUS")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    return folder if (folder / "avatars").is_dir() else None


CORPUS = _find()

needs_corpus = pytest.mark.skipif(
    CORPUS is None,
    reason="no shared corpus: put avatars/, motions/ and reference/ in ../shared, or name their folder in "
    "VRM_SYNTH_CORPUS",
)


def avatar_files() -> list[Path]:
    """The shared avatars, sorted; empty without a corpus."""
    return sorted((CORPUS / "avatars").glob("*.vrm")) if CORPUS else []
