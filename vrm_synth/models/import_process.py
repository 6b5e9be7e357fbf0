"""The process that opens one pickle, with weights_only, and writes its tensors: nothing else ever opens one.

Run as a script by importing.py, never imported; it imports nothing of ours. Standard input has {"source", "target"},
standard output gets {"tensors": n} or {"error": text}. Why a process of its own: weights_only refuses code, but it is
a parser of strangers' bytes all the same, and what it could break here is a process that is about to end.
"""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import Any

NESTED = ("state_dict", "module", "model")  # where trainers put the weights in a checkpoint


def convert(source: Path, target: Path) -> int:
    """Write the tensors of `source`; returns how many. Raises ValueError where it holds none, and torch's errors."""
    import torch
    from safetensors.torch import save_file

    loaded: Any = torch.load(str(source), map_location="cpu", weights_only=True, mmap=_mappable(source))
    for key in NESTED:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    found = loaded if isinstance(loaded, dict) else {}
    tensors = {k: v for k, v in found.items() if isinstance(k, str) and isinstance(v, torch.Tensor)}
    if not tensors:
        raise ValueError("no tensors by name")
    # Tied weights share memory in a pickle; safetensors wants each on its own.
    save_file({k: v.detach().clone().contiguous() for k, v in tensors.items()}, str(target))
    return len(tensors)


def _mappable(source: Path) -> bool:
    with source.open("rb") as f:
        return f.read(4) == b"PK\x03\x04"  # torch's zip; its older form cannot be mapped


def main() -> int:
    """The exit status."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    asked = json.loads(os.read(0, 1 << 16))
    try:
        told: dict[str, Any] = {"tensors": convert(Path(asked["source"]), Path(asked["target"]))}
    except Exception as e:  # whatever a broken file makes of torch's reader
        told = {"error": " ".join(str(e).split())[:2000] or type(e).__name__}
    os.write(1, json.dumps(told).encode())
    return 1 if "error" in told else 0


if __name__ == "__main__":
    raise SystemExit(main())
