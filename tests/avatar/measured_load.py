"""Loads files one by one, each in a process of its own, and prints what came of it as JSON lines.

Run by test_refusals.py: `python -m tests.avatar.measured_load FILE...`. A file gets 10 s of processor time
and 2 GB of address space before it is killed, so that a regression fails the test instead of the machine.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time

from vrm_synth.avatar import AvatarError, load


def measure(path: str) -> dict[str, object]:
    """{path, error, seconds, megabytes}: the refusal ("" where the file loads), its processor time, the process' peak.

    Processor time, not the clock: how busy the machine is says nothing of the loader, and a loader that waits
    for anything would be killed by the test's own timeout.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
        resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))
        start = time.process_time()
        try:
            load(path)
            error = ""
        except AvatarError as e:
            error = str(e)
        except BaseException as e:  # reported, so that the test can show it
            error = f"{type(e).__name__} escaped: {e}"
        seconds = time.process_time() - start
        os.write(write, json.dumps({"error": error[:10_000], "seconds": seconds}).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read() or '{"error": "killed", "seconds": 10}'
    _, _, usage = os.wait4(child, 0)
    return {"path": path, "megabytes": usage.ru_maxrss / 1024, **json.loads(answer)}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(json.dumps(measure(name)), flush=True)
