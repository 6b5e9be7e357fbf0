"""YAML into a pydantic model, where every complaint names its line.

Plain YAML only: no aliases (a few lines of them can stand for gigabytes), no merge keys, no tags, no key
twice, no depth or size that nobody writes by hand.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from vrm_synth.core.errors import RecipeError

M = TypeVar("M", bound=BaseModel)
Path_ = tuple[str | int, ...]

LONGEST_FILE = 1_000_000
DEEPEST = 20


class RefusedError(ValueError):
    """Raised by a model's own validator: what is wrong, and what would have been right."""

    def __init__(self, what: str, allowed: str = ""):
        super().__init__(what)
        self.what, self.allowed = what, allowed


def load(path: Path, model: type[M], **context: Any) -> M:
    """The file as a `model`. Raises RecipeError: "file.yaml:12: key: what; got …; allowed: …".

    context: handed to the model's validators.
    """
    try:
        with path.open("rb") as f:
            data = f.read(LONGEST_FILE + 1)
    except OSError as e:
        raise RecipeError(f"cannot be read ({e.strerror})", where=path) from None
    if len(data) > LONGEST_FILE:
        raise RecipeError("too long", allowed=f"up to {LONGEST_FILE} bytes", where=path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise RecipeError("not UTF-8", where=f"{path}:{data[: e.start].count(10) + 1}") from None
    return parse(text, model, str(path), **context)


def parse(text: str, model: type[M], where: str, **context: Any) -> M:
    """YAML text as a `model`; `where` names it in errors. Raises RecipeError."""
    data, lines = _plain(text, where)
    if not isinstance(data, dict):
        raise RecipeError("not a mapping", got=data, allowed=_names(model), where=f"{where}:1")
    try:
        return model.model_validate(data, context=context or None)
    except ValidationError as e:
        raise _first(e, model, data, lines, where) from None


def _plain(text: str, where: str) -> tuple[Any, dict[Path_, int]]:
    """The data, and the line of every key and item by its path."""
    try:
        for depth, event in _events(text):
            line = f"{where}:{event.start_mark.line + 1}" if event.start_mark else where
            anchor = getattr(event, "anchor", None)  # an alias has one too
            if anchor is not None:
                raise RecipeError("anchors and aliases are not read", got=anchor, where=line)
            if depth > DEEPEST:
                raise RecipeError("nested too deeply", allowed=f"{DEEPEST} levels", where=line)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return None, {}
        lines: dict[Path_, int] = {}
        return _construct(node, (), lines, where), lines
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        at = f"{where}:{mark.line + 1}" if mark else where
        raise RecipeError(f"not YAML: {e.problem or e.context}", where=at) from None
    except (yaml.YAMLError, ValueError) as e:  # ValueError: a date or number that the format names and Python lacks
        raise RecipeError(f"not YAML: {' '.join(str(e).split())}", where=where) from None


def _events(text: str) -> Iterator[tuple[int, yaml.Event]]:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        yield depth, event
        depth -= isinstance(event, yaml.CollectionEndEvent)


def _construct(node: yaml.Node, path: Path_, lines: dict[Path_, int], where: str) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        out: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key, line = _scalar(key_node, where), key_node.start_mark.line + 1
            if not isinstance(key, str | int) or key_node.tag == "tag:yaml.org,2002:merge":
                raise RecipeError("not a key", got=key, allowed="a name", where=f"{where}:{line}")
            key = str(key)
            if key in out:
                raise RecipeError("the same key twice", got=key, where=f"{where}:{line}")
            lines[(*path, key)] = line
            out[key] = _construct(value_node, (*path, key), lines, where)
        return out
    if isinstance(node, yaml.SequenceNode):
        return [_construct(n, (*path, i), lines, where) for i, n in enumerate(node.value)]
    return _scalar(node, where)


def _scalar(node: yaml.Node, where: str) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        raise RecipeError("not a key", allowed="a name", where=f"{where}:{node.start_mark.line + 1}")
    if node.tag == "tag:yaml.org,2002:merge":
        return node.value
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node, deep=True)
    finally:
        loader.dispose()


# ---------------------------------------------------------------- pydantic's complaint → ours


def _first(e: ValidationError, model: type[BaseModel], data: Any, lines: dict[Path_, int], where: str) -> RecipeError:
    """The first complaint, unknown keys before the rest (a misspelt key explains a missing one)."""
    errors = sorted(e.errors(), key=lambda x: x["type"] != "extra_forbidden")
    error = errors[0]
    path = _walk(data, error["loc"])
    line = next(lines[path[:n]] for n in range(len(path), -1, -1) if path[:n] in lines)
    name = _dotted(path)
    at = f"{where}:{line}" + (f": {name}" if name else "")
    kind, got = error["type"], error["input"]
    if kind == "extra_forbidden":
        known = list(_model_at(model, path[:-1]).model_fields)
        near = difflib.get_close_matches(str(path[-1]), known, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return RecipeError(f"unknown key{hint}", got=path[-1], allowed=", ".join(known), where=at)
    if kind == "missing":
        return RecipeError(f"missing key {error['loc'][-1]}", allowed=_names(_model_at(model, path)), where=at)
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, RefusedError):
        return RecipeError(cause.what, got=got, allowed=cause.allowed or None, where=at)
    what, _, allowed = error["msg"].partition("should be ")
    return RecipeError("not allowed" if allowed else what, got=got, allowed=allowed or None, where=at)


def _walk(data: Any, loc: tuple[int | str, ...]) -> Path_:
    """loc without the parts that are pydantic's own (names of union members)."""
    path: list[str | int] = []
    for step in loc:
        inside = range(len(data)) if isinstance(data, list) else data if isinstance(data, dict) else ()
        if step in inside:
            data = data[step]
            path.append(step)
    return tuple(path)


def _dotted(path: Path_) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".")


def _model_at(model: type[BaseModel], path: Path_) -> type[BaseModel]:
    """The model that reads the mapping at `path`."""
    for step in path:
        field = model.model_fields.get(step) if isinstance(step, str) else None
        if field is not None:
            model = _model_in(field.annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in typing.get_args(annotation) if (m := _model_in(a))), None)


def _names(model: type[BaseModel]) -> str:
    return ", ".join(model.model_fields)
