"""Checks of single values: each returns the value in its plain form or raises an error with its name.

Every check takes the value and `name`, its path inside the shot ("camera.near"), and raises ShotError.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from vrm_synth.core.errors import ShotError
from vrm_synth.core.names import is_control_free
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.core.vectors import Vec3, Vec4

T = TypeVar("T")
LARGEST = sys.float_info.max
ID = re.compile(r"[A-Za-z0-9_.-]{1,200}")  # names a shot, and its files


def mapping(value: object, name: str) -> Mapping[str, Any]:
    """A JSON object."""
    if not isinstance(value, Mapping) or any(not isinstance(k, str) for k in value):
        raise ShotError("not an object", got=value, allowed="{name: value, …}", where=name)
    return value


def keys(value: Mapping[str, Any], allowed: Iterable[str], required: Iterable[str], name: str) -> None:
    """No key but the allowed ones, and all of the required ones."""
    allowed = tuple(allowed)
    for key in value:
        if key not in allowed:
            message = f"unknown key{did_you_mean(key, allowed)}"
            raise ShotError(message, got=key, allowed=", ".join(allowed), where=name or None)
    for key in required:
        if key not in value:
            raise ShotError(f"missing key {key}", allowed=", ".join(allowed), where=name or None)


def number(value: object, name: str, low: float = -LARGEST, high: float = LARGEST, *, above: bool = False) -> float:
    """A finite number in [low, high], or in (low, high] with `above`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ShotError("not a number", got=value, allowed=_span(low, high, above), where=name)
    try:
        out = float(value)
    except OverflowError:
        out = math.inf
    if not math.isfinite(out) or out < low or out > high or (above and out == low):
        raise ShotError("out of range", got=value, allowed=_span(low, high, above), where=name)
    return out


def whole(value: object, name: str, low: int, high: int) -> int:
    """A whole number in [low, high]; 512.0, as JSON may spell it, is whole."""
    out = number(value, name, low, high)
    if out != int(out):
        raise ShotError("not a whole number", got=value, allowed=_span(low, high, False), where=name)
    return int(out)


def flag(value: object, name: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ShotError("not a flag", got=value, allowed="true or false", where=name)
    return value


def one_of(value: object, name: str, allowed: Iterable[str]) -> Any:
    """One of some names."""
    allowed = tuple(allowed)
    if value not in allowed:
        raise ShotError(
            f"unknown name{did_you_mean(value, allowed)}", got=value, allowed=", ".join(allowed), where=name
        )
    return value


def text(value: object, name: str, longest: int = 4096) -> str:
    """A string that is plain (core.names)."""
    if not isinstance(value, str) or not is_control_free(value, longest):
        raise ShotError("not a plain string", got=value, allowed=f"1 to {longest} printable characters", where=name)
    return value


def vector(value: object, name: str, n: int, low: float = -LARGEST, high: float = LARGEST) -> tuple[float, ...]:
    """n finite numbers, each in [low, high]."""
    if not isinstance(value, list | tuple) or len(value) != n:
        raise ShotError(f"not {n} numbers", got=value, allowed=f"[{', '.join('xyzw'[:n])}]", where=name)
    for v in value:
        if type(v) is not float or not low <= v <= high:
            return tuple(number(v, f"{name}[{i}]", low, high) for i, v in enumerate(value))
    return tuple(value)  # the same without a name for each: a third of a shot's reading


def point(value: object, name: str, reach: float = 1e4) -> Vec3:
    """A point or offset, metres; ten kilometres from the origin float32 still holds a millimetre."""
    x, y, z = vector(value, name, 3, -reach, reach)
    return x, y, z


def direction(value: object, name: str) -> Vec3:
    """A vector with a length; the length itself does not count."""
    x, y, z = vector(value, name, 3, -1e4, 1e4)
    if math.hypot(x, y, z) < 1e-6:
        raise ShotError("a direction needs a length", got=value, allowed="a vector longer than 1e-6", where=name)
    return x, y, z


def quaternion(value: object, name: str) -> Vec4:
    """A unit quaternion (x, y, z, w), to 1e-3; kept digit for digit."""
    x, y, z, w = vector(value, name, 4)
    length = math.hypot(x, y, z, w)
    if abs(length - 1) > 1e-3:
        raise ShotError(
            f"a rotation of length {length:.6g}", got=value, allowed="[x, y, z, w] of length 1 ± 0.001", where=name
        )
    return x, y, z, w


def color(value: object, name: str, high: float = 1.0) -> Vec3:
    """Red, green, blue, each in [0, high]."""
    r, g, b = vector(value, name, 3, 0.0, high)
    return r, g, b


def optional(value: object, name: str, check: Callable[[Any, str], T]) -> T | None:
    """None as it is, anything else through `check`."""
    return None if value is None else check(value, name)


def _span(low: float, high: float, above: bool) -> str:
    if low == -LARGEST and high == LARGEST:
        return "a finite number"
    return f"a number {'above' if above else 'from'} {low:g}" + ("" if high == LARGEST else f" to {high:g}")
