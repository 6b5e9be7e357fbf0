"""Run the long tests and the benchmarks, and write their results to docs/measured.md.

    make measure                                   everything
    python scripts/measure.py three-vrm raster     these sections only; the page keeps the others

Every section names its day, the processor and the commit; no host name and no path of this machine. A section whose
command fails is not written and ends the run, with what was measured before it in the page.
"""

from __future__ import annotations

import datetime
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "measured.md"
HEAD = """# Measured

Written by `make measure`. Compare ratios, not times, across machines: each comparison drew both sides in one run.
"""
_OF_CORPUS = ("m_expressive", "crimsom", "zombie", "v1_mtoon_default", "v1_uv_animation", "robot", "v1_samplebot")
FIDELITY_AVATARS = ("demo", "demo:3", *(f"{{avatars}}/{name}.vrm" for name in _OF_CORPUS))
NEEDS_REFERENCE = ("node", "npm", "chromium")


@dataclass(frozen=True)
class Section:
    """name: on the command line; about: what the figures are; command: arguments of this Python; last: how many lines
    of its output to keep, 0 for all; needs_reference: it runs three-vrm from the corpus; on_gpu: more arguments where
    there is an NVIDIA GPU."""

    name: str
    title: str
    about: str
    command: tuple[str, ...]
    last: int = 0
    needs_reference: bool = False
    on_gpu: tuple[str, ...] = ()


SECTIONS = (
    Section(
        "tests",
        "Tests, long forms included",
        "`pytest`, slow ones and all.",
        ("-m", "pytest", "-q", "-n", "2", "--hypothesis-profile", "default"),
        last=1,
    ),
    Section(
        "fidelity",
        "Random shots against three-vrm, drawn by both in this run",
        "`benchmarks/fidelity.py`: 25 shots an avatar, the built-in ones as VRM 1.0 and 0.x; the worst cases and the"
        " sum. docs/fidelity.md explains.",
        ("benchmarks/fidelity.py", "--reference", "{reference}", "--count", "25", "--worst", "5", *FIDELITY_AVATARS),
        needs_reference=True,
    ),
    Section(
        "three-vrm",
        "PNG files a second against three-vrm in Chromium",
        "`benchmarks/against_three_vrm.py`: whole commands, 200 shots, 7 interleaved pairs, 512², transparent,"
        " outlined, no anti-aliasing, half of the shots with expressions and settled springs.",
        ("benchmarks/against_three_vrm.py", "--reference", "{reference}"),
        needs_reference=True,
    ),
    Section(
        "pyrender",
        "Pictures a second against a raw pyrender loop",
        "`benchmarks/against_pyrender.py`: the same shots, with inverted-hull outline meshes on pyrender's side.",
        ("benchmarks/against_pyrender.py",),
    ),
    Section(
        "parts",
        "Part labels",
        "`benchmarks/part_labels.py`: real avatars against answers that were made by looking at them, the built-in"
        " family against its construction; docs/parts.md explains.",
        ("benchmarks/part_labels.py", "--avatars", "{avatars}"),
    ),
    Section(
        "ground-truth",
        "Ground truth beside the colours",
        "`benchmarks/ground_truth.py`: CPU-milliseconds of drawing and reading back, and how near the geometry buffer"
        " is to a ray cast.",
        ("benchmarks/ground_truth.py",),
    ),
    Section(
        "raster",
        "What a picture costs beside rasterising",
        "`benchmarks/raster.py`: our draw() against a bare moderngl loop of the same calls, and CPU-milliseconds of"
        " everything else.",
        ("benchmarks/raster.py",),
    ),
    Section(
        "captions",
        "Facts of captions: the built-in family",
        "`benchmarks/caption_truth.py`: against construction, a ray cast's ids, joints and cameras. Precision: of the"
        " claims, the share that is right; recall: of the things plainly in sight, the share that is claimed.",
        ("benchmarks/caption_truth.py", "--shots", "2000"),
    ),
    Section(
        "captions-real",
        "Facts of captions: real avatars",
        "`benchmarks/caption_truth.py --real`: the ten skinned shared avatars, against answers by hand.",
        ("benchmarks/caption_truth.py", "--real", "--shots", "400", "--least", "50"),
    ),
    Section(
        "workers",
        "What a second worker adds",
        "`benchmarks/workers.py`: `adds` 1.00 would be all of the first one's rate.",
        ("benchmarks/workers.py",),
    ),
    Section(
        "first-picture",
        "Seconds to the first picture",
        "`benchmarks/first_picture.py`: `vrm-synth render` of one picture of crimsom.vrm; cold: no caches.",
        ("benchmarks/first_picture.py",),
    ),
    Section(
        "eleven-million",
        "Eleven million pictures",
        "`benchmarks/eleven_million.py`: what to resume, and questions to the table; `rows`: what was found.",
        ("benchmarks/eleven_million.py",),
    ),
    Section(
        "reading",
        "Reading a dataset for training",
        "`benchmarks/reading.py`: through a torch DataLoader, beside a plain folder of the same PNG files.",
        ("benchmarks/reading.py",),
    ),
    Section(
        "training-resume",
        "Going on with training over eleven million pictures",
        "`benchmarks/training_resume.py`: from the start of a process to the first batch, to be within 15 s.",
        ("benchmarks/training_resume.py",),
    ),
    Section(
        "scan-shards",
        "Indexing foreign shards for training",
        "`benchmarks/scan_shards.py`: beside webdataset reading and tarfile listing them.",
        ("benchmarks/scan_shards.py",),
    ),
    Section(
        "train-speed",
        "Pictures a second in training",
        "`benchmarks/train_speed.py`: beside a loop in the style of diffusers' example, in this run; on a CPU by the"
        " tiny base, which says nothing of a GPU.",
        ("benchmarks/train_speed.py", "--dry"),
        on_gpu=("--shape", "sd21", "--sizes", "256", "512", "--batch", "32", "--steps", "100"),
    ),
    Section(
        "sample-speed",
        "Pictures a second in sampling",
        "`benchmarks/sample_speed.py`: beside diffusers' pipeline, in this run; on a CPU by the tiny base, which says"
        " nothing of a GPU.",
        ("benchmarks/sample_speed.py", "--dry"),
        on_gpu=("--shape", "sd21", "--size", "512", "--batch", "8", "--batches", "8"),
    ),
    Section(
        "memory",
        "Memory over 20,000 pictures",
        "`benchmarks/memory.py`: six avatars in turn, one process; the last rounds and the verdict.",
        ("benchmarks/memory.py",),
        last=4,
    ),
    Section(
        "stages",
        "Images a second, by stage",
        "`benchmarks/stages.py`: the default recipe at 512² in one process, medians; `load` happens once an avatar and"
        " does not count. pyrender reads back within its draw, and always multisamples 4× on top.",
        ("benchmarks/stages.py",),
    ),
)


