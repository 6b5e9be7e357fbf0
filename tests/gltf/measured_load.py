"""Load files one by one, each in its own process, and print error, calls and memory as JSON lines.

Run by test_refusals.py: `python -m tests.gltf.measured_load FILE...`. A file gets an hour of processor time
and 2 GB of address space before it is killed, so that a regression fails the test instead of the machine.
"""

from __future__ import annotations

import json
import os
import resource
import sys

from tests.patience import HANG, calls
from vrm_synth.vrm import AvatarError, load


def measure(path: str) -> dict[str, object]:
    """{path, error, calls, megabytes}: the refusal ("" where the file loads), how many functions were called for it,
    the process' peak.

    Calls, not seconds: neither the clock nor processor time says anything of the loader where others use the machine.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (int(HANG), int(HANG)))
        resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
        outcome = ""

        def attempt() -> None:
            nonlocal outcome
            try:
                load(path)
            except AvatarError as e:
                outcome = str(e)
            except BaseException as e:  # reported, so that the test can show it
                outcome = f"{type(e).__name__} escaped: {e}"

        count = calls(attempt)
        os.write(write, json.dumps({"error": outcome[:10_000], "calls": count}).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read() or '{"error": "killed", "calls": -1}'
    _, _, usage = os.wait4(child, 0)
    return {"path": path, "megabytes": usage.ru_maxrss / 1024, **json.loads(answer)}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(json.dumps(measure(name)), flush=True)
