"""Reading strangers' JSON: every value is asked for with its type and place, or refused by name."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np

from vrm_synth.core.errors import AvatarError
from vrm_synth.gltf.container import Oddities
from vrm_synth.gltf.limits import Limits

T = TypeVar("T", bound=str)

# Larger numbers than this mean nothing in an avatar and would overflow float32 arithmetic further on.
HUGE = 1e9

_BLOCK = 2**20  # bytes of JSON looked at together, which bounds the memory of looking
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Fields:
    """A JSON object together with its place in the file ("nodes[3].extensions").

    Absent and null are the same, as exporters write both. Every reader raises AvatarError with the
    value's own place where the value is of the wrong type, not finite, or out of range.

    An index of −1 is "none", which exporters write where a field should be absent: an optional index is None then,
    a member of a list of indices is left out, and an entry that cannot be without its index is left out by the
    caller (`entry_index`). Each is an oddity in `notes`. Where nothing can be left out (`need_index`), and for any
    other index out of range, the file is refused.
    """

    __slots__ = ("data", "notes", "path")

    def __init__(self, data: Any, path: str = "", notes: Oddities | None = None):
        if not isinstance(data, dict):
            wrong(path or "the JSON", "must be an object", data)
        self.data: dict[str, Any] = data
        self.path = path
        self.notes = Oddities() if notes is None else notes

    def at(self, key: str) -> str:
        """The place of one of this object's values."""
        key = key if len(key) <= 60 else key[:59] + "…"
        return f"{self.path}.{key}" if self.path else key

    def has(self, key: str) -> bool:
        """Whether the value is there and not null."""
        return self.data.get(key) is not None

    def need(self, key: str) -> Any:
        """The value, which must be there."""
        value = self.data.get(key)
        if value is None:
            raise AvatarError("required value is missing", where=self.at(key))
        return value

    def child(self, key: str) -> Fields | None:
        """The object under key, or None."""
        value = self.data.get(key)
        return None if value is None else Fields(value, self.at(key), self.notes)

    def child_or_empty(self, key: str) -> Fields:
        """The object under key, empty where it is absent."""
        return self.child(key) or Fields({}, self.at(key), self.notes)

    def extension(self, name: str) -> Fields | None:
        """This object's glTF extension of that name, or None."""
        extensions = self.child("extensions")
        return None if extensions is None else extensions.child(name)

    def values(self, key: str) -> list[Any]:
        """The list under key, empty where absent."""
        value = self.data.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            wrong(self.at(key), "must be a list", value)
        return value

    def children(self, key: str, limit: int) -> list[Fields]:
        """The list of objects under key, at most `limit` of them."""
        values = self.values(key)
        if len(values) > limit:
            raise AvatarError("too many entries", got=len(values), allowed=f"at most {limit}", where=self.at(key))
        return [Fields(v, f"{self.at(key)}[{i}]", self.notes) for i, v in enumerate(values)]

    def text(self, key: str, default: str = "") -> str:
        """A string."""
        value = self.data.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            wrong(self.at(key), "must be a string", value)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        values = self.values(key)
        for i, value in enumerate(values):
            if not isinstance(value, str):
                wrong(f"{self.at(key)}[{i}]", "must be a string", value)
        return tuple(values)

    def choice(self, key: str, allowed: Sequence[T], default: T) -> T:
        """One of a few strings."""
        value = self.data.get(key)
        if value is None:
            return default
        for option in allowed:
            if value == option:
                return option
        raise AvatarError("unknown value", got=_show(value), allowed=", ".join(allowed), where=self.at(key))

    def flag(self, key: str, default: bool = False) -> bool:
        """A boolean."""
        value = self.data.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            wrong(self.at(key), "must be true or false", value)
        return value

    def number(self, key: str, default: float) -> float:
        """A finite number."""
        value = self.data.get(key)
        return default if value is None else number(value, self.at(key))

    def vector(self, key: str, default: tuple[float, ...]) -> tuple[float, ...]:
        """A list of as many finite numbers as `default` has; longer lists (an alpha after RGB) are cut."""
        value = self.data.get(key)
        return default if value is None else vector(value, len(default), self.at(key))

    def xyz(self, key: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
        """VRM 0.x's {"x", "y", "z"}; an absent component is 0."""
        value = self.child(key)
        if value is None:
            return default
        return value.number("x", 0.0), value.number("y", 0.0), value.number("z", 0.0)

    def integer(self, key: str, default: int) -> int:
        """A whole number."""
        value = self.data.get(key)
        return default if value is None else integer(value, self.at(key))

    def names_none(self, key: str, *, entry: bool = False) -> bool:
        """Whether an index is −1, "none", which is an oddity. entry: the whole object is left out for it."""
        if not is_none(self.data.get(key)):
            return False
        self.notes.add_alike(self.at(key), "is -1 (none); its entry is left out" if entry else "is -1, taken as none")
        return True

    def index(self, key: str, count: int, of: str, *, usual: bool = False) -> int | None:
        """An index into a list of `count` entries called `of`; None where it is absent or −1.

        usual: −1 is the format's own habit here, and no oddity.
        """
        value = self.data.get(key)
        if value is None or (usual and is_none(value)) or self.names_none(key):
            return None
        return index(value, count, of, self.at(key))

    def need_index(self, key: str, count: int, of: str) -> int:
        """An index that must be there."""
        return index(self.need(key), count, of, self.at(key))

    def entry_index(self, key: str, count: int, of: str) -> int | None:
        """An index that must be there; None where it is −1, and the entry that has it is to be left out."""
        value = self.need(key)
        return None if self.names_none(key, entry=True) else index(value, count, of, self.at(key))

    def indices(self, key: str, count: int, of: str) -> tuple[int, ...]:
        """A list of indices into a list of `count` entries called `of`; members that are −1 are left out."""
        out: list[int] = []
        for i, value in enumerate(self.values(key)):
            place = f"{self.at(key)}[{i}]"
            if is_none(value):
                self.notes.add_alike(place, "is -1 (none); it is left out")
            else:
                out.append(index(value, count, of, place))
        return tuple(out)


def wrong(place: str, rule: str, value: object) -> NoReturn:
    """Refuse a value of the wrong type, showing what it is."""
    raise AvatarError(rule, got=_show(value), where=place)


def number(value: Any, place: str) -> float:
    """A finite number of sensible size."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        wrong(place, "must be a number", value)
    if not -HUGE <= value <= HUGE:  # also catches NaN, infinities and integers that no float can hold
        raise AvatarError("number out of bounds", got=_show(value), allowed=f"±{HUGE:g}", where=place)
    return float(value)


def vector(value: Any, length: int, place: str) -> tuple[float, ...]:
    """A tuple of `length` finite numbers from a list at least that long."""
    if not isinstance(value, list) or len(value) < length:
        wrong(place, f"must be a list of {length} numbers", value)
    return tuple(number(v, f"{place}[{i}]") for i, v in enumerate(value[:length]))


def integer(value: Any, place: str) -> int:
    """A whole number; 3.0 is one, true is not."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        wrong(place, "must be an integer", value)
    if abs(value) > 2**53:
        raise AvatarError("integer out of bounds", got=_show(value), allowed="±2^53", where=place)
    return value


def is_none(value: object) -> bool:
    """Whether an index is −1, which exporters write for "none"."""
    return isinstance(value, int | float) and value == -1


def index(value: Any, count: int, of: str, place: str) -> int:
    """An index into a list of `count` entries called `of`."""
    i = integer(value, place)
    if not 0 <= i < count:
        raise out_of_range(of, i, count, place)
    return i


def out_of_range(of: str, got: int, count: int, where: str) -> AvatarError:
    """The refusal of an index into a list of `count` entries called `of`."""
    allowed = f"0 to {count - 1}" if count else f"nothing, the file has no {of}"
    return AvatarError(f"index into {of} is out of range", got=got, allowed=allowed, where=where)


def unique(values: Iterable[int]) -> tuple[int, ...]:
    """The values in order, without repetitions."""
    return tuple(dict.fromkeys(values))


def parse_json(data: bytes, limits: Limits, notes: Oddities | None = None) -> Fields:
    """The JSON chunk's root object; `notes` takes the oddities of what is read from it.

    Nesting and number of values are checked on the bytes before parsing, so that a hostile chunk (whose size
    glb.py has checked) can neither exhaust the parser's stack nor blow up into objects.
    """
    _check_shape(data, limits)
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
    return Fields(value, notes=notes)


def _refuse_constant(name: str) -> NoReturn:
    raise AvatarError("JSON has a number that is not one", got=name, where="JSON chunk")


def _check_shape(data: bytes, limits: Limits) -> None:
    plain = re.sub(rb"\\.", b"", data, flags=re.DOTALL) if b"\\" in data else data
    values = depth = deepest = 0
    inside_string = False
    for start in range(0, len(plain), _BLOCK):
        block = np.frombuffer(plain, np.uint8, min(_BLOCK, len(plain) - start), start)
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


def _show(value: object) -> str:
    """A short picture of a JSON value; never the repr of a huge one."""
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
