"""Headless Chromium, to parse and render pages as a reader's browser does."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.patience import HANG

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--hide-scrollbars", "--virtual-time-budget=3000",
)  # fmt: skip


def dom(page: Path, profile: Path) -> str:
    """The document after the browser has parsed it. profile: a folder of the browser's own."""
    return _run(page, profile, "--dump-dom").stdout


def screenshot(page: Path, profile: Path, out: Path, width: int = 1280, height: int = 1400) -> str:
    """A PNG of the page's head at `out`; returns what the browser had to say."""
    return _run(page, profile, f"--screenshot={out}", f"--window-size={width},{height}").stderr


def _run(page: Path, profile: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [CHROMIUM or "", *QUIET, f"--user-data-dir={profile}", *arguments, page.resolve().as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=True)
