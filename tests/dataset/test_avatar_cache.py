"""The avatar cache: avatars are opened once while there is room, and the least recently used is evicted."""

from __future__ import annotations

import numpy as np

from tests.tiny import avatar, square
from vrm_synth.dataset.avatar_cache import AvatarCache, size_in_bytes
from vrm_synth.gltf.model import Material


def big(side: int):
    return avatar([(square(), Material())], images=[np.zeros((side, side, 4), np.uint8)])


def cached(room):
    opened = []

    def open_avatar(source):
        opened.append(source)
        return big(16)

    return AvatarCache(open_avatar, room), opened


def test_the_size_of_an_avatar_counts_textures_and_geometry():
    assert size_in_bytes(big(32)) - size_in_bytes(big(16)) == (32 * 32 - 16 * 16) * 4
    assert size_in_bytes(big(16)) > 16 * 16 * 4


def test_an_avatar_is_opened_once_while_there_is_room():
    cache, opened = cached(10 * size_in_bytes(big(16)))
    assert cache("a") is cache("a") and cache("b") is cache("b")
    assert cache("a") is cache("a") and opened == ["a", "b"]


def test_the_least_recently_used_avatar_is_evicted():
    cache, opened = cached(2 * size_in_bytes(big(16)))
    for source in "abacabc":
        cache(source)
    assert "".join(opened) == "abcbc"


def test_one_avatar_is_kept_however_large():
    cache, opened = cached(1)
    assert cache("a") is cache("a") and opened == ["a"]
    cache("b"), cache("a")
    assert opened == ["a", "b", "a"]
