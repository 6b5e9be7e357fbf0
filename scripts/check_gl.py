"""Report what this machine lacks for OpenGL; silent with status 0 if a headless context can start.

Standard library only: nothing is installed yet. The line printed on failure is fit for a user.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def main() -> int:
    system = _load_system()
    missing = system.missing_libraries()
    problem = system.explain_missing_gl(OSError(f"{missing[0]} is missing")) if missing else system.find_fault()
    if problem is None:
        return 0
    print(problem)
    return 1


def _load_system() -> ModuleType:
    """vrm_synth.render.system, by file: nothing is installed yet."""
    path = Path(__file__).resolve().parents[1] / "vrm_synth" / "render" / "system.py"
    spec = importlib.util.spec_from_file_location("system", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
