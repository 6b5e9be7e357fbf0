"""Read YAML into pydantic models, with the line in every error.

Plain YAML only: no aliases (a few lines of them can expand to gigabytes), no merge keys, no tags, no duplicate keys,
and limits on depth and size far above what people write by hand.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from vrm_synth.core.errors import RecipeError
from vrm_synth.core.format_version import check_format
from vrm_synth.core.near_names import did_you_mean

M = TypeVar("M", bound=BaseModel)
KeyPath = tuple[str | int, ...]

if typing.TYPE_CHECKING:
    Loader = type[yaml.SafeLoader] | type[yaml.CSafeLoader]
# libyaml's parser where PyYAML has it (its wheels do): ten times as fast, and every run reads 75 files of presets.
FASTEST_LOADER: Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
MAX_FILE_BYTES = 1_000_000
FORMAT = 1  # the newest format of recipes, poses, runs and the manifest that this version reads
MAX_DEPTH = 20


class RefusedError(ValueError):
    """An error of a model's own validator.

    what: the rule that was broken. allowed: what would be accepted. at: path below the validated value.
    """

    def __init__(self, what: str, allowed: str = "", at: KeyPath = ()):
        super().__init__(what)
        self.what, self.allowed, self.at = what, allowed, at


def load(path: Path, model: type[M], **context: Any) -> M:
    """The file as a `model`. Raises RecipeError: "file.yaml:12: key: what; got …; allowed: …".

    context: handed to the model's validators.
    """
    return parse(read(path), model, str(path), **context)


def read(path: Path) -> str:
    """The text of a YAML file. Raises RecipeError where it cannot be read, is too long or is not UTF-8."""
    try:
        with path.open("rb") as f:
            data = f.read(MAX_FILE_BYTES + 1)
    except OSError as e:
        raise RecipeError(f"cannot be read ({e.strerror})", where=path) from None
    if len(data) > MAX_FILE_BYTES:
        raise RecipeError("too long", allowed=f"up to {MAX_FILE_BYTES} bytes", where=path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise RecipeError("not UTF-8", where=f"{path}:{data[: e.start].count(10) + 1}") from None


def parse(text: str, model: type[M], where: str, changes: Mapping[str, Any] | None = None, **context: Any) -> M:
    """YAML text as a `model`; `where` names it in errors; changes: keys that count instead of the text's own.

    Every file may say `format: N` at its top, the number of the format that it is written in; without it N is 1.
    Raises RecipeError.
    """
    data, lines = _plain(text, where)
    if not isinstance(data, dict):
        raise RecipeError("not a mapping", got=data, allowed=", ".join(_keys(model)), where=f"{where}:1")
    if "format" not in model.model_fields:
        check_format(data.pop("format", None), FORMAT, f"{where}:{lines.get(('format',), 1)}", RecipeError)
    changes = changes or {}
    own = {path: line for path, line in lines.items() if not path or path[0] not in changes}
    return _validated({**data, **changes}, own, model, where, **context)


def check(data: Mapping[str, Any], model: type[M], where: str, **context: Any) -> M:
    """Plain values that come from no file as a `model`; `where` names their origin in errors. Raises RecipeError."""
    return _validated(data, {}, model, where, **context)


def _validated(data: Mapping[str, Any], lines: dict[KeyPath, int], model: type[M], where: str, **context: Any) -> M:
    try:
        return model.model_validate(data, context=context or None)
    except ValidationError as e:
        raise _first_error(e, model, data, lines, where) from None


def _plain(text: str, where: str) -> tuple[Any, dict[KeyPath, int]]:
    """The data, and the line of every key and item by its path."""
    try:
        try:
            return _read(text, where, FASTEST_LOADER)
        except yaml.YAMLError:  # told in the same words everywhere, with the line that it is about
            return _read(text, where, yaml.SafeLoader)
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        at = f"{where}:{mark.line + 1}" if mark else where
        raise RecipeError(f"not YAML: {e.problem or e.context}", where=at) from None
    except yaml.YAMLError as e:
        raise RecipeError(f"not YAML: {' '.join(str(e).split())}", where=where) from None


def _read(text: str, where: str, loader: Loader) -> tuple[Any, dict[KeyPath, int]]:
    for depth, event in _events(text, loader):
        line = f"{where}:{event.start_mark.line + 1}" if event.start_mark else where
        anchor = getattr(event, "anchor", None)  # an alias has one too
        if anchor is not None:
            raise RecipeError("anchors and aliases are not read", got=anchor, where=line)
        if depth > MAX_DEPTH:
            raise RecipeError("nested too deeply", allowed=f"{MAX_DEPTH} levels", where=line)
    node = yaml.compose(text, Loader=loader)
    if node is None:
        return None, {}
    lines: dict[KeyPath, int] = {}
    return _construct(node, (), lines, where), lines


def _events(text: str, loader: Loader) -> Iterator[tuple[int, yaml.Event]]:
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        yield depth, event
        depth -= isinstance(event, yaml.CollectionEndEvent)


def _construct(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], where: str) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if not isinstance(node, yaml.ScalarNode) and node.tag not in ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
        raise RecipeError(
            "not plain YAML", got=node.tag, allowed="no tags", where=f"{where}:{node.start_mark.line + 1}"
        )
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
    try:
        return yaml.constructor.SafeConstructor().construct_object(node, deep=True)
    except ValueError as e:  # a date or number that YAML's grammar takes and Python does not
        raise RecipeError(f"not YAML: {e}", got=node.value, where=f"{where}:{node.start_mark.line + 1}") from None


# ---------------------------------------------------------------- pydantic's errors → RecipeError


def _first_error(
    e: ValidationError, model: type[BaseModel], data: Any, lines: dict[KeyPath, int], where: str
) -> RecipeError:
    """The first error, unknown keys before the rest (a misspelt key explains a missing one)."""
    errors = sorted(e.errors(), key=lambda x: x["type"] != "extra_forbidden")
    error = errors[0]
    kind, got, cause = error["type"], error["input"], error.get("ctx", {}).get("error")
    refused = cause if isinstance(cause, RefusedError) else None
    path = _walk(data, (*error["loc"], *(refused.at if refused else ())))
    line = next((f":{lines[path[:n]]}" for n in range(len(path), -1, -1) if path[:n] in lines), "")
    name = _dotted(path)
    at = f"{where}{line}" + (f": {name}" if name else "")
    if refused:
        got = _at(data, path) if refused.at else got
        return RecipeError(refused.what, got=_shown(got), allowed=refused.allowed or None, where=at)
    if kind == "extra_forbidden":
        known = _keys(_model_at(model, path[:-1]))
        what = f"unknown key{did_you_mean(path[-1], known)}"
        return RecipeError(what, got=path[-1], allowed=", ".join(known), where=at)
    if kind == "missing" and isinstance(error["loc"][-1], int):
        return RecipeError("too few values", got=_shown(got), allowed="a value for each place", where=at)
    if kind == "missing":
        what = f"missing key {error['loc'][-1]}"
        return RecipeError(what, allowed=", ".join(_keys(_model_at(model, path))), where=at)
    if kind in _EXPECTED_SHAPES:
        return RecipeError("not allowed", got=_shown(got), allowed=_EXPECTED_SHAPES[kind](model, path, error), where=at)
    what, _, allowed = error["msg"].partition(" should ")
    allowed = allowed.removeprefix("be ")
    return RecipeError("not allowed" if allowed else what, got=_shown(got), allowed=allowed or None, where=at)


# pydantic's messages about shapes name Python's types; the writer of a recipe knows YAML's.
_EXPECTED_SHAPES: Mapping[str, Callable[[type[BaseModel], KeyPath, Any], str]] = {
    "tuple_type": lambda model, path, error: "a list",
    "list_type": lambda model, path, error: "a list",
    "dict_type": lambda model, path, error: "a mapping, key: value",
    "model_type": lambda model, path, error: f"a mapping of {', '.join(_keys(_model_at(model, path)))}",
    "too_short": lambda model, path, error: f"at least {error['ctx']['min_length']}",
    "too_long": lambda model, path, error: f"at most {error['ctx']['max_length']}",
    "missing_argument": lambda model, path, error: "a list",
}


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str) else str(value)


def _at(data: Any, path: KeyPath) -> Any:
    for step in path:
        data = data[step]
    return data


def _walk(data: Any, loc: tuple[int | str, ...]) -> KeyPath:
    """loc without the parts that are pydantic's own (names of union members)."""
    path: list[str | int] = []
    for step in loc:
        inside = range(len(data)) if isinstance(data, list) else data if isinstance(data, dict) else ()
        if step in inside:
            data = data[step]
            path.append(step)
    return tuple(path)


def _dotted(path: KeyPath) -> str:
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".")


def _model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel]:
    """The model that reads the mapping at `path`."""
    for step in path:
        fields = {f.alias or name: f for name, f in model.model_fields.items()}
        field = fields.get("root") or fields.get(str(step))
        if field is not None:
            model = _model_in(field.annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for a in typing.get_args(annotation) if (m := _model_in(a))), None)


def _keys(model: type[BaseModel]) -> list[str]:
    return [f.alias or name for name, f in model.model_fields.items()]
