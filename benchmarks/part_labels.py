"""How right part labels are, against answers made by looking at the pictures (tests/parts/answer_sheet.yaml).

    python benchmarks/part_labels.py [--avatars ../shared/avatars] [--paint FOLDER] [--csv FILE]

A row an avatar: precision (of the pixels that have a label and an answer, the share whose label is the answer) and
coverage (of the pixels that have an answer, the share that has a label) by names alone, by the texture alone, by both,
and with the overrides of part_overrides.yaml. Pixels are those of the figure at rest from six sides and of its head
from three. --paint writes unlit pictures, labels and mistakes, side by side.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.parts.answer_sheet import accepted, load_answers, load_overrides, rule_of_pixel  # noqa: E402
from tests.parts.rest_pictures import rest_pictures  # noqa: E402
from vrm_synth.parts import PART_NAMES, PartLabels, label_parts  # noqa: E402
from vrm_synth.parts.labeling import SOURCES, measured  # noqa: E402
from vrm_synth.parts.rest_picture import RestPicture, painted  # noqa: E402
from vrm_synth.parts.surface import Surface  # noqa: E402
from vrm_synth.vrm import load  # noqa: E402

Rules = list[dict[str, Any]]
COLUMNS = ("names", "texture", "both", "overrides")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--avatars", type=Path, default=ROOT.parent / "shared" / "avatars")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--paint", type=Path)
    parser.add_argument("--csv", type=Path)
    args = parser.parse_args()
    overrides = load_overrides()
    rows: list[dict[str, str]] = []
    sums: Counter[str] = Counter()
    for file, rules in load_answers().items():
        if args.only and Path(file).stem not in args.only:
            continue
        avatar = load(args.avatars / file)
        surface, _ = measured(avatar)
        pictures = rest_pictures(avatar)
        asked: dict[str, PartLabels] = {
            **{s: label_parts(avatar, sources=(s,)) for s in SOURCES},
            "both": label_parts(avatar),
            "overrides": label_parts(avatar, overrides[file]) if file in overrides else label_parts(avatar),
        }
        names = [avatar.nodes[n].name for n in surface.triangles.node_of]
        pixels = [answers(p, rules, surface, names) for p in pictures]
        row: dict[str, str] = {"avatar": Path(file).stem}
        for column, labels in asked.items():
            right, labeled, judged, wrong = score(labels, pictures, pixels, rules)
            sums.update({f"{column} right": right, f"{column} labeled": labeled, f"{column} judged": judged})
            row[f"{column} precision"] = f"{right / labeled:.4f}" if labeled else "–"
            row[f"{column} coverage"] = f"{labeled / judged:.4f}"
            if column in ("texture", "both"):
                for (got, wanted), n in wrong.most_common(5):
                    print(f"  {file} {column}: {n / max(labeled, 1):.4f} {got}, should be {wanted}", file=sys.stderr)
        rows.append(row)
        print("  ".join(f"{k} {v}" for k, v in row.items()))
        if args.paint:
            paint(args.paint / f"p13c_labels_{Path(file).stem}.png", pictures, asked["both"], pixels, rules)
    for column in COLUMNS:
        right, labeled, judged = (sums[f"{column} {k}"] for k in ("right", "labeled", "judged"))
        print(f"all, {column}: precision {right / max(labeled, 1):.4f}, coverage {labeled / max(judged, 1):.4f}")
    if args.csv:
        with args.csv.open("w", newline="", encoding="utf-8") as f:
            writer = csv.DictWriter(f, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def answers(picture: RestPicture, rules: Rules, surface: Surface, names: list[str]) -> np.ndarray:
    """(H, W) index of the rule that fits each pixel, −1 where none does."""
    hit = picture.triangle >= 0
    position = (picture.position[hit] - [0, surface.floor, 0]) / (surface.top - surface.floor)
    out = np.full(hit.shape, -1)
    out[hit] = rule_of_pixel(rules, position, picture.rgb[hit], [names[t] for t in picture.triangle[hit]])
    return out


def score(
    labels: PartLabels, pictures: list[RestPicture], pixels: list[np.ndarray], rules: Rules
) -> tuple[int, int, int, Counter[tuple[str, str]]]:
    """(right, labeled, judged, mistakes) counted in pixels."""
    table = np.stack([accepted(r) for r in rules])
    right = labeled = judged = 0
    wrong: Counter[tuple[str, str]] = Counter()
    for picture, rule in zip(pictures, pixels, strict=True):
        known = rule >= 0
        label = labels.at(picture.triangle, picture.uv)[known]
        fits = table[rule[known], label]
        judged += int(known.sum())
        labeled += int((label > 0).sum())
        right += int((fits & (label > 0)).sum())
        bad = ~fits & (label > 0)
        for r, got in zip(rule[known][bad].tolist(), label[bad].tolist(), strict=True):
            wrong[PART_NAMES[got], str(rules[r]["part"])] += 1
    return right, labeled, judged, wrong


def paint(path: Path, pictures: list[RestPicture], labels: PartLabels, pixels: list[np.ndarray], rules: Rules) -> None:
    table, columns = np.stack([accepted(r) for r in rules]), []
    for picture, rule in [(pictures[k], pixels[k]) for k in (0, 2, 6, 7)]:
        label = labels.at(picture.triangle, picture.uv)
        shown = picture.triangle >= 0
        verdict = np.full((*shown.shape, 3), 255, np.uint8)
        verdict[shown] = (200, 200, 200)
        known = (rule >= 0) & (label > 0)
        verdict[known] = np.where(table[rule[known], label[known]][:, None], (120, 200, 120), (255, 0, 0))
        columns.append(np.vstack([picture.rgb, painted(picture, labels), verdict]))
    PIL.Image.fromarray(np.hstack(columns)).save(path)


if __name__ == "__main__":
    main()
