"""The render id: a hash of the data that pictures and captions follow from, beside recipe, avatars and renderer.

Two versions of vrm-synth with equal ids draw the same shots from a recipe, unless code changed, for which
`__version__` is raised (docs/architecture.md). Claiming a folder, `verify --repair` and `verify --redraw` compare it,
so that one dataset never holds pictures of two versions.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from vrm_synth.core.errors import DatasetError
from vrm_synth.io.atomic_files import to_json
from vrm_synth.io.store import Store
from vrm_synth.yaml_models import resources

RENDER_ID = "render_id"  # keys of dataset.json
RENDER_PARTS = "render_parts"
MIXED = "mixed"  # the id of a dataset that was derived from datasets of several ids
_PACKAGE = Path(__file__).resolve().parents[2]
# Modules whose upper-case constants decide what a shot of a recipe is, how it is posed and what its caption says. The
# names of modules and constants, those that a module imports, too, are hashed: renaming one gives another id.
_CONSTANTS = (
    "camera.framing",
    "dataset.image_checks",
    "dataset.render_task",
    "pose.springs",
    "passes.conditioning",
    "passes.pass_files",
    "shot.body_parts",
    "shot.body_view",
    "shot.planner",
    "shot.recipe",
    "stage.backgrounds",
    "stage.light_setups",
)
# Packages of which every module counts that has such constants.
_WHOLE = ("appearance", "caption", "facts")


@functools.cache
def render_parts() -> Mapping[str, str]:
    """Part → its hash, 16 hexadecimal digits: shaders, poses, cameras, wording, constants."""
    shaders = _PACKAGE / "render" / "gl" / "shaders"
    words = [path for name in _WHOLE for path in (_PACKAGE / name).rglob("*") if path.suffix != ".py"]
    return {
        "shaders": _hash_files(shaders, shaders.rglob("*")),
        "poses": _hash_files(resources.folder("poses"), resources.folder("poses").rglob("*.yaml")),
        "cameras": _hash_files(resources.folder("cameras"), resources.folder("cameras").rglob("*.yaml")),
        "wording": _hash_files(_PACKAGE, words),
        "constants": _hash(to_json({name: c for name in _modules() if (c := _constants(name))}).encode()),
    }


def render_id(parts: Mapping[str, str] | None = None) -> str:
    """The hash over all parts, by default of this version; 16 hexadecimal digits."""
    return _hash(to_json(dict(sorted((render_parts() if parts is None else parts).items()))).encode())


def check_render_id(store: Store, identity: Mapping[str, Any]) -> None:
    """Raise DatasetError where the pictures of a dataset were drawn with other data than this version has.

    identity: the content of its dataset.json.
    """
    if difference := render_difference(identity):
        raise DatasetError(
            "this version draws other pictures than the folder has",
            got=difference,
            allowed=f"the vrm-synth that began it ({identity['vrm_synth']}), or a new folder",
            where=str(store),
        )


def render_difference(identity: Mapping[str, Any]) -> str:
    """Difference between a dataset's render id and this version's ("other shaders, poses"); "" where there is none."""
    if identity.get(RENDER_ID) == render_id():
        return ""
    recorded, current = identity.get(RENDER_PARTS), render_parts()
    if not isinstance(recorded, dict):
        return "no render_id" if RENDER_ID not in identity else f"render_id {identity[RENDER_ID]}"
    changed = [name for name in current if recorded.get(name) != current[name]]
    return f"other {', '.join(changed)}" if changed else f"render_id {identity.get(RENDER_ID)}"


def _hash_files(root: Path, files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(p for p in files if p.is_file() and "__pycache__" not in p.parts):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:16]


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _modules() -> list[str]:
    """Names of the modules whose constants count."""
    return [*_CONSTANTS, *(f"{p}.{m.name}" for p in _WHOLE for m in pkgutil.iter_modules([str(_PACKAGE / p)]))]


def _constants(name: str) -> dict[str, Any]:
    """The upper-case constants of a module that are plain data, as JSON has it."""
    module = importlib.import_module(f"vrm_synth.{name}")
    plain = {key: _plain(value) for key, value in vars(module).items() if key.isupper()}
    return {key: value for key, value in sorted(plain.items()) if value is not None}


def _plain(value: object) -> Any:
    """A value as JSON has it; None for what is no data."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, set | frozenset):
        return sorted(str(v) for v in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict | MappingProxyType):  # no cache, such as a WeakKeyDictionary
        return {str(k): _plain(v) for k, v in value.items()}
    return None
