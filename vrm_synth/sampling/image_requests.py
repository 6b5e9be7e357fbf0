"""Requests for images, prompts with their seeds: from the command line, a table or a dataset's captions."""

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
from vrm_synth.sampling.sampler_settings import SamplingError

TABLE_COLUMNS = ("prompt", "negative_prompt", "seed")
MAX_TABLE_BYTES = 256 << 20  # bytes
MAX_PROMPT_LENGTH = 10_000  # characters; a text encoder takes a few hundred
MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class ImageRequest:
    """One image to sample.

    prompt, negative_prompt: text.
    seed: of this image alone, so that it can be sampled again without the others.
    """

    prompt: str
    negative_prompt: str = ""
    seed: int = 0


def from_prompts(
    prompts: Sequence[str], negative_prompt: str = "", seed: int = 0, count: int = 1
) -> list[ImageRequest]:
    """Make `count` requests per prompt; request i of all has the seed `seed + i`."""
    texts = [_check_prompt(p, "--prompt") for p in prompts for _ in range(count)]
    return [ImageRequest(text, negative_prompt, _parse_seed(seed + i, "--seed")) for i, text in enumerate(texts)]


def from_table(path: Path, negative_prompt: str = "", seed: int = 0, count: int = 1) -> list[ImageRequest]:
    """Read the rows of a CSV file with a header, or the lines of a .txt file, and make `count` requests of each.

    Columns: prompt; optionally negative_prompt and seed, which override the parameters. Raises SamplingError for
    unknown columns, rows with another number of cells, and a table without rows.
    """
    rows = _read_lines(path) if path.suffix.lower() == ".txt" else _read_csv_rows(path)
    requests: list[ImageRequest] = []
    for where, row in rows:
        negative = row.get("negative_prompt") or negative_prompt
        for k in range(count):
            start = _parse_seed(row["seed"], where) + k if row.get("seed") else seed + len(requests)
            requests.append(ImageRequest(_check_prompt(row.get("prompt"), where), negative, _parse_seed(start, where)))
    if not requests:
        raise SamplingError("no prompts", allowed="at least one", where=path)
    return requests


def from_dataset(
    folder: Path,
    split: str | None = None,
    limit: int | None = None,
    negative_prompt: str = "",
    seed: int = 0,
    count: int = 1,
) -> list[ImageRequest]:
    """Make `count` requests of each caption of a dataset, or of its first `limit`; seeds as in `from_prompts`."""
    captions = [image.caption for image in islice(captioned_images(folder, split), limit)]
    return from_prompts(captions, negative_prompt, seed, count)


def _read_text(path: Path) -> str:
    if path.stat().st_size > MAX_TABLE_BYTES:
        raise SamplingError("too long", got=path.stat().st_size, allowed=f"{MAX_TABLE_BYTES} bytes", where=path)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise SamplingError("not UTF-8 text", got=f"a bad byte at offset {e.start}", where=path) from None


def _read_lines(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield (location, row) of each line with text; the line is the row's prompt."""
    for number, line in enumerate(_read_text(path).split("\n"), 1):
        if line.strip():
            yield f"{path}:{number}", {"prompt": line}


def _read_csv_rows(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield (location, row) of each row of a CSV file. Raises SamplingError."""
    reader = csv.DictReader(io.StringIO(_read_text(path), newline=""), strict=True)
    try:
        names = reader.fieldnames or []
        if "prompt" not in names or not set(names) <= set(TABLE_COLUMNS):
            raise SamplingError(
                "not a table of prompts", got=", ".join(names), allowed=", ".join(TABLE_COLUMNS), where=path
            )
        for row in reader:
            where = f"{path}:{reader.line_num}"
            if None in row or None in row.values():
                raise SamplingError("not as many cells as columns", allowed=len(names), where=where)
            yield where, row
    except csv.Error as e:
        raise SamplingError("not CSV", got=str(e), where=f"{path}:{reader.line_num}") from None


def _check_prompt(value: Any, where: str) -> str:
    """Return a prompt with white space normalized. Raises SamplingError where it is no usable text."""
    if not isinstance(value, str) or not value.strip():
        raise SamplingError("no prompt", got=value, allowed="text", where=where)
    if len(value) > MAX_PROMPT_LENGTH:
        got, allowed = f"{len(value)} characters", f"up to {MAX_PROMPT_LENGTH}"
        raise SamplingError("prompt is too long", got=got, allowed=allowed, where=where)
    try:
        value.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can contain
        raise SamplingError("prompt is not Unicode text", where=where) from None
    return " ".join(value.split())


def _parse_seed(value: int | str, where: str) -> int:
    """Parse a seed. Raises SamplingError where it is not 0 to MAX_SEED."""
    try:
        seed = int(value)
    except ValueError:
        seed = -1
    if not 0 <= seed <= MAX_SEED:
        raise SamplingError("not a seed", got=value, allowed=f"0 to {MAX_SEED}", where=where)
    return seed


def quoted_prompt(request: ImageRequest) -> str:
    """The prompt in quotes, for error messages."""
    return f"prompt {json.dumps(request.prompt, ensure_ascii=False)}"
