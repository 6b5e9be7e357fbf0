"""Small real datasets, and the ways to break them."""

from __future__ import annotations

from vrm_synth.avatar import Avatar
from vrm_synth.caption import english
from vrm_synth.dataset.encode import encode_png
from vrm_synth.dataset.reader import Sample
from vrm_synth.dataset.take import take
from vrm_synth.render import Renderer
from vrm_synth.shot import Recipe, shot_at


def drawn(renderer: Renderer, avatar: Avatar, count: int, **settings: object) -> list[Sample]:
    """Samples of the built-in avatar."""
    recipe = Recipe.model_validate(
        {"avatars": ["demo"], "count": count, "size": 32, "settle_seconds": None, **settings}
    )
    samples = []
    for i in range(count):
        shot = shot_at(recipe, i, lambda source: avatar)
        caption = english(shot.labels)
        row = {
            "caption": caption, "i": i, "seed": recipe.seed, "avatar": "demo", "avatar_sha256": avatar.sha256,
            "licence": "CC0-1.0", "renderer": renderer.device, "shot": shot.to_json(),
        }  # fmt: skip
        samples.append(Sample(shot.id, encode_png(take(renderer, avatar, shot)[1].rgba), "png", caption, row))
    return samples
