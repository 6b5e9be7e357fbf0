"""Avatars kept in memory, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

from vrm_synth.vrm.avatar import Avatar

ROOM = 1 << 30


class AvatarCache:
    """Opens each source once while its avatar fits; the one used longest ago goes first.

    open_avatar: source → Avatar; room: bytes of arrays to keep, though never fewer than one avatar.
    """

    def __init__(self, open_avatar: Callable[[str], Avatar], room: int = ROOM):
        self._open = open_avatar
        self._room = room
        self._held: OrderedDict[str, tuple[Avatar, int]] = OrderedDict()

    def __call__(self, source: str) -> Avatar:
        """The avatar, from memory or through `open_avatar`. Raises what that raises."""
        found = self._held.pop(source, None)
        if found is None:
            avatar = self._open(source)
            found = avatar, weight(avatar)
        self._held[source] = found
        while len(self._held) > 1 and sum(w for _, w in self._held.values()) > self._room:
            self._held.popitem(last=False)
        return found[0]


def weight(avatar: Avatar) -> int:
    """Bytes of an avatar's textures and geometry."""
    return sum(_sizes(avatar))


def _sizes(avatar: Avatar) -> Iterator[int]:
    yield from (image.pixels.nbytes for image in avatar.images if image is not None)
    for mesh in avatar.meshes:
        for p in mesh.primitives:
            arrays = (p.positions, p.indices, p.normals, p.tangents, p.joints, p.weights, p.morph_positions)
            yield from (a.nbytes for a in (*arrays, p.morph_normals, p.colors, *p.tex_coords) if a is not None)
