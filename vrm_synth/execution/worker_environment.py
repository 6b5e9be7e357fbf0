"""The number of workers, and the environment that their server starts with."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

PICTURES_PER_WORKER = 32  # at least; a worker takes about a third of a second to start


def worker_count(requested: int | None, pictures: int) -> int:
    """Return the requested number of workers, else one per core with at least PICTURES_PER_WORKER pictures each."""
    cores = len(os.sched_getaffinity(0))
    return max(1, min(cores, pictures // PICTURES_PER_WORKER)) if requested is None else requested


def start_worker_server(requested: int | None, pictures: int, *modules: str) -> int:
    """Start the server that workers are forked from, if there will be several. Returns the number of workers.

    No worker is started. The server imports its modules while the caller reads its input.
    modules: modules to import besides the renderer.
    """
    workers = worker_count(requested, pictures)
    if workers > 1:
        from vrm_synth.execution.process_pool import prepare

        # Read by Mesa's llvmpipe and by numpy's BLAS in the workers: one process per core beats several threads per
        # process, and a server that workers are forked from has no threads.
        with environment_defaults(LP_NUM_THREADS="0", OPENBLAS_NUM_THREADS="1"):
            prepare("vrm_synth.render.gl.backend", *modules)
    return workers


@contextlib.contextmanager
def environment_defaults(**defaults: str) -> Iterator[None]:
    """Set environment variables for the processes started inside, where the user has not set them."""
    added = {name: value for name, value in defaults.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
