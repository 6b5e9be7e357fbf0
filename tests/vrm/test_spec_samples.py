"""The VRM specification's samples look as their READMEs say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.corpus import CORPUS, needs_corpus
from vrm_synth.camera.camera import Camera
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.pose.skinning import posed_primitives
from vrm_synth.render import RenderBackend, View, open_backend
from vrm_synth.vrm import load

pytestmark = [needs_corpus, pytest.mark.corpus]


@pytest.fixture(scope="module")
def renderer() -> Iterator[RenderBackend]:
    gl = open_backend("gl")
    yield gl
    gl.close()


def picture(renderer: RenderBackend, posed: PosedAvatar, part: int, time: float = 0.0) -> np.ndarray:
    """(128, 128, 3) of one flat part of the avatar, filling the picture from its front."""
    points = posed_primitives(posed)[part][2]
    middle, height = points.mean(0), float(np.ptp(points[:, 1]))
    eye = (float(middle[0]), float(middle[1]), float(middle[2]) + 1)
    camera = Camera(eye, tuple(map(float, middle)), ortho_height=height, near=0.5, far=1.5)
    return renderer.render(posed, View(camera, (128, 128), time=time)).rgba[..., :3].astype(int)


@pytest.mark.parametrize("happy", [0.0, 0.01, 0.5, 0.51, 1.0])
@pytest.mark.parametrize("blink", [0.0, 0.5, 0.51, 1.0])
def test_a_binary_expression_is_suppressed_whole_by_any_override(renderer, happy, blink):
    assert CORPUS is not None
    avatar = load(CORPUS / "avatars/v1_isbinary_overridden.vrm")
    posed = evaluate(avatar, expressions={"happy": happy, "blink": blink})
    assert posed.expressions == {"happy": happy, "blink": float(blink > 0.5 and happy == 0.0)}
    biggest = max(range(len(posed_primitives(posed))), key=lambda k: np.ptp(posed_primitives(posed)[k][2][:, 1]))
    rgb = picture(renderer, posed, biggest)
    green = (rgb[..., 1] > 1.3 * rgb[..., 0]) & (rgb[..., 1] > 1.3 * rgb[..., 2])
    tick = np.ptp(rgb, axis=-1) < 24
    assert green.mean() > 0.6 and tick.mean() > 0.05
    assert not (rgb[..., 0] > 1.5 * rgb[..., 1]).any(), "red shows: the expressions are wrong"


def test_the_three_uv_animations_turn_rise_and_go_left(renderer):
    assert CORPUS is not None
    posed = evaluate(load(CORPUS / "avatars/v1_uv_animation.vrm"))
    rest, moved = ([picture(renderer, posed, k, time) for k in range(3)] for time in (0.0, 0.25))
    like = {
        "rises": lambda p: np.roll(p, -32, 0),
        "goes left": lambda p: np.roll(p, -32, 1),
        "falls": lambda p: np.roll(p, 32, 0),
        "goes right": lambda p: np.roll(p, 32, 1),
    }

    def movement(k: int) -> str:
        off = {name: float((np.abs(m(rest[k]) - moved[k]).max(-1) > 40).mean()) for name, m in like.items()}
        best = min(off, key=lambda name: off[name])
        return best if off[best] < 0.03 else "turns"

    assert sorted(movement(k) for k in range(3)) == ["goes left", "rises", "turns"]
    # one second at speed 1 is a whole texture further: the arrows are where they were
    for k in range(3):
        if movement(k) != "turns":
            rotated = picture(renderer, posed, k, 1.0)
            assert (np.abs(rotated - rest[k]).max(-1) > 40).mean() < 0.03
