"""Part labels for people: rows of what decided, as JSON-able values and as lines; pictures in the labels' colors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrm_synth.parts.labeling import MOST_TRIANGLES, label_parts, measured
from vrm_synth.parts.overrides import PartOverrides
from vrm_synth.parts.part_labels import PartLabels
from vrm_synth.parts.part_names import PART_NAMES
from vrm_synth.parts.rest_picture import draw_at_rest, painted
from vrm_synth.vrm.avatar import Avatar

SHOWN = 4  # names in one line
LEAST_SHARE = 0.0005  # of the surface that a row of its own needs


def parts_report(labels: PartLabels) -> list[dict[str, Any]]:
    """The evidence of the labels as JSON has it: part, why, subject, share of the surface (0..1), largest first."""
    return [
        {"part": e.part, "why": e.why, "subject": e.subject, "share": round(e.share, 4)}
        for e in labels.evidence
        if e.share >= LEAST_SHARE
    ]


def format_parts(rows: list[dict[str, Any]]) -> str:
    """Format parts_report() as lines for a terminal, control characters removed; "" where nothing is drawn."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["part"], row["why"]), []).append(row)
    totals = {key: sum(row["share"] for row in several) for key, several in groups.items()}
    lines: list[str] = []
    for part, why in sorted(groups, key=lambda key: -totals[key]):
        subjects = list(dict.fromkeys(row["subject"] or "unnamed" for row in groups[part, why]))
        more = f" and {len(subjects) - SHOWN} more" if len(subjects) > SHOWN else ""
        label = "" if lines else "parts"
        text = f"{label:<12}  {totals[part, why]:6.1%}  {part:<14} {why or 'nothing tells'}: "
        text += ", ".join(subjects[:SHOWN]) + more
        lines.append("".join(c if c.isprintable() else " " for c in text))
    return "\n".join(lines)


def part_pictures(
    avatar: Avatar, overrides: PartOverrides | None, side: int
) -> list[tuple[str, str, NDArray[np.uint8]]]:
    """(title, parts shown, (side, side, 3) uint8) of the labels at rest: front, back, and the head from the front."""
    if avatar.triangle_count > MOST_TRIANGLES:
        return []
    surface, regions = measured(avatar)
    if not len(surface.area):
        return []
    labels = label_parts(avatar, overrides)
    everything, head = np.ones(len(surface.area), np.bool_), surface.in_zone("head", "eye")
    views = [("parts, front", 0.0, everything), ("parts, back", 180.0, everything)]
    if head.any():
        views.append(("parts, head", 0.0, head))
    out = []
    for title, degrees, framed in views:
        picture = draw_at_rest(surface, regions, degrees, framed, side)
        seen = np.bincount(labels.at(picture.triangle, picture.uv)[picture.triangle >= 0], minlength=len(PART_NAMES))
        shown = [PART_NAMES[k] for k in np.argsort(-seen, kind="stable") if seen[k]]
        out.append((title, ", ".join(shown), painted(picture, labels)))
    return out
