"""The dataset card: README.md, whose head is the YAML that dataset hubs read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from vrm_synth import __version__

SAMPLES = 8
SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


def card(rows: Sequence[Mapping[str, Any]], recipe: Mapping[str, Any], avatars: Sequence[Mapping[str, Any]]) -> str:
    """Markdown. rows: the lines of metadata.jsonl in order; recipe: as its maker wrote it, without the
    avatars' paths; avatars: the credits of those that it names."""
    used = Counter(row["avatar_sha256"] for row in rows)
    shown = [a for a in avatars if used[a["sha256"]]]
    free = all(a["is_cc0"] for a in shown)
    head = {
        "license": "cc0-1.0" if free else "other",
        "task_categories": ["text-to-image", "image-to-text"],
        "language": ["en"],
        "size_categories": [next((name for most, name in SIZES if len(rows) < most), "n>10M")],
        "tags": ["synthetic", "vrm", "anime", "3d"],
        "pretty_name": "Pictures of VRM avatars",
    }
    sections = [
        f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---",
        "# Pictures of VRM avatars",
        _counts(rows, recipe, shown),
        "![Some of the pictures](contact_sheet.png)",
        "## Captions",
        "\n".join(f"- `{_plain(r['file_name'])}`: {_plain(r['caption'])}" for r in spread(rows, SAMPLES)),
        "A caption names what its picture is known to show. Left and right are the character's own.",
        "## Avatars and licences",
        _avatars(shown, used),
        _licence_note(free),
        "## Loading",
        '```python\nfrom datasets import load_dataset  # 3.6 or newer\n\npictures = load_dataset("imagefolder", '
        'data_dir="PATH/OF/THIS/FOLDER")\n```',
        "Each line of `metadata.jsonl` has `file_name`, `caption`, `avatar` and `avatar_sha256`, `licence`, the "
        "shot's index `i` and the recipe's `seed`, the `renderer` that drew it, and `shot`: the picture as data, "
        "an entry of the shots format.",
        "## Making it again",
        "Every picture follows from its line alone, byte for byte on the same renderer and driver:",
        "```sh\nvrm-synth shots metadata.jsonl -o again\n```",
        f"The whole was made with vrm-synth {__version__} by `vrm-synth render` from this recipe, which "
        "`dataset.json` has with every default written out:",
        f"```yaml\n{yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True, width=100)}```",
    ]
    return "\n\n".join(sections) + "\n"


def _counts(rows: Sequence[Mapping[str, Any]], recipe: Mapping[str, Any], shown: Sequence[object]) -> str:
    missing = "" if len(rows) == recipe["count"] else f" (of {recipe['count']} that the recipe asks for)"
    sizes = Counter(f"{w}×{h}" for w, h in (row["shot"]["size"] for row in rows))
    poses = {row["shot"].get("labels", {}).get("pose") for row in rows} - {None}
    lines = [
        f"- pictures: {len(rows)}{missing}",
        f"- avatars: {len(shown)}",
        f"- pixels: {', '.join(sorted(sizes))}",
        f"- seed: {recipe['seed']}",
        f"- drawn by: {_plain('; '.join(sorted({row['renderer'] for row in rows})))}",
    ]
    return "\n".join([*lines, f"- poses: {len(poses)}"] if poses else lines)


def _avatars(shown: Sequence[Mapping[str, Any]], used: Mapping[str, int]) -> str:
    lines = ["| avatar | title | by | licence | says | pictures | sha256 |", "|---|---|---|---|---|---|---|"]
    for a in shown:
        says = "its own metadata" if a["evidence"] == "file" else a["evidence"]
        cells = (a["id"], a["name"] or "untitled", ", ".join(a["authors"]), a["licence"], says)
        lines.append(f"| {' | '.join(_plain(str(c)) for c in cells)} | {used[a['sha256']]} | `{a['sha256']}` |")
    return "\n".join(lines)


def _licence_note(free: bool) -> str:
    if free:
        return (
            "Every avatar, pose and background is CC0 1.0, and so are these pictures: use them for anything, "
            "without asking and without credit."
        )
    return (
        "Not every avatar is CC0: their licences, which whoever made this dataset accepted, bind the pictures "
        "that show them. Each line of `metadata.jsonl` carries the licence of its avatar."
    )


def spread(rows: Sequence[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    """`most` of the rows, evenly spread."""
    n = min(most, len(rows))
    return [rows[k * len(rows) // n] for k in range(n)]


def _plain(text: str) -> str:
    # Titles and names are strangers': nothing in them may become markup.
    text = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"([\\`*_{}\[\]<>|#!])", r"\\\1", text)
