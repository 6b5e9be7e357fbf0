"""Run the long form of every test and the benchmarks, and write docs/measured.md.

    make measure

The page names the day, the processor and the commit; no host name and no path of this machine. It is
written only when every test has passed.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "measured.md"
FIDELITY_AVATARS = ("m_expressive", "crimsom", "zombie", "v1_mtoon_default", "v1_uv_animation", "robot", "v1_samplebot")


def main() -> int:
    tests = run("-m", "pytest", "-q", "-n", "2", "--hypothesis-profile", "default")
    print(tests.stdout)
    if tests.returncode:
        return tests.returncode
    bench = run("benchmarks/stages.py", "--json")
    if bench.returncode:
        return bench.returncode
    verdict = tests.stdout.strip().splitlines()[-1]
    PAGE.write_text(page(verdict, json.loads(bench.stdout), fidelity()), encoding="utf-8")
    print(f"written: {PAGE.relative_to(ROOT)}")
    return 0


def fidelity() -> str:
    """How close random shots come to the reference, which draws them in the same run; or why that was not measured."""
    corpus = Path(os.environ.get("VRM_SYNTH_CORPUS") or ROOT.parent / "shared")
    missing = [tool for tool in ("node", "npm", "chromium") if not shutil.which(tool)]
    if not (corpus / "reference").is_dir() or missing:
        return f"Not measured: no {', '.join(missing) or 'reference folder'} on this machine."
    avatars = [str(corpus / "avatars" / f"{name}.vrm") for name in FIDELITY_AVATARS]
    arguments = ["--reference", str(corpus / "reference"), "--count", "25", "--worst", "5"]
    done = run("benchmarks/fidelity.py", *arguments, "demo", "demo:3", *avatars)
    if done.returncode:
        sys.exit(done.returncode)
    return f"```\n{done.stdout.strip()}\n```"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """This Python with those arguments, at the project's root; complaints go to the terminal."""
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE)


def page(verdict: str, bench: dict[str, Any], closeness: str) -> str:
    """The whole page as markdown."""
    machine = [cpu_model(), f"{os.cpu_count()} cores", platform.system(), platform.machine()]
    return f"""# Measured

Written by `make measure`; figures of one machine on one day. Compare ratios, not times, across machines.

- **Day**: {datetime.date.today().isoformat()}
- **Machine**: {", ".join(machine)}, Python {platform.python_version()}
- **Driver**: {bench["device"]}
- **Commit**: {commit()}

## Tests, long forms included

{plain(verdict)}

## Random shots against three-vrm, drawn by both in this run

`benchmarks/fidelity.py`: 25 shots an avatar, the built-in ones as VRM 1.0 and 0.x; the worst cases and the sum.
docs/fidelity.md explains.

{closeness}

## Images a second, by stage

{bench["size"][0]}×{bench["size"][1]} in one process: {bench["shots"]} shots of the default recipe a row, medians,
milliseconds a picture.

{bench_table(bench["rows"])}
`load` happens once an avatar and does not count in images/s. pyrender reads back within its draw, and always
multisamples 4× on top of the recipe's 2 × 2 samples.
"""


def bench_table(rows: list[dict[str, Any]]) -> str:
    """One line a (renderer, avatar), one column a stage."""
    stages = list(dict.fromkeys(s for row in rows for s in row["ms"]))
    lines = [
        "| renderer | avatar | triangles | images/s | " + " | ".join(stages) + " |",
        "|---|---|--:|--:|" + "--:|" * len(stages),
    ]
    for row in rows:
        cells = [f"{row['ms'][s]:.2f}" if s in row["ms"] else "" for s in stages]
        head = [row["renderer"], row["avatar"], f"{row['triangles']:,}", f"{row['images_per_second']:.1f}"]
        lines.append("| " + " | ".join([*head, *cells]) + " |")
    return "\n".join(lines) + "\n"


def cpu_model() -> str:
    """The processor's name; the architecture where the system does not tell."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return found[1].strip() if found else platform.machine()


def commit() -> str:
    """The commit's short name, and whether the tree differs from it (this page itself does not count)."""
    name = _git("rev-parse", "--short", "HEAD")
    changed = [line for line in _git("status", "--porcelain").splitlines() if not line.endswith("docs/measured.md")]
    return f"{name} with changes" if changed else name


def plain(verdict: str) -> str:
    """pytest's last line without its decoration."""
    return verdict.strip("= ")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
