"""Subprocess that opens one pickle with weights_only and writes its tensors; no other code opens pickles.

Run as a script by import_weights.py, never imported; it imports nothing of vrm_synth. It reads {"source", "target"}
from standard input and writes {"tensors": n} or {"error": text} to standard output. A separate process, because
weights_only refuses code but still parses untrusted bytes; a crash or an exploit stays in a process that ends at once.
"""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import Any

NESTED_KEYS = ("state_dict", "module", "model")  # keys under which trainers store the weights in a checkpoint


def convert(source: Path, target: Path) -> int:
    """Convert a pickle of tensors to a .safetensors file; returns their number.

    Raises ValueError if there are none, and torch's errors.
    """
    import torch
    from safetensors.torch import save_file

    loaded: Any = torch.load(str(source), map_location="cpu", weights_only=True, mmap=_mappable(source))
    for key in NESTED_KEYS:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    entries = loaded if isinstance(loaded, dict) else {}
    tensors = {k: v for k, v in entries.items() if isinstance(k, str) and isinstance(v, torch.Tensor)}
    if not tensors:
        raise ValueError("no named tensors")
    # Tied weights share memory in a pickle; safetensors needs separate tensors.
    save_file({k: v.detach().clone().contiguous() for k, v in tensors.items()}, str(target))
    return len(tensors)


def _mappable(source: Path) -> bool:
    with source.open("rb") as f:
        return f.read(4) == b"PK\x03\x04"  # torch's zip format; its older format cannot be memory-mapped


def main() -> int:
    """Convert the file named on standard input; returns the exit status."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    request = json.loads(os.read(0, 1 << 16))
    try:
        answer: dict[str, Any] = {"tensors": convert(Path(request["source"]), Path(request["target"]))}
    except Exception as e:  # a broken file can raise anything in torch's reader
        answer = {"error": " ".join(str(e).split())[:2000] or type(e).__name__}
    os.write(1, json.dumps(answer).encode())
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    raise SystemExit(main())
