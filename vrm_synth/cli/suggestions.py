"""Suggestions of the right command for an argument that another command takes."""

from __future__ import annotations

import re
from pathlib import Path

import click

# kind of argument → (its name in messages, the commands that take it)
KINDS = {
    "avatar": ("an avatar", "vrm-synth render {} -o DIR, or vrm-synth inspect {}"),
    "recipe": ("a recipe", "vrm-synth render {} -o DIR"),
    "shots": ("a list of shots", "vrm-synth shots {} -o DIR"),
    "dataset": ("a dataset", "vrm-synth verify {}"),
    "run": ("a training run", "vrm-synth preview {}"),
    "folder": ("a folder", "vrm-synth render {} -o DIR, or vrm-synth inspect {}/*.vrm"),
}


def kind_of(text: str) -> str:
    """Guess the kind of an argument, a key of KINDS, from a file's name and first bytes or a folder's files; "" if
    unknown."""
    path = Path(text)
    if re.fullmatch(r"demo(:.*)?", text, re.DOTALL) or path.suffix.lower() in (".vrm", ".glb"):
        return "avatar"
    try:
        if path.is_dir():
            markers = (("dataset.json", "dataset"), ("run.yaml", "run"))
            return next((kind for name, kind in markers if (path / name).is_file()), "folder")
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


def command_for(text: str, *accepted: str) -> str:
    """Say what kind an argument is and which command takes it; "" if it is of an accepted or unknown kind."""
    kind = kind_of(text)
    if not kind or kind in accepted:
        return ""
    name, command = KINDS[kind]
    return f"{text} is {name}: {command.format(*[text.rstrip('/')] * command.count('{}'))}"


def check_kind(text: str, *accepted: str) -> None:
    """Raises click.UsageError for an argument of a kind that another command takes."""
    if message := command_for(text, *accepted):
        raise click.UsageError(message)
