"""Weights that are published as pickles, made into safetensors: `vrm-synth import-weights`.

A diffusers folder is copied with every pickle in it converted; a single file becomes a single file. What was made
from what stands in import.json, hashes of both: the pin for every later use.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vrm_synth.core.errors import ModelError
from vrm_synth.io.atomic_files import file_errors, to_json
from vrm_synth.models import weight_files

RECORD = "import.json"
_PLAIN = (".json", ".txt", ".md")


def import_weights(source: Path, out: Path, done: Callable[[str], object] = lambda name: None) -> Mapping[str, Any]:
    """Convert a pickle, or a folder with pickles in it, into `out`, which must be new. Returns what import.json says.

    done: called with each file's name as it is converted or copied. Raises ModelError; nothing half is left.
    """
    if out.exists():
        raise ModelError("is there already", allowed="a new name", where=out)
    if not source.exists():
        raise ModelError("no such file or folder", where=source)
    if source.is_file() and out.suffix != ".safetensors":
        raise ModelError(
            "a file of weights becomes one of safetensors", got=out.name, allowed=".safetensors", where=out
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with file_errors(out, "written"), tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
        made = Path(temporary) / "made"
        if source.is_dir():
            record = _folder(source, made, done)
            (made / RECORD).write_text(to_json(record, indent=1) + "\n", encoding="utf-8")
        else:
            record = {source.name: _convert(source, made)}
            done(source.name)
        made.rename(out)
    return record


def _folder(source: Path, made: Path, done: Callable[[str], object]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for file in sorted(p for p in source.rglob("*") if p.is_file()):
        name = file.relative_to(source)
        if any(part.startswith(".") for part in name.parts):
            continue
        target = made / name
        if file.suffix in weight_files.PICKLES:
            target = target.with_name(_safe_name(file))
            if (source / name).with_name(target.name).exists():
                continue  # published both ways: the safe one is taken
            target.parent.mkdir(parents=True, exist_ok=True)
            record[name.as_posix()] = _convert(file, target)
        elif file.suffix in (*_PLAIN, ".safetensors") or file.name.upper().startswith(("LICENSE", "LICENSE")):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            record[name.as_posix()] = {"file": target.name, "sha256": weight_files.sha256(target)}
        else:
            continue  # pictures, code: no part of a model
        done(name.as_posix())
    if not any("from_sha256" in r for r in record.values()):
        raise ModelError("no pickle to convert", allowed=", ".join(weight_files.PICKLES), where=source)
    return record


def _safe_name(pickle: Path) -> str:
    """As diffusers and transformers call it: pytorch_model.bin, or pytorch_model.fp16.bin, is transformers'."""
    stem, dot, variant = pickle.stem.partition(".")
    return f"{'model' if stem == 'pytorch_model' else stem}{dot}{variant}.safetensors"


def _convert(source: Path, target: Path) -> dict[str, Any]:
    """One pickle → safetensors, in a process of its own."""
    if source.suffix not in weight_files.PICKLES:
        raise ModelError(
            "not a file of weights", got=source.name, allowed=", ".join(weight_files.PICKLES), where=source
        )
    # -I: neither the current folder nor the user's packages are looked into.
    command = [sys.executable, "-I", str(Path(__file__).with_name("import_process.py"))]
    asked = json.dumps({"source": str(source.resolve()), "target": str(target.absolute())})
    ran = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    try:
        told = json.loads(ran.stdout)
    except ValueError:
        told = {"error": f"the process that opened it ended with status {ran.returncode}"}
    if "error" in told or ran.returncode:
        target.unlink(missing_ok=True)
        allowed = "a file of tensors alone"
        raise ModelError("weights were refused", got=told.get("error", ran.returncode), allowed=allowed, where=source)
    return {
        "file": target.name,
        "tensors": told["tensors"],
        "sha256": weight_files.sha256(target),
        "from_sha256": weight_files.sha256(source),
    }
