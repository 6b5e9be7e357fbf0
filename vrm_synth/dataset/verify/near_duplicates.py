"""Find near-duplicates: perceptual hashes of pictures, and groups of those whose hashes are close.

A report and no more: two pictures of one avatar in one pose are what a recipe asked for, and nothing is drawn again.

The hash is ImageHash's pHash of 16 × 16 = 256 bits. The usual 64 bits see little but the framing of one figure before
a plain background: of 160 pictures of the built-in family at 256², all different, 12 pairs lie within 8 of 64 bits,
while the nearest of 256 bits are 60 apart. The same picture as JPEG of quality 80 is at most 4 of 256 bits away, at
half the size 2, 10 % brighter 16; moved by two pixels about 30, which is another picture.

Two hashes within distance d agree in at least k of d + k bands of their bits: the pigeonhole principle, so that
nothing is missed. Only hashes that share k bands are compared. One band is quickest for few (a million random hashes
take 30 s, and ten times as many a hundred times as long), two for many (a million 37 s, growing in proportion).
Equal hashes are one before that, or a dataset of one picture a million times would take a million squared.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import ExtraError

if TYPE_CHECKING:
    from PIL import Image

SIDE = 16  # of the hash: SIDE² bits
NEAR = 16  # bits of SIDE² that near-duplicates differ in at most
TWO_BANDS_FROM = 1_000_000  # hashes, from which two bands are quicker than one
MAX_PAIRS = 1 << 20  # pairs that are compared at once: 64 MiB
Hashes = NDArray[np.uint8]  # (n, SIDE² / 8)


def perceptual_hash(picture: Image.Image) -> NDArray[np.uint8]:
    """The hash of a picture over white, (SIDE² / 8,) uint8. Raises ExtraError where ImageHash is missing."""
    imagehash = import_imagehash()
    from PIL import Image

    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.packbits(imagehash.phash(picture, hash_size=SIDE).hash.ravel())


def import_imagehash() -> Any:
    """The imagehash module. Raises ExtraError where it is missing."""
    try:
        import imagehash
    except ImportError as e:
        allowed = "pip install 'vrm-synth[tables]'"
        raise ExtraError("near-duplicates need ImageHash, which is not installed", allowed=allowed) from e
    return imagehash


def near_groups(hashes: Hashes, distance: int = NEAR) -> list[tuple[int, ...]]:
    """Indices of pictures that a chain of steps of at most `distance` bits joins: the groups of two and more, each
    ascending, in order of their first.

    hashes: (n, bytes) uint8.
    """
    if not len(hashes):
        return []
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    unique, inverse = np.unique(hashes, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    pairs = [*near_pairs(unique, distance)]
    a, b = (np.concatenate([p[k] for p in pairs]) if pairs else np.empty(0, np.int64) for k in (0, 1))
    graph = coo_array((np.ones(len(a), bool), (a, b)), shape=(len(unique),) * 2)
    member = connected_components(graph, directed=False)[1][inverse]
    order = np.argsort(member, kind="stable")
    ends = np.flatnonzero(np.diff(member[order], append=-1)) + 1
    groups = (tuple(group.tolist()) for group in np.split(order, ends[:-1]) if len(group) > 1)
    return sorted(groups)


def near_pairs(hashes: Hashes, distance: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs of different rows within `distance` bits, as two arrays of indices; a pair may come more than once."""
    words = _words(hashes)
    agreeing = 1 if len(hashes) < TWO_BANDS_FROM else 2
    bands = np.array_split(np.unpackbits(hashes, axis=1), distance + agreeing, axis=1)
    for shared in itertools.combinations(bands, agreeing):
        value = _words(np.packbits(np.concatenate(shared, axis=1), axis=1))
        order = np.lexsort(value.T)
        value = value[order]
        starts = np.concatenate([[0], np.flatnonzero((value[1:] != value[:-1]).any(axis=1)) + 1, [len(value)]])
        for left, right in _within(starts):
            a, b = order[left], order[right]
            near = np.bitwise_count(words[a] ^ words[b]).sum(axis=1) <= distance
            if near.any():
                yield a[near], b[near]


def _within(starts: NDArray[np.int64]) -> Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Every pair of positions within a bucket, starts[k] to starts[k + 1], in parts of about MAX_PAIRS pairs."""
    ends = np.repeat(starts[1:], np.diff(starts))
    partners = ends - np.arange(len(ends)) - 1  # of each position, those after it in its bucket
    first = 0
    total = np.cumsum(partners)
    while first < len(ends):
        before = total[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(total, before + MAX_PAIRS, "right")))
        left = np.repeat(np.arange(first, last), partners[first:last])
        if len(left):
            offset = np.arange(len(left)) - np.repeat(
                total[first:last] - partners[first:last] - before, partners[first:last]
            )
            yield left, left + 1 + offset
        first = last


def _words(rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The rows' bytes as whole 64-bit words, zeros added."""
    room = -rows.shape[1] % 8
    return np.ascontiguousarray(np.pad(rows, ((0, 0), (0, room)))).view(np.uint64)
