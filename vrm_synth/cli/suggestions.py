"""What to type instead, where a command is given what another one takes."""

from __future__ import annotations

import re
from pathlib import Path

import click

# kind → what it is called, and the command that takes it
KINDS = {
    "avatar": ("an avatar", "vrm-synth render {} -o DIR, or vrm-synth inspect {}"),
    "recipe": ("a recipe", "vrm-synth render {} -o DIR"),
    "shots": ("a list of shots", "vrm-synth shots {} -o DIR"),
    "dataset": ("a dataset", "vrm-synth verify {}"),
    "run": ("a training run", "vrm-synth preview {}"),
    "folder": ("a folder", "vrm-synth render {} -o DIR, or vrm-synth inspect {}/*.vrm"),
}


def kind_of(text: str) -> str:
    """One of KINDS by a file's name and first bytes or a folder's files; "" where nothing tells."""
    path = Path(text)
    if re.fullmatch(r"demo(:.*)?", text, re.DOTALL) or path.suffix.lower() in (".vrm", ".glb"):
        return "avatar"
    try:
        if path.is_dir():
            inside = (("dataset.json", "dataset"), ("run.yaml", "run"))
            return next((kind for name, kind in inside if (path / name).is_file()), "folder")
        start = path.open("rb").read(256) if path.is_file() else b""
    except OSError:
        return ""
    if start.startswith(b"glTF"):
        return "avatar"
    if path.suffix.lower() in (".yaml", ".yml"):
        return "recipe"
    if path.suffix.lower() == ".jsonl":
        return "shots"
    if path.suffix.lower() == ".json":
        return {b"[": "shots", b"{": "recipe"}.get(start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1], "")
    return ""


def misplaced(text: str, *wanted: str) -> str:
    """What an argument is and what to type, where it is of another kind than wanted; else ""."""
    kind = kind_of(text)
    if not kind or kind in wanted:
        return ""
    name, command = KINDS[kind]
    return f"{text} is {name}: {command.format(*[text.rstrip('/')] * command.count('{}'))}"


def expect(text: str, *wanted: str) -> None:
    """Raises click.UsageError where an argument is of a kind that another command takes."""
    if complaint := misplaced(text, *wanted):
        raise click.UsageError(complaint)
