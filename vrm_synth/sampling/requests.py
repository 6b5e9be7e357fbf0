"""What to draw: prompts with their seeds, from the command line, from a table, from a dataset's captions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from vrm_synth.sampling.captioned_images import captioned_images
from vrm_synth.sampling.settings import SamplingError

COLUMNS = ("prompt", "negative_prompt", "seed")
LARGEST_TABLE = 256 << 20  # bytes
LONGEST_PROMPT = 10_000  # characters; a text encoder takes a few hundred
MOST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Request:
    """One picture to draw. seed: its own, so that it can be drawn again alone."""

    prompt: str
    negative_prompt: str = ""
    seed: int = 0


def from_prompts(prompts: Sequence[str], negative: str = "", seed: int = 0, count: int = 1) -> list[Request]:
    """`count` pictures of each prompt; the i-th picture of all has seed + i."""
    texts = [_text(p, "--prompt") for p in prompts for _ in range(count)]
    return [Request(text, negative, _seed(seed + i, "--seed")) for i, text in enumerate(texts)]


def from_table(path: Path, negative: str = "", seed: int = 0, count: int = 1) -> list[Request]:
    """The rows of a CSV file with a head, or the lines of a .txt file, `count` pictures each.

    Columns: prompt; negative_prompt and seed where a row has its own. Raises SamplingError for unknown columns, rows
    that do not fit them, and a table without rows.
    """
    rows = _lines(path) if path.suffix.lower() == ".txt" else _rows(path)
    found: list[Request] = []
    for where, row in rows:
        own = row.get("negative_prompt") or negative
        for k in range(count):
            start = _seed(row["seed"], where) + k if row.get("seed") else seed + len(found)
            found.append(Request(_text(row.get("prompt"), where), own, _seed(start, where)))
    if not found:
        raise SamplingError("no prompts", allowed="at least one", where=path)
    return found


def from_dataset(
    folder: Path, split: str | None = None, limit: int | None = None, negative: str = "", seed: int = 0, count: int = 1
) -> list[Request]:
    """`count` pictures of each caption of a dataset, or of its first `limit`; seeds as `from_prompts` gives them."""
    captions = [pair.caption for pair in islice(captioned_images(folder, split), limit)]
    return from_prompts(captions, negative, seed, count)


def _read(path: Path) -> str:
    if path.stat().st_size > LARGEST_TABLE:
        raise SamplingError("too long", got=path.stat().st_size, allowed=f"{LARGEST_TABLE} bytes", where=path)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise SamplingError("not UTF-8 text", got=f"a bad byte at offset {e.start}", where=path) from None


def _lines(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    for number, line in enumerate(_read(path).split("\n"), 1):
        if line.strip():
            yield f"{path}:{number}", {"prompt": line}


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    reader = csv.DictReader(io.StringIO(_read(path), newline=""), strict=True)
    try:
        names = reader.fieldnames or []
        if "prompt" not in names or not set(names) <= set(COLUMNS):
            raise SamplingError("not a table of prompts", got=", ".join(names), allowed=", ".join(COLUMNS), where=path)
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if None in row or None in row.values():
                raise SamplingError("not as many cells as columns", allowed=len(names), where=where)
            yield where, row
    except csv.Error as e:
        raise SamplingError("not CSV", got=str(e), where=f"{path}:{reader.line_num}") from None


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise SamplingError("no prompt", got=value, allowed="text", where=where)
    if len(value) > LONGEST_PROMPT:
        got, allowed = f"{len(value)} characters", f"up to {LONGEST_PROMPT}"
        raise SamplingError("prompt is too long", got=got, allowed=allowed, where=where)
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can spell
        raise SamplingError("prompt is not Unicode text", where=where) from None
    return " ".join(value.split())


def _seed(value: int | str, where: str) -> int:
    try:
        seed = int(value)
    except ValueError:
        seed = -1
    if not 0 <= seed <= MOST_SEED:
        raise SamplingError("not a seed", got=value, allowed=f"0 to {MOST_SEED}", where=where)
    return seed


def describe(request: Request) -> str:
    """A line for errors."""
    return f"prompt {json.dumps(request.prompt, ensure_ascii=False)}"
