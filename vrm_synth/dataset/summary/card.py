"""The dataset card: README.md, whose head is the YAML that dataset hubs read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from vrm_synth import __version__
from vrm_synth.dataset.caption_columns import OWN, DatasetCaptions
from vrm_synth.dataset.summary import loading_code
from vrm_synth.dataset.summary.legends import ID_PASSES
from vrm_synth.dataset.summary.loading_code import DatasetFiles
from vrm_synth.io.dataset_columns import CAPTION, card_type
from vrm_synth.io.file_names import COCO_JSON, CONTACT_SHEET, LEGENDS_JSON, METADATA_LINES, METADATA_TABLE
from vrm_synth.io.image_encodings import ENCODINGS

SIZE_CATEGORIES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


@dataclass
class DatasetSummary:
    """Counts of a dataset's pictures for its card, gathered row by row.

    pictures, quarantined: number of pictures, and of shots that could not be made.
    splits, sizes, avatars: split, "width×height", the avatar's SHA-256 → number of pictures.
    poses, renderers: names of all that occur.
    columns: column of a row → its type as `datasets` spells it.
    samples: (file, caption) of a few pictures.
    """

    pictures: int = 0
    quarantined: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    avatars: Counter[str] = field(default_factory=Counter)
    poses: set[str] = field(default_factory=set)
    renderers: set[str] = field(default_factory=set)
    columns: dict[str, str] = field(default_factory=dict)
    samples: list[tuple[str, str]] = field(default_factory=list)

    def add(self, row: Mapping[str, Any], split: str) -> None:
        """Count one row of metadata."""
        width, height = row["shot"]["size"]
        self.pictures += 1
        self.splits[split] += 1
        self.sizes[f"{width}×{height}"] += 1
        self.avatars[row["avatar_sha256"]] += 1
        self.renderers.add(row["renderer"])
        self.columns |= {k: card_type(k, v) for k, v in row.items() if k not in self.columns}
        if pose := row["shot"].get("choices", {}).get("pose"):
            self.poses.add(pose)


def render_card(
    summary: DatasetSummary,
    recipe: Mapping[str, Any],
    files: DatasetFiles,
    avatars: Sequence[Mapping[str, Any]],
    captions: DatasetCaptions | None = None,
) -> str:
    """The dataset card as Markdown.

    recipe: as its maker wrote it, without the avatars' paths; files: of the dataset; avatars: credits of those that
    the recipe names; captions: the columns of captions and their settings; None for one English column.
    """
    captions = captions or DatasetCaptions({"": {CAPTION: {}}})
    used_avatars = [a for a in avatars if summary.avatars[a["sha256"]]]
    free = all(a["is_cc0"] for a in used_avatars)
    head: dict[str, Any] = {
        "license": "cc0-1.0" if free else "other",
        "task_categories": ["text-to-image", "image-to-text"],
        "language": _languages(captions),
        "size_categories": [next((name for most, name in SIZE_CATEGORIES if summary.pictures < most), "n>10M")],
        "tags": ["synthetic", "vrm", "anime", "3d"],
        "pretty_name": "Pictures of VRM avatars",
    }
    head |= loading_code.head(files, summary.columns)
    sections = [
        f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---",
        "# Pictures of VRM avatars",
        _counts(summary, recipe, used_avatars),
        f"![Some of the pictures]({CONTACT_SHEET})",
        "## Captions",
        "\n".join(f"- `{_escape(name)}`: {_escape(caption)}" for name, caption in summary.samples),
        _captions(captions),
        "## Avatars and licenses",
        _avatars(used_avatars, summary.avatars),
        _license_note(free),
        "## Loading",
        *loading_code.sections(files),
        *_ground_truth(files, summary.columns),
        "Of each picture is known its `caption`, the `facts` that it is made of, `avatar` and `avatar_sha256`, "
        "`license`, `license_url` and `license_terms`, the shot's index `i`, the recipe's `seed`, the `attempt` that "
        "was kept, the `renderer` that drew it, and `shot`: the picture as data, an entry of the shots format. "
        f"`{METADATA_TABLE}` is one table of all of it.",
        "## Making it again",
        f"Every picture follows from its shot alone, byte for byte on the same renderer and driver. {_origin(recipe)}",
        f"```yaml\n{yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True, width=100)}```",
        "`vrm-synth verify .` holds every file to its record. `vrm-synth shots . --id KEY --size 2048 -o again` draws "
        "one picture again, in any size.",
    ]
    return "\n\n".join(sections) + "\n"


def _captions(captions: DatasetCaptions) -> str:
    """What captions say, and which columns have others."""
    text = "A caption names what its picture is known to show. Left and right are the character's own."
    lines = []
    for name in captions.names:
        settings = [columns[name] for columns in captions.by_prefix.values()]
        by = dict.fromkeys(
            "a captioner of its maker's own" if OWN in s else ", ".join(s.get("style", {})) for s in settings
        )
        triggers = dict.fromkeys(str(s["trigger"]) for s in settings if s.get("trigger"))
        said = f"; each has the trigger {' or '.join(map(_escape, triggers))}" if triggers else ""
        lines.append(f"- `{name}`: {'; '.join(by)}{said}")
    return text if len(lines) == 1 else "\n".join([f"{text} Columns of captions, by their styles:\n", *lines])


def _languages(captions: DatasetCaptions) -> list[str]:
    styles = {
        style
        for columns in captions.by_prefix.values()
        for settings in columns.values()
        for style in settings.get("style", {"en": 1} if OWN not in settings else ())
    }
    of_styles = {"ja" if style == "ja" else "en" for style in styles}
    return [language for language in ("en", "ja") if language in of_styles] or ["en"]


def _ground_truth(files: DatasetFiles, columns: Mapping[str, str]) -> list[str]:
    """The section about passes, legends and annotations."""
    lines = [f"- `{p.suffix}`: {p.description}" for p in files.passes]
    if any(p.name in ID_PASSES for p in files.passes):
        lines.append(f"- `{LEGENDS_JSON}`: the names of ids; 0 is the background")
    if "annotations" in columns:
        coco = f"; `{COCO_JSON}` has the figures of all pictures" if files.encoding in ENCODINGS else ""
        lines.append(f"- `annotations` of each row: keypoints (COCO-WholeBody), boxes, head and gaze{coco}")
    return ["## Ground truth", "\n".join(lines)] if lines else []


def _origin(recipe: Mapping[str, Any]) -> str:
    by = f"with vrm-synth {__version__}"
    if "derived" in recipe:
        return f"The whole was made {by} by `vrm-synth {recipe['derived']['by']}` of datasets of these recipes:"
    return (
        f"The whole was made {by} by `vrm-synth render` from this recipe, which `dataset.json` has with every default "
        "written out:"
    )


def _counts(summary: DatasetSummary, recipe: Mapping[str, Any], used_avatars: Sequence[object]) -> str:
    requested = recipe.get("count", summary.pictures)
    missing = "" if summary.pictures == requested else f" (of {requested} that the recipe asks for)"
    lines = [
        f"- pictures: {summary.pictures}{missing}",
        f"- avatars: {len(used_avatars)}",
        f"- pixels: {', '.join(sorted(summary.sizes))}",
        *([f"- seed: {recipe['seed']}"] if "seed" in recipe else []),
        f"- drawn by: {_escape('; '.join(sorted(summary.renderers)))}",
    ]
    if len(summary.splits) > 1:
        lines.insert(1, f"- splits: {', '.join(f'{name} {n}' for name, n in sorted(summary.splits.items()))}")
    if summary.quarantined:
        lines.append(f"- quarantined: {summary.quarantined}; `records/` says which and why")
    return "\n".join([*lines, f"- poses: {len(summary.poses)}"] if summary.poses else lines)


def _avatars(used_avatars: Sequence[Mapping[str, Any]], used: Mapping[str, int]) -> str:
    lines = [
        "| avatar | title | by | license | terms | says | pictures | sha256 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for a in used_avatars:
        evidence = "its own metadata" if a["evidence"] == "file" else a["evidence"]
        terms = " ".join(x for x in (a.get("license_url"), a.get("license_terms")) if x)
        cells = (a["id"], a["name"] or "untitled", ", ".join(a["authors"]), a["license"], terms, evidence)
        lines.append(f"| {' | '.join(_escape(str(c)) for c in cells)} | {used[a['sha256']]} | `{a['sha256']}` |")
    return "\n".join(lines)


def _license_note(free: bool) -> str:
    if free:
        return (
            "Every avatar, pose and background is CC0 1.0, and so are these pictures: use them for anything, "
            "without asking and without credit."
        )
    return (
        "Not every avatar is CC0: their licenses, which whoever made this dataset accepted, bind the pictures "
        f"that show them. Each line of `{METADATA_LINES}` carries the license of its avatar."
    )


def _escape(text: str) -> str:
    # Titles and names are strangers': nothing in them may become markup.
    text = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"([\\`*_{}\[\]<>|#!])", r"\\\1", text)
