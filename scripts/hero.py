"""Render docs/images/hero.png, the picture at the top of the README: the built-in family in a row.

python scripts/hero.py
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.dataset.render_shot import render_shot
from vrm_synth.render import open_backend
from vrm_synth.shot import preset_shot
from vrm_synth.stage.backgrounds import background

PAGE = Path(__file__).resolve().parents[1] / "docs" / "images" / "hero.png"
TILE = (288, 480)  # pixels, width and height
# source, pose, view, expressions, background
TILES: tuple[tuple[str, str, str, dict[str, float], str], ...] = (
    ("demo", "double_peace", "cowboy_front_level", {"happy": 1.0}, "light blue"),
    ("demo:1", "thumbs_up", "cowboy_three_quarter_left_level", {"relaxed": 0.6}, "beige"),
    ("demo:2", "hands_clasped", "bust_three_quarter_right_level", {"relaxed": 1.0}, "lavender"),
    ("demo:3", "jump", "full_front_level", {"happy": 1.0}, "light green"),
    ("demo:4", "looking_back", "cowboy_back_level", {}, "pink"),
    ("demo:5", "hug_knees", "full_three_quarter_left_high", {"relaxed": 0.7}, "light gray"),
)


def main() -> None:
    renderer = open_backend("gl")
    tiles = []
    for source, pose, view, expressions, behind in TILES:
        avatar = open_avatar(source)
        shot = preset_shot(avatar, source, pose, view, size=TILE, supersample=4)
        shot = replace(shot.with_figure(expressions=expressions, settle_seconds=1.0), background=background(behind))
        tiles.append(render_shot(renderer, avatar, shot)[1].rgba)
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(tiles, 1)).convert("RGB").save(PAGE, optimize=True)
    print(PAGE.relative_to(PAGE.parents[2]))


if __name__ == "__main__":
    main()
