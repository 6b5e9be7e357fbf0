"""Typed reading of untrusted JSON: each value is checked for its type, and errors name its place in the file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np

from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.limits import Limits
from vrm_synth.gltf.oddities import Oddities

T = TypeVar("T", bound=str)

# Larger numbers than this make no sense in an avatar and would overflow float32 arithmetic later.
MAX_NUMBER = 1e9

_BLOCK = 2**20  # bytes of JSON scanned at a time by _check_size, which bounds its memory
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class JsonObject:
    """A JSON object with typed getters, and its place in the file for error messages.

    Absent and null are the same, as exporters write both. Every getter raises AvatarError with the
    value's own place where the value is of the wrong type, not finite, or out of range.

    An index of −1 means "none", which exporters write where a field should be absent: an optional index is None then,
    a member of a list of indices is left out, and an entry that cannot be without its index is left out by the
    caller (`entry_index`). Each is recorded as an oddity. Where nothing can be left out, and for
    any other index out of range, the file is refused.

    Attributes:
        data: the parsed object.
        path: its place in the file, "nodes[3].extensions"; "" for the root.
        oddities: collects the oddities of what is read; shared with all objects below this one.
    """

    __slots__ = ("data", "oddities", "path")

    def __init__(self, data: Any, path: str = "", oddities: Oddities | None = None):
        if not isinstance(data, dict):
            raise_wrong_type(path or "the JSON", "must be an object", data)
        self.data: dict[str, Any] = data
        self.path = path
        self.oddities = Oddities() if oddities is None else oddities

    def at(self, key: str) -> str:
        """Return the place in the file of the value under `key`, for messages."""
        key = key if len(key) <= 60 else key[:59] + "…"
        return f"{self.path}.{key}" if self.path else key

    def has(self, key: str) -> bool:
        """Return True where the value is present and not null."""
        return self.data.get(key) is not None

    def required(self, key: str) -> Any:
        """Return the value under `key`; raise AvatarError where it is absent."""
        value = self.data.get(key)
        if value is None:
            raise AvatarError("required value is missing", where=self.at(key))
        return value

    def child(self, key: str) -> JsonObject | None:
        """Return the object under `key`, or None where it is absent."""
        value = self.data.get(key)
        return None if value is None else JsonObject(value, self.at(key), self.oddities)

    def child_or_empty(self, key: str) -> JsonObject:
        """Return the object under `key`, an empty one where it is absent."""
        return self.child(key) or JsonObject({}, self.at(key), self.oddities)

    def extension(self, name: str) -> JsonObject | None:
        """Return this object's glTF extension of that name, or None."""
        extensions = self.child("extensions")
        return None if extensions is None else extensions.child(name)

    def values(self, key: str) -> list[Any]:
        """Return the list under `key`, empty where it is absent."""
        value = self.data.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise_wrong_type(self.at(key), "must be a list", value)
        return value

    def children(self, key: str, limit: int) -> list[JsonObject]:
        """Return the list of objects under `key`; more than `limit` of them are an error."""
        values = self.values(key)
        if len(values) > limit:
            raise AvatarError("too many entries", got=len(values), allowed=f"at most {limit}", where=self.at(key))
        return [JsonObject(v, f"{self.at(key)}[{i}]", self.oddities) for i, v in enumerate(values)]

    def text(self, key: str, default: str = "") -> str:
        """Return a string."""
        value = self.data.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise_wrong_type(self.at(key), "must be a string", value)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings."""
        values = self.values(key)
        for i, value in enumerate(values):
            if not isinstance(value, str):
                raise_wrong_type(f"{self.at(key)}[{i}]", "must be a string", value)
        return tuple(values)

    def choice(self, key: str, allowed: Sequence[T], default: T) -> T:
        """Return a string that must be one of `allowed`."""
        value = self.data.get(key)
        if value is None:
            return default
        for option in allowed:
            if value == option:
                return option
        raise AvatarError("unknown value", got=_summary(value), allowed=", ".join(allowed), where=self.at(key))

    def flag(self, key: str, default: bool = False) -> bool:
        """Return a boolean."""
        value = self.data.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise_wrong_type(self.at(key), "must be true or false", value)
        return value

    def number(self, key: str, default: float) -> float:
        """Return a finite number."""
        value = self.data.get(key)
        return default if value is None else number(value, self.at(key))

    def vector(self, key: str, default: tuple[float, ...]) -> tuple[float, ...]:
        """Return as many finite numbers as `default` has; longer lists (an alpha after RGB) are cut."""
        value = self.data.get(key)
        return default if value is None else vector(value, len(default), self.at(key))

    def xyz(self, key: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
        """Return a vector written as {"x", "y", "z"} (VRM 0.x); an absent component is 0."""
        value = self.child(key)
        if value is None:
            return default
        return value.number("x", 0.0), value.number("y", 0.0), value.number("z", 0.0)

    def integer(self, key: str, default: int) -> int:
        """Return an integer."""
        value = self.data.get(key)
        return default if value is None else integer(value, self.at(key))

    def is_none_index(self, key: str, *, entry: bool = False) -> bool:
        """Return True, and record an oddity, where an index is −1 ("none").

        entry: the caller leaves the whole object out because of it.
        """
        if not is_none(self.data.get(key)):
            return False
        self.oddities.add_repeatable(
            self.at(key), "is -1 (none); its entry is left out" if entry else "is -1, taken as none"
        )
        return True

    def index(self, key: str, count: int, of: str, *, minus_one_is_normal: bool = False) -> int | None:
        """Return an index into a list of `count` entries called `of`; None where it is absent or −1.

        minus_one_is_normal: the format itself writes −1 for "none" here, so that it is no oddity.
        """
        value = self.data.get(key)
        if value is None or (minus_one_is_normal and is_none(value)) or self.is_none_index(key):
            return None
        return index(value, count, of, self.at(key))

    def entry_index(self, key: str, count: int, of: str) -> int | None:
        """Return an index that must be present; None where it is −1 and the caller must leave the entry out."""
        value = self.required(key)
        return None if self.is_none_index(key, entry=True) else index(value, count, of, self.at(key))

    def indices(self, key: str, count: int, of: str) -> tuple[int, ...]:
        """Return indices into a list of `count` entries called `of`; members that are −1 are left out."""
        out: list[int] = []
        for i, value in enumerate(self.values(key)):
            json_path = f"{self.at(key)}[{i}]"
            if is_none(value):
                self.oddities.add_repeatable(json_path, "is -1 (none); it is left out")
            else:
                out.append(index(value, count, of, json_path))
        return tuple(out)


def raise_wrong_type(json_path: str, rule: str, value: object) -> NoReturn:
    """Raise AvatarError for a value of the wrong type, with a short form of the value."""
    raise AvatarError(rule, got=_summary(value), where=json_path)


def number(value: Any, json_path: str) -> float:
    """Return a JSON value as a finite float within ±MAX_NUMBER."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise_wrong_type(json_path, "must be a number", value)
    if not -MAX_NUMBER <= value <= MAX_NUMBER:  # also catches NaN, infinities and integers that no float can hold
        raise AvatarError("number out of bounds", got=_summary(value), allowed=f"±{MAX_NUMBER:g}", where=json_path)
    return float(value)


