"""Conversion of pickled weights to safetensors: `vrm-synth import-weights`.

A diffusers folder is copied with every pickle in it converted; a single file becomes a single file. import.json lists
each file with the hashes of its source and of the result, so that later uses can be checked against it.
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
_COPIED_SUFFIXES = (".json", ".txt", ".md")


def import_weights(source: Path, out: Path, log: Callable[[str], object] = lambda text: None) -> Mapping[str, Any]:
    """Convert a pickle, or a folder with pickles in it, to `out`, which must be new.

    log: called with each file's name when it has been converted or copied.

    Returns the content of import.json. Raises ModelError; `out` is then not created.
    """
    if out.exists():
        raise ModelError("exists already", allowed="a new name", where=out)
    if not source.exists():
        raise ModelError("no such file or folder", where=source)
    if source.is_file() and out.suffix != ".safetensors":
        raise ModelError("a single file is converted to .safetensors", got=out.name, allowed=".safetensors", where=out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with file_errors(out, "written"), tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as temporary:
        result = Path(temporary) / "result"
        if source.is_dir():
            record = _convert_folder(source, result, log)
            (result / RECORD).write_text(to_json(record, indent=1) + "\n", encoding="utf-8")
        else:
            record = {source.name: _convert_file(source, result)}
            log(source.name)
        result.rename(out)
    return record


def _convert_folder(source: Path, result: Path, log: Callable[[str], object]) -> dict[str, Any]:
    """Convert or copy every file of a model folder; returns the content of import.json."""
    record: dict[str, Any] = {}
    for file in sorted(p for p in source.rglob("*") if p.is_file()):
        name = file.relative_to(source)
        if any(part.startswith(".") for part in name.parts):
            continue
        target = result / name
        if file.suffix in weight_files.PICKLES:
            target = target.with_name(_safe_name(file))
            if (source / name).with_name(target.name).exists():
                continue  # published in both formats: the safetensors file is copied
            target.parent.mkdir(parents=True, exist_ok=True)
            record[name.as_posix()] = _convert_file(file, target)
        elif file.suffix in (*_COPIED_SUFFIXES, ".safetensors") or file.name.upper().startswith(("LICENSE", "LICENCE")):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            record[name.as_posix()] = {"file": target.name, "sha256": weight_files.sha256(target)}
        else:
            continue  # images, code: not part of a model
        log(name.as_posix())
    if not any("from_sha256" in r for r in record.values()):
        raise ModelError("no pickle to convert", allowed=", ".join(weight_files.PICKLES), where=source)
    return record


def _safe_name(pickle: Path) -> str:
    """Name of the converted file: diffusers keeps the stem, transformers calls pytorch_model.bin model.safetensors."""
    stem, dot, variant = pickle.stem.partition(".")
    return f"{'model' if stem == 'pytorch_model' else stem}{dot}{variant}.safetensors"


def _convert_file(source: Path, target: Path) -> dict[str, Any]:
    """Convert one pickle in a subprocess; returns its entry in import.json."""
    if source.suffix not in weight_files.PICKLES:
        raise ModelError(
            "not a file of weights", got=source.name, allowed=", ".join(weight_files.PICKLES), where=source
        )
    # -I: import neither from the current folder nor from the user's packages.
    command = [sys.executable, "-I", str(Path(__file__).with_name("unpickle_process.py"))]
    request = json.dumps({"source": str(source.resolve()), "target": str(target.absolute())})
    process = subprocess.run(command, input=request, capture_output=True, text=True, check=False)
    try:
        answer = json.loads(process.stdout)
    except ValueError:
        answer = {"error": f"the process that opened it ended with status {process.returncode}"}
    if "error" in answer or process.returncode:
        target.unlink(missing_ok=True)
        allowed = "a file of tensors only"
        raise ModelError(
            "weights were refused", got=answer.get("error", process.returncode), allowed=allowed, where=source
        )
    return {
        "file": target.name,
        "tensors": answer["tensors"],
        "sha256": weight_files.sha256(target),
        "from_sha256": weight_files.sha256(source),
    }
