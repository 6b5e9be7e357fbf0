"""Start processes that do not import the program's main module."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType


@contextlib.contextmanager
def hidden_main_module() -> Iterator[None]:
    """Processes started inside do not run the user's script again, so that it needs no `if __name__ == "__main__":`.

    multiprocessing has a child import the parent's main module, so that what is pickled may be defined there. Tasks
    of ours are defined in this package. The library has no switch for it; the child is told what `__main__` says.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")  # of no file
    try:
        yield
    finally:
        sys.modules["__main__"] = main
