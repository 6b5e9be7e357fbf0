"""Flat dataclasses of plain values to JSON and back, each field checked by the type it is declared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from vrm_synth.core.errors import ShotError
from vrm_synth.shot import check

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)

MAX_WHOLE = 2**53  # what every JSON reader keeps exactly


def check_fields(instance: DataclassInstance, where: str) -> None:
    """Check every field and store it in its plain form. where: the dataclass's key in JSON, for errors.

    For a frozen dataclass's `__post_init__`. Raises ShotError with the field's path.
    """
    for f in fields(instance):
        value = _CHECKS[str(f.type)](getattr(instance, f.name), f"{where}.{f.name}")
        object.__setattr__(instance, f.name, value)


def read_fields(cls: type[T], entry: object, where: str) -> T:
    """The dataclass in a JSON object; absent and null keys are at their defaults. Raises ShotError."""
    values = check.mapping(entry, where)
    check.keys(values, [f.name for f in fields(cls)], (), where)
    return cls(**{name: value for name, value in values.items() if value is not None})


def write_fields(instance: DataclassInstance) -> dict[str, Any]:
    """The JSON object of a dataclass: every field, so that all objects of one class have the same keys."""
    values = ((f.name, getattr(instance, f.name)) for f in fields(instance))
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values}


def _text(value: object, where: str) -> str:
    return "" if value == "" else check.text(value, where)


def _texts(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ShotError("not a list of texts", got=value, allowed="[text, …]", where=where)
    return tuple(check.text(v, where) for v in value)


# By annotation, which `from __future__ import annotations` keeps as text.
_CHECKS: Mapping[str, Callable[[Any, str], Any]] = {
    "str": _text,
    "bool": check.flag,
    "int": lambda value, where: check.whole(value, where, 0, MAX_WHOLE),
    "float": check.number,
    "float | None": lambda value, where: check.optional(value, where, check.number),
    "tuple[str, ...]": _texts,
}
