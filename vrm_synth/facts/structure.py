"""The structure of nested dataclasses as data: what JSON is checked by, and what a table's column is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from types import UnionType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from vrm_synth.core.errors import ShotError
from vrm_synth.core.names import is_whole_line

LONGEST_TEXT = 1000  # characters
LONGEST_LIST = 64
MOST_WHOLE = 2**31 - 1  # what an int32 column holds


@dataclass(frozen=True)
class Text:
    """A text. allowed: the words that it may be; None for any line without control characters."""

    allowed: tuple[str, ...] | None = None

    def read(self, value: object, where: str) -> str:
        """The value, checked. Raises ShotError."""
        if not isinstance(value, str):
            raise ShotError("not a text", got=value, where=where)
        if self.allowed is not None:
            if value not in self.allowed:
                raise ShotError("not a word of the vocabulary", got=value, allowed=_words(self.allowed), where=where)
        elif len(value) > LONGEST_TEXT:
            raise ShotError("too long", got=len(value), allowed=f"{LONGEST_TEXT} characters", where=where)
        elif value and not is_whole_line(value, LONGEST_TEXT):
            raise ShotError("not one printable line", got=value, where=where)
        return value

    def write(self, value: str) -> str:
        """The value as JSON has it."""
        return str(value)


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def read(self, value: object, where: str) -> bool:
        """The value, checked. Raises ShotError."""
        if not isinstance(value, bool):
            raise ShotError("not true or false", got=value, where=where)
        return value

    def write(self, value: bool) -> bool:
        """The value as JSON has it."""
        return bool(value)


@dataclass(frozen=True)
class Whole:
    """A whole number from 0."""

    def read(self, value: object, where: str) -> int:
        """The value, checked. Raises ShotError."""
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_WHOLE:
            raise ShotError("not a whole number", got=value, allowed=f"0 to {MOST_WHOLE}", where=where)
        return value

    def write(self, value: int) -> int:
        """The value as JSON has it."""
        return int(value)


@dataclass(frozen=True)
class Number:
    """A finite number, or None where nothing is known."""

    def read(self, value: object, where: str) -> float | None:
        """The value, checked. Raises ShotError."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ShotError("not a finite number", got=value, where=where)
        return float(value)

    def write(self, value: float | None) -> float | None:
        """The value as JSON has it."""
        return None if value is None else float(value)


@dataclass(frozen=True)
class ListOf:
    """A list. item: the structure of each of its items."""

    item: Node

    def read(self, value: object, where: str) -> tuple[Any, ...]:
        """The items, checked. Raises ShotError."""
        if not isinstance(value, list | tuple):
            raise ShotError("not a list", got=value, where=where)
        if len(value) > LONGEST_LIST:
            raise ShotError("too long", got=len(value), allowed=f"{LONGEST_LIST} items", where=where)
        return tuple(self.item.read(v, f"{where}.{k}") for k, v in enumerate(value))

    def write(self, value: tuple[Any, ...]) -> list[Any]:
        """The list as JSON has it."""
        return [self.item.write(v) for v in value]


@dataclass(frozen=True)
class Struct:
    """An object of fixed keys. cls: the dataclass that it is; members: field → its structure, in order."""

    cls: type
    members: Mapping[str, Node]

    def read(self, value: object, where: str) -> Any:
        """The dataclass, its members checked; those that lack are at their defaults. Raises ShotError."""
        if not isinstance(value, Mapping):
            raise ShotError("not an object", got=value, allowed="{key: value}", where=where)
        for key in value:
            if key not in self.members:
                raise ShotError("no such key", got=key, allowed=", ".join(self.members), where=where)
        try:
            return self.cls(**{k: self.members[k].read(v, f"{where}.{k}") for k, v in value.items()})
        except TypeError:
            needed = [f.name for f in fields(self.cls) if f.default is MISSING and f.default_factory is MISSING]
            lacking = [name for name in needed if name not in value]
            raise ShotError("a key lacks", got=", ".join(value), allowed=", ".join(lacking), where=where) from None

    def write(self, value: Any) -> dict[str, Any]:
        """The object as JSON has it: every key."""
        return {name: member.write(getattr(value, name)) for name, member in self.members.items()}


Node: TypeAlias = Text | Flag | Whole | Number | ListOf | Struct


def structure_of(cls: type) -> Struct:
    """The structure of a dataclass of str, Literal, bool, int, float | None, tuple[X, ...] and such dataclasses."""
    hints = get_type_hints(cls)
    return Struct(cls, {f.name: _node(hints[f.name]) for f in fields(cls)})


def _node(hint: Any) -> Node:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return Text(arguments)
    if origin is tuple:
        return ListOf(_node(arguments[0]))
    if origin in (Union, UnionType) and set(arguments) == {float, type(None)}:
        return Number()
    plain: dict[Any, Node] = {str: Text(), bool: Flag(), int: Whole()}
    return plain[hint] if hint in plain else structure_of(hint)


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(word or '""' for word in words)
