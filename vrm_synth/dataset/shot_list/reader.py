"""Read a list of shots: shots.json, or the metadata.jsonl of a dataset.

The worker that draws a shot parses its entry, so that parsing runs in parallel and the process that hands out the
entries does not wait for what drawing imports.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from vrm_synth.core.errors import ShotError
from vrm_synth.io.atomic_files import file_errors
from vrm_synth.shot.check import ID

if TYPE_CHECKING:
    from vrm_synth.shot import Shot

LARGEST_FILE = 1 << 30  # bytes; a shot takes two to four thousand


Size = tuple[int, int] | int  # of pictures, pixels: (width, height), or the longer side


@dataclass(frozen=True)
class ListedShot:
    """One entry of a list of shots.

    id: the shot's, a usable file name.
    avatar: source of the avatar, "" where it is not text.
    text: the entry as JSON.
    where: its place in the list, for errors.
    size: of the picture in pixels, instead of the entry's own.
    avatar_sha256: of the avatar's file, "" where it is not known.
    """

    id: str
    avatar: str
    text: str
    where: str
    size: Size | None = None
    avatar_sha256: str = ""

    def shot(self) -> Shot:
        """The shot, in the size that is wanted. Raises ShotError, which names the place."""
        from vrm_synth.shot import Shot

        try:
            self.text.encode()
            shot = Shot.from_json(json.loads(self.text))
            return shot if self.size is None else replace(shot, size=scaled(shot.size, self.size))
        except ShotError as e:
            raise e.at(self.where) from None
        except UnicodeEncodeError:
            raise ShotError("not Unicode text", got="half a surrogate pair", where=self.where) from None
        except RecursionError as e:  # nested as deep as the reader of the list could just follow
            raise ShotError("not a shot", got=str(e), where=self.where) from None


def scaled(size: tuple[int, int], target: Size) -> tuple[int, int]:
    """Width and height in pixels: as wanted, or with that longer side and the proportions that they had."""
    if not isinstance(target, int):
        return target
    width, height = (max(1, round(side * target / max(size))) for side in size)
    return width, height


def select(shots: Sequence[ListedShot], ids: Sequence[str]) -> list[ListedShot]:
    """The entries of these names, in their order. Raises ShotError where one is missing."""
    by_id = {entry.id: entry for entry in shots}
    for name in ids:
        if name not in by_id:
            near = difflib.get_close_matches(name, by_id, 5, 0.0)
            raise ShotError("no such shot in the list", got=name, allowed=", ".join(near))
    return [by_id[name] for name in dict.fromkeys(ids)]


def read_shots(path: Path) -> list[ListedShot]:
    """The entries of `path`, in order.

    path: a JSON list of shots, or a file of JSON lines that are shots or hold one under "shot", as it is or as text.
    An entry without a name, a name that comes twice or cannot be a file's name refuses the whole list; whatever else
    is wrong with an entry is told by its `shot()`. Raises ShotError, DatasetError.
    """
    with file_errors(path, "read"):
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise ShotError("too long for a list of shots", got=size, allowed=f"{LARGEST_FILE} bytes", where=path)
        data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise ShotError("not UTF-8 text", got=f"a bad byte at offset {e.start}", where=path) from None
    shots: list[ListedShot] = []
    seen: set[str] = set()
    entries = _lines(text, path) if path.suffix == ".jsonl" else _items(text, path)
    for where, entry in entries:
        name = _name(entry, where)
        if name in seen:
            raise ShotError("a second shot of the same id", got=name, allowed="each id once", where=where)
        seen.add(name)
        avatar = entry.get("avatar")
        shots.append(ListedShot(name, avatar if isinstance(avatar, str) else "", _text(entry, where), where))
    if not shots:
        raise ShotError("no shots", allowed="at least one", where=path)
    return shots


def _items(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    value = _parse(text, str(path))
    if not isinstance(value, list):
        raise ShotError("not a list of shots", got=value, allowed="[{…}, …]", where=path)
    for i, entry in enumerate(value):
        yield f"{path}[{i}]", entry


def _lines(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    # Not splitlines(): it also breaks at characters that JSON allows inside a string.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = f"{path}:{number}"
            value = _parse(line, where)
            shot = value["shot"] if isinstance(value, dict) and "shot" in value else value
            yield where, _parse(shot, where) if isinstance(shot, str) else shot  # text in an image folder's metadata


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as e:
        at = f"line {e.lineno}, column {e.colno}"
        raise ShotError("not JSON", got=f"{e.msg} at {at}", where=where) from None
    except (ValueError, RecursionError) as e:
        raise ShotError("not JSON", got=str(e), where=where) from None


def _text(entry: Any, where: str) -> str:
    try:
        return json.dumps(entry, ensure_ascii=False)  # 1e999 has become infinite: the shot's own fault, not the list's
    except RecursionError as e:
        raise ShotError("not a shot", got=str(e), where=where) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name}, which JSON does not have")


def _name(entry: Any, where: str) -> str:
    name = entry.get("id") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not ID.fullmatch(name):
        got = name if isinstance(entry, dict) else entry
        raise ShotError("no usable id", got=got, allowed="1 to 200 letters, digits and _ . -", where=where)
    return name
