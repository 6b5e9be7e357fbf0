"""Pictures and captions for a blind audit: readers see the pictures first, then judge the captions claim by claim.

    python benchmarks/caption_audit.py OUT [--pictures 120] [--seed 2026] [--style en_long]

Half of the pictures are of the ten skinned shared avatars with the overrides of tests/parts/part_overrides.yaml, half
of built-in avatars; without the corpus all are built-in. OUT/pictures/ has the pictures and sheets of six,
OUT/captions.json what is said of each, OUT/shots.json how each came about. docs/captions/ has past audits and how a
reader is asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.corpus import avatar_files
from tests.facts.observed import observe_shot
from tests.facts.real_oracle import load_real_answers
from tests.parts.answer_sheet import load_overrides
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.caption import CaptionSettings, caption
from vrm_synth.core.rng import rng
from vrm_synth.shot import Recipe, source_at

MEMBERS = 100_000  # of the built-in family, to draw from
SIDE = 512
COLUMNS, ROWS = 3, 2


def recipes(pictures: int, seed: int) -> list[Recipe]:
    """A recipe of the shared avatars and one of the built-in family, half of the pictures each."""
    files = [str(path) for path in avatar_files() if path.name in load_real_answers()]
    of_files = pictures // 2 if files else 0
    members = rng(seed, "caption audit", 0).integers(MEMBERS, size=pictures - of_files)
    out = [Recipe.model_validate({"avatars": [f"demo:{m}" for m in members], "count": len(members), "seed": seed})]
    if files:
        out.append(Recipe.model_validate({"avatars": files, "count": of_files, "seed": seed}))
    return out


def sheets(pictures: list[Path], folder: Path) -> None:
    """Contact sheets of COLUMNS × ROWS pictures, each with its number."""
    for first in range(0, len(pictures), COLUMNS * ROWS):
        sheet = Image.new("RGB", (COLUMNS * SIDE, ROWS * (SIDE + 24)), "white")
        draw = ImageDraw.Draw(sheet)
        for k, path in enumerate(pictures[first : first + COLUMNS * ROWS]):
            x, y = k % COLUMNS * SIDE, k // COLUMNS * (SIDE + 24)
            sheet.paste(Image.open(path), (x, y + 24))
            draw.text((x + 4, y + 4), path.stem, fill="black", font_size=16)
        sheet.save(folder / f"sheet_{first:03d}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pictures", type=int, default=120)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--style", default="en_long")
    options = parser.parse_args()
    folder = options.out / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    opened, overrides = lru_cache(maxsize=16)(open_avatar), load_overrides()
    settings = CaptionSettings(style=options.style)
    planned = [(recipe, i) for recipe in recipes(options.pictures, options.seed) for i in range(recipe.count)]
    order = rng(options.seed, "caption audit order", 0).permutation(len(planned))
    captions, shots, paths = {}, {}, []
    for number, k in enumerate(tqdm(order.tolist(), unit="picture")):
        recipe, i = planned[k]
        name = Path(source_at(recipe, i)).name
        seen = observe_shot(recipe, i, opened, overrides.get(name))
        key = f"{number:03d}"
        rgba = seen.rgba.astype(np.float64)
        shown = rgba[..., :3] * rgba[..., 3:] / 255 + 255 - rgba[..., 3:]
        Image.fromarray(shown.round().astype(np.uint8)).save(folder / f"{key}.png")
        paths.append(folder / f"{key}.png")
        captions[key] = caption(seen.facts, settings, seed=seen.planned.shot.choices.wording)
        shots[key] = {"avatar": name, "i": i, "seed": options.seed, "facts": seen.facts.to_json()}
    sheets(paths, folder)
    (options.out / "captions.json").write_text(json.dumps(captions, indent=1, ensure_ascii=False), encoding="utf-8")
    (options.out / "shots.json").write_text(json.dumps(shots, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
