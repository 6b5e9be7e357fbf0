"""A cache of loaded avatars, limited in bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

from vrm_synth.vrm.avatar import Avatar

MAX_BYTES = 1 << 30


class AvatarCache:
    """Loads each source once while its avatar fits; the least recently used one is dropped first.

    open_avatar: source → Avatar.
    max_bytes: of arrays to keep; one avatar is kept whatever its size.
    """

    def __init__(self, open_avatar: Callable[[str], Avatar], max_bytes: int = MAX_BYTES):
        self._open = open_avatar
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, tuple[Avatar, int]] = OrderedDict()

    def __call__(self, source: str) -> Avatar:
        """The avatar, from memory or through `open_avatar`. Raises what that raises."""
        entry = self._entries.pop(source, None)
        if entry is None:
            avatar = self._open(source)
            entry = avatar, size_in_bytes(avatar)
        self._entries[source] = entry
        while len(self._entries) > 1 and sum(size for _, size in self._entries.values()) > self._max_bytes:
            self._entries.popitem(last=False)
        return entry[0]


def size_in_bytes(avatar: Avatar) -> int:
    """Size of an avatar's textures and geometry, bytes."""
    return sum(_sizes(avatar))


def _sizes(avatar: Avatar) -> Iterator[int]:
    yield from (image.pixels.nbytes for image in avatar.images if image is not None)
    for mesh in avatar.meshes:
        for p in mesh.primitives:
            arrays = (p.positions, p.indices, p.normals, p.tangents, p.joints, p.weights, p.morph_positions)
            yield from (a.nbytes for a in (*arrays, p.morph_normals, p.colors, *p.tex_coords) if a is not None)
