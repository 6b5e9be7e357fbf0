"""Pictures and avatars are freed once nobody uses them: facts keep neither."""

from __future__ import annotations

import gc
import weakref

import pytest

from tests.facts import observed
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.shot import Recipe

RECIPE = Recipe.model_validate(
    {"avatars": ["demo:4"], "count": 2, "seed": 3, "size": 128, "crops": "face", "azimuths": "front",
     "expressions": "happy"}
)  # fmt: skip


def references(own: GLBackend, monkeypatch: pytest.MonkeyPatch) -> list[weakref.ref]:
    """Weak references to an avatar and to the bodies in its pictures, which were observed, faces and all."""
    monkeypatch.setattr(observed, "backend", lambda: own)
    avatar = open_avatar("demo:4")
    seen = [observed.observe_shot(RECIPE, i, lambda _: avatar) for i in range(RECIPE.count)]
    assert any(s.facts.face.expression for s in seen)
    return [weakref.ref(avatar), *(weakref.ref(s.planned.view) for s in seen)]


def test_observed_pictures_and_avatars_are_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    own = GLBackend()  # which keeps the avatars that it drew last
    kept = references(own, monkeypatch)
    own.close()
    del own
    monkeypatch.undo()
    gc.collect()
    assert [r() for r in kept] == [None] * len(kept)
