"""A model folder's files: found, hashed, and none of them opened that could be code."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from vrm_synth.core.errors import ModelError

PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
VARIANTS = ("fp32", "fp16", "bf16")  # the more exact first
# model.fp16.safetensors, model.fp16-00001-of-00002.safetensors, model.safetensors.index.fp16.json
_VARIANT = re.compile(r"\.(\w+)(?:-\d+-of-\d+)?\.safetensors$|\.safetensors\.index\.(\w+)\.json$")
LONGEST_JSON = 64 << 20  # bytes; a shard index of a large model has some hundred kilobytes


def sha256(file: Path) -> str:
    """Of a file's bytes. Raises ModelError."""
    try:
        with file.open("rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest()
    except OSError as e:
        raise ModelError(f"cannot be read ({e.strerror})", where=file) from e


def read_json(file: Path) -> dict[str, Any]:
    """An object. Raises ModelError."""
    try:
        if file.stat().st_size > LONGEST_JSON:
            raise ModelError("file is too long", got=file.stat().st_size, allowed=LONGEST_JSON, where=file)
        found = json.loads(file.read_bytes())
    except OSError as e:
        raise ModelError(f"cannot be read ({e.strerror})", where=file) from e
    except (ValueError, RecursionError) as e:
        raise ModelError("not JSON", got=str(e), where=file) from e
    if not isinstance(found, dict):
        raise ModelError("not a JSON object", got=type(found).__name__, where=file)
    return found


@dataclass(frozen=True)
class Weights:
    """A component's safetensors, and the index that names them where there are several.

    variant: what stands in their names for another precision or kind, such as fp16; None in the plain ones.
    """

    files: tuple[Path, ...]
    variant: str | None

    def plain_name(self, name: str) -> str:
        """A file's name as it is without the variant."""
        return name if self.variant is None else name.replace(f".{self.variant}", "", 1)


def weights(folder: Path) -> Weights:
    """The plain ones, which diffusers reads, or where there are none another variant.

    Raises ModelError where there are none, and says how to convert a pickle where there is one.
    """
    found: dict[str | None, list[Path]] = {}
    for path in sorted(folder.glob("*.safetensors*")):
        if path.suffix in (".safetensors", ".json"):
            named = _VARIANT.search(path.name)
            found.setdefault(named and next(filter(None, named.groups())), []).append(path)
    for variant in (None, *VARIANTS, *sorted(filter(None, found))):
        if any(p.suffix == ".safetensors" for p in found.get(variant, ())):
            return Weights(tuple(found[variant]), variant)
    pickles = sorted(p.name for p in folder.glob("*") if p.suffix in PICKLES) if folder.is_dir() else []
    if pickles:
        how = "safetensors; vrm-synth import-weights converts it"
        raise ModelError("weights are a pickle, which can run code", got=pickles[0], allowed=how, where=folder)
    raise ModelError("no weights", allowed="safetensors", where=folder)


def tensors(file: Path) -> dict[str, tuple[int, ...]]:
    """Name → shape of a .safetensors file, from its header. Raises ModelError."""
    try:
        with safe_open(str(file), framework="pt") as f:
            return {k: tuple(f.get_slice(k).get_shape()) for k in f.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as e:
        raise ModelError("not safetensors", got=str(e), where=file) from e