def vector(value: Any, length: int, json_path: str) -> tuple[float, ...]:
    """Return the first `length` numbers of a JSON list at least that long."""
    if not isinstance(value, list) or len(value) < length:
        raise_wrong_type(json_path, f"must be a list of {length} numbers", value)
    return tuple(number(v, f"{json_path}[{i}]") for i, v in enumerate(value[:length]))


def integer(value: Any, json_path: str) -> int:
    """Return a JSON value as an integer; 3.0 is one, true is not."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise_wrong_type(json_path, "must be an integer", value)
    if abs(value) > 2**53:
        raise AvatarError("integer out of bounds", got=_summary(value), allowed="±2^53", where=json_path)
    return value


def is_none(value: object) -> bool:
    """Return True for an index of −1, which exporters write for "none"."""
    return isinstance(value, int | float) and value == -1


def index(value: Any, count: int, of: str, json_path: str) -> int:
    """Return a JSON value as an index into a list of `count` entries called `of`."""
    i = integer(value, json_path)
    if not 0 <= i < count:
        raise out_of_range(of, i, count, json_path)
    return i


def out_of_range(of: str, got: int, count: int, where: str) -> AvatarError:
    """Return the error for an index that is not in a list of `count` entries called `of`."""
    allowed = f"0 to {count - 1}" if count else f"nothing, the file has no {of}"
    return AvatarError(f"index into {of} is out of range", got=got, allowed=allowed, where=where)


def unique(values: Iterable[int]) -> tuple[int, ...]:
    """Return the values in order of first appearance, without repetitions."""
    return tuple(dict.fromkeys(values))


def parse_json(data: bytes, limits: Limits, oddities: Oddities | None = None) -> JsonObject:
    """Parse the JSON chunk and return its root object.

    oddities: collects the oddities of everything that is read from the object. Nesting and number of values are
    checked on the bytes before parsing, so that a hostile chunk (whose size container.py has checked) can neither
    exhaust the parser's stack nor expand into too many objects.
    """
    _check_size(data, limits)
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
        if _SURROGATE.search(data):  # half a character, which no terminal, log or JSON Lines file can take
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except UnicodeDecodeError as e:
        raise AvatarError("JSON is not valid UTF-8", where=f"JSON chunk, byte {e.start}") from e
    except (json.JSONDecodeError, RecursionError) as e:
        place = f", line {e.lineno} column {e.colno}" if isinstance(e, json.JSONDecodeError) else ""
        reason = e.msg if isinstance(e, json.JSONDecodeError) else "nested too deeply"
        raise AvatarError(f"JSON does not parse: {reason}", where=f"JSON chunk{place}") from e
    except ValueError as e:  # an integer with more digits than Python converts
        raise AvatarError(f"JSON does not parse: {e}", where="JSON chunk") from e
    return JsonObject(value, oddities=oddities)


def _refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python's parser would accept."""
    raise AvatarError("JSON has a number that is not one", got=name, where="JSON chunk")


