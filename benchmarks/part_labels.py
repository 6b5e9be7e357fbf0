"""How right part labels are: real avatars against answers by eye, the built-in family against its construction.

    python benchmarks/part_labels.py [--avatars ../shared/avatars] [--only crimsom demo:1] [--paint FOLDER] [--mistakes]

A row an avatar: precision (of the pixels that have a label and an answer, the share whose label is the answer) and
coverage (of the pixels that have an answer, the share that has a label), in percent, by names alone, by the texture
alone, by both, and with the overrides of tests/parts/part_overrides.yaml. The texture alone speaks of an avatar without
any name; which of the built-in hair is a tail does not count there. Pixels are those of the figure at rest from six
sides and of its head from three. --paint writes unlit pictures, labels and mistakes below each other.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.parts.answer_sheet import accepted, load_answers, load_overrides, rule_of_pixel  # noqa: E402
from tests.parts.construction import construction, outfit_of, scrubbed  # noqa: E402
from tests.parts.rest_pictures import rest_pictures  # noqa: E402
from vrm_synth.builtin_avatar.open_avatar import open_avatar  # noqa: E402
from vrm_synth.parts import PART_NAMES, PartLabels, PartOverrides, label_parts  # noqa: E402
from vrm_synth.parts.labeling import SOURCES, measured  # noqa: E402
from vrm_synth.parts.part_names import HAIR  # noqa: E402
from vrm_synth.parts.rest_picture import RestPicture, painted  # noqa: E402
from vrm_synth.vrm.avatar import Avatar  # noqa: E402

FAMILY = tuple(f"demo:{k}" for k in range(6))
COLUMNS = ("names", "texture", "both", "overrides")


@dataclass(frozen=True, eq=False)
class Answers:
    """Pictures of an avatar and what is right in them.

    rows: for each picture (H, W) row of the table, −1 where nothing is judged.
    table: (n, len(PART_NAMES)) labels that are right; loose: the same with any hair for any hair.
    """

    pictures: list[RestPicture]
    rows: list[NDArray[np.intp]]
    table: NDArray[np.bool_]

    @property
    def loose(self) -> NDArray[np.bool_]:
        out = self.table.copy()
        hair = np.array(sorted(HAIR))
        out[np.ix_(out[:, hair].any(1), hair)] = True
        return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--avatars", type=Path, default=ROOT.parent / "shared" / "avatars")
    parser.add_argument("--only", nargs="*", default=[], help="names of avatars, without .vrm")
    parser.add_argument("--paint", type=Path, help="folder for pictures")
    parser.add_argument("--mistakes", action="store_true", help="print the most frequent ones")
    args = parser.parse_args()
    sheets, overrides = load_answers(), load_overrides()
    print("precision / coverage, %".ljust(24) + "".join(f"{c:>16}" for c in COLUMNS))
    for title, names in (("real avatars", list(sheets)), ("built-in family", list(FAMILY))):
        sums: Counter[str] = Counter()
        for name in names:
            if args.only and name.removesuffix(".vrm") not in args.only:
                continue
            avatar = open_avatar(name if name in FAMILY else str(args.avatars / name))
            truth = by_construction(avatar) if name in FAMILY else by_eye(avatar, sheets[name])
            row = measure(avatar, truth, overrides.get(name), args.mistakes)
            sums.update({f"{c} {k}": n for c, counts in row.items() for k, n in zip("rlj", counts, strict=True)})
            print(line(name.removesuffix(".vrm"), row))
            if args.paint:
                paint(args.paint / f"parts_{Path(name).stem.replace(':', '_')}.png", truth, label_parts(avatar))
        print(line(title, {c: (sums[f"{c} r"], sums[f"{c} l"], sums[f"{c} j"]) for c in COLUMNS}))


def line(name: str, row: dict[str, tuple[int, int, int]]) -> str:
    """A row of the table from (right, labeled, judged) by column."""
    cells = []
    for right, labeled, judged in (row[c] for c in COLUMNS):
        precision = f"{100 * right / labeled:.2f}" if labeled else "–"
        cells.append(f"{precision} / {100 * labeled / max(judged, 1):5.1f}")
    return name.ljust(24) + "".join(f"{c:>16}" for c in cells)


def by_eye(avatar: Avatar, rules: list[dict]) -> Answers:
    surface, _ = measured(avatar)
    names = np.array([avatar.nodes[n].name for n in surface.triangles.node_of])
    pictures, rows = rest_pictures(avatar), []
    for p in pictures:
        hit = p.triangle >= 0
        position = (p.position[hit] - [0, surface.floor, 0]) / (surface.top - surface.floor)
        row = np.full(hit.shape, -1)
        row[hit] = rule_of_pixel(rules, position, p.rgb[hit], names[p.triangle[hit]].tolist())
        rows.append(row)
    return Answers(pictures, rows, np.stack([accepted(r) for r in rules]))


def by_construction(avatar: Avatar) -> Answers:
    pictures = rest_pictures(avatar)
    table = construction(avatar, measured(avatar)[0], outfit_of(avatar))
    return Answers(pictures, [p.triangle.astype(np.intp) for p in pictures], table)


def measure(
    avatar: Avatar, truth: Answers, overrides: PartOverrides | None, mistakes: bool
) -> dict[str, tuple[int, int, int]]:
    """(right, labeled, judged) pixels by column."""
    names, texture = SOURCES
    asked: dict[str, PartLabels] = {
        "names": label_parts(avatar, sources=(names,)),
        "texture": label_parts(scrubbed(avatar, targets=True), sources=(texture,)),
        "both": label_parts(avatar),
        "overrides": label_parts(avatar, overrides),
    }
    out = {}
    for column, labels in asked.items():
        right = labeled = judged = 0
        wrong: Counter[str] = Counter()
        table = truth.loose if column == "texture" else truth.table
        for picture, rows in zip(truth.pictures, truth.rows, strict=True):
            known = rows >= 0
            label = labels.at(picture.triangle, picture.uv)[known]
            fits = table[rows[known], label] & (label > 0)
            right, labeled, judged = right + int(fits.sum()), labeled + int((label > 0).sum()), judged + len(label)
            for row, got in zip(rows[known][~fits & (label > 0)], label[~fits & (label > 0)], strict=True):
                wrong[f"{PART_NAMES[got]} for {' or '.join(np.array(PART_NAMES)[table[row]])}"] += 1
        out[column] = right, labeled, judged
        for text, count in wrong.most_common(5 if mistakes else 0):
            print(f"    {column}: {100 * count / labeled:.2f} % {text}")
    return out


def paint(path: Path, truth: Answers, labels: PartLabels) -> None:
    columns = []
    for picture, rows in [(truth.pictures[k], truth.rows[k]) for k in (0, 2, 6, 7)]:
        label = labels.at(picture.triangle, picture.uv)
        verdict = np.where((picture.triangle >= 0)[..., None], 200, 255).repeat(3, -1).astype(np.uint8)
        known = (rows >= 0) & (label > 0)
        verdict[known] = np.where(truth.table[rows[known], label[known]][:, None], (120, 200, 120), (255, 0, 0))
        columns.append(np.vstack([picture.rgb, painted(picture, labels), verdict]))
    PIL.Image.fromarray(np.hstack(columns)).save(path)


if __name__ == "__main__":
    main()