def main(names: Sequence[str]) -> int:
    known = [section.name for section in SECTIONS]
    if unknown := [name for name in names if name not in known]:
        print(f"no such section: {unknown[0]}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    texts = kept_sections(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    for section in SECTIONS:
        if names and section.name not in names:
            continue
        print(f"measuring: {section.title}", file=sys.stderr, flush=True)
        output, status = measured(section)
        if status:
            print(output)
            return status
        texts[section.name] = text(section, output)
        PAGE.write_text(page(texts), encoding="utf-8")
    return 0


def measured(section: Section) -> tuple[str, int]:
    """The output of a section's command, or why it was not run, and its exit status. stderr goes to the terminal."""
    corpus = Path(os.environ.get("VRM_SYNTH_CORPUS") or ROOT.parent / "shared")
    if section.needs_reference:
        missing = [tool for tool in NEEDS_REFERENCE if not shutil.which(tool)]
        if not (corpus / "reference").is_dir() or missing:
            return f"Not measured: no {', '.join(missing) or 'reference folder'} on this machine.", 0
    inputs = {"reference": str(corpus / "reference"), "avatars": str(corpus / "avatars")}
    arguments = section.command + (section.on_gpu if shutil.which("nvidia-smi") else ())
    command = [sys.executable, *(argument.format(**inputs) for argument in arguments)]
    process = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)
    lines = process.stdout.strip().splitlines()
    kept_lines = lines[-section.last :] if section.last and not process.returncode else lines
    return "\n".join(line.strip("= ") if section.name == "tests" else line for line in kept_lines), process.returncode


def text(section: Section, output: str) -> str:
    """One section of the page."""
    body = output if output.startswith("Not measured") else f"```\n{output}\n```"
    where = f"{cpu_model()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    day = datetime.date.today().isoformat()
    head = f"<!-- {section.name} -->\n## {section.title}\n\n{section.about}"
    return f"{head}\n\n{day}, commit {commit()}, {where}\n\n{body}\n"


def kept_sections(old: str) -> dict[str, str]:
    """The sections of a page by name."""
    parts = re.split(r"^(?=<!-- [a-z0-9-]+ -->$)", old, flags=re.MULTILINE)[1:]
    return {part[5 : part.index(" -->")]: part.rstrip() + "\n" for part in parts}


def page(texts: dict[str, str]) -> str:
    """The whole page, sections in their order."""
    return "\n".join([HEAD, *(texts[section.name] for section in SECTIONS if section.name in texts)])


def cpu_model() -> str:
    """The processor's name, or the architecture if the system has none."""
    info = Path("/proc/cpuinfo")
    match = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE) if info.exists() else None
    return match[1].strip() if match else platform.machine()


def commit() -> str:
    """The commit's short name, and whether the code differs from it."""
    name = _git("rev-parse", "--short", "HEAD")
    return f"{name} with changes" if _git("status", "--porcelain", "--", "vrm_synth", "benchmarks") else name


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