def _check_size(data: bytes, limits: Limits) -> None:
    """Raise AvatarError where the JSON has too many values or is nested too deeply, without parsing it."""
    unescaped = re.sub(rb"\\.", b"", data, flags=re.DOTALL) if b"\\" in data else data
    values = depth = deepest = 0
    inside_string = False
    for start in range(0, len(unescaped), _BLOCK):
        block = np.frombuffer(unescaped, np.uint8, min(_BLOCK, len(unescaped) - start), start)
        quotes = np.cumsum(block == ord('"'), dtype=np.int32) + inside_string
        outside = quotes % 2 == 0
        opens = ((block == ord("[")) | (block == ord("{"))) & outside
        closes = ((block == ord("]")) | (block == ord("}"))) & outside
        levels = depth + np.cumsum(opens.view(np.int8) - closes.view(np.int8), dtype=np.int32)
        values += int(np.count_nonzero(opens)) + int(np.count_nonzero((block == ord(",")) & outside))
        deepest = max(deepest, int(levels.max()))
        depth, inside_string = int(levels[-1]), bool(quotes[-1] % 2)
    if values > limits.json_values:
        raise AvatarError(
            "JSON has too many values", got=values, allowed=f"at most {limits.json_values}", where="JSON chunk"
        )
    if deepest > limits.json_depth:
        raise AvatarError(
            "JSON is nested too deeply", got=f"{deepest} levels", allowed=limits.json_depth, where="JSON chunk"
        )


def _summary(value: object) -> str:
    """Return a short form of a JSON value for messages; never the repr of a huge one."""
    if isinstance(value, dict | list):
        kind = "an object" if isinstance(value, dict) else "a list"
        return f"{kind} of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**30:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, float) and not math.isfinite(value):
        return "a number too large to hold"
    if isinstance(value, str):
        return repr(value[:80])
    return repr(value)
