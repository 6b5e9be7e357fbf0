"""Files of a model folder: find, hash and check them, without opening any that could run code."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vrm_synth.core.errors import ModelError

PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
VARIANTS = ("fp32", "fp16", "bf16")  # most precise first
# model.fp16.safetensors, model.fp16-00001-of-00002.safetensors, model.safetensors.index.fp16.json
_VARIANT = re.compile(r"\.(\w+)(?:-\d+-of-\d+)?\.safetensors$|\.safetensors\.index\.(\w+)\.json$")
MAX_JSON_BYTES = 64 << 20  # bytes; a shard index of a large model has some hundred kilobytes


def sha256(file: Path) -> str:
    """SHA-256 of a file's bytes. Raises ModelError."""
    try:
        with file.open("rb") as f:
            return hashlib.file_digest(f, "sha256").hexdigest()
    except OSError as e:
        raise ModelError(f"cannot be read ({e.strerror})", where=file) from e


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object. Raises ModelError."""
    try:
        if file.stat().st_size > MAX_JSON_BYTES:
            raise ModelError("file is too long", got=file.stat().st_size, allowed=MAX_JSON_BYTES, where=file)
        value = json.loads(file.read_bytes())
    except OSError as e:
        raise ModelError(f"cannot be read ({e.strerror})", where=file) from e
    except (ValueError, RecursionError) as e:
        raise ModelError("not JSON", got=str(e), where=file) from e
    if not isinstance(value, dict):
        raise ModelError("not a JSON object", got=type(value).__name__, where=file)
    return value


@dataclass(frozen=True)
class WeightFiles:
    """The safetensors files of a component.

    files: the files, and their index where there are several.
    variant: suffix in their names for another precision, such as "fp16"; None without a suffix.
    """

    files: tuple[Path, ...]
    variant: str | None

    def without_variant(self, name: str) -> str:
        """A file's name without its variant: "model.safetensors" for "model.fp16.safetensors"."""
        return name if self.variant is None else name.replace(f".{self.variant}", "", 1)


def find_weights(folder: Path) -> WeightFiles:
    """Find the weights without a variant, which diffusers reads by default, or else those of the most precise variant.

    Raises ModelError where there are none; the message tells how to convert a pickle where there is one.
    """
    by_variant: dict[str | None, list[Path]] = {}
    for path in sorted(folder.glob("*.safetensors*")):
        if path.suffix in (".safetensors", ".json"):
            match = _VARIANT.search(path.name)
            by_variant.setdefault(match and next(filter(None, match.groups())), []).append(path)
    for variant in (None, *VARIANTS, *sorted(filter(None, by_variant))):
        if any(p.suffix == ".safetensors" for p in by_variant.get(variant, ())):
            return WeightFiles(tuple(by_variant[variant]), variant)
    pickles = sorted(p.name for p in folder.glob("*") if p.suffix in PICKLES) if folder.is_dir() else []
    if pickles:
        allowed = "safetensors; vrm-synth import-weights converts it"
        raise ModelError("weights are a pickle, which can run code", got=pickles[0], allowed=allowed, where=folder)
    raise ModelError("no weights", allowed="safetensors", where=folder)


def tensor_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Read the shapes of a .safetensors file from its header, name → shape. Raises ModelError."""
    # Not at the top: `vrm_synth.sample` can be looked at, and its arguments checked, without the train extra.
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="pt") as f:
            return {k: tuple(f.get_slice(k).get_shape()) for k in f.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError) as e:
        raise ModelError("not safetensors", got=str(e), where=file) from e
