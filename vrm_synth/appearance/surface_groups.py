"""Groups of an avatar's surface that are counted in its pictures: by part, region of the body, item and color.

A drawing can label each vertex with a number up to 255 (render.geometry_buffer.VertexLabels). Vertices of one group
have one label; a group is a mixture of features where triangles are divided by their texture or share a vertex. What
each feature has of a picture is then one small product: counts of labels times shares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vrm_synth.core.bones import BONE_NAMES, PARENT
from vrm_synth.core.transforms import Array
from vrm_synth.parts.part_names import PART_IDS, PART_NAMES
from vrm_synth.render.geometry_buffer import VertexLabels

MOST_GROUPS = 255
_MULTIPLIER = np.uint64(6364136223846793005)  # of a linear congruential generator of 64 bits
SHARE_STEPS = (8, 4, 2, 1)  # shares of a mixture are multiples of 1 / steps, the finest that MOST_GROUPS allow

# Regions of the body, by the bone that moves the surface most; "none" for what no bone moves.
REGION_OF_BONE: dict[str, str] = {}
for _bone in BONE_NAMES:
    _parent = PARENT[_bone]
    if _bone in ("spine", "chest", "upperChest", "leftShoulder", "rightShoulder"):
        REGION_OF_BONE[_bone] = "torso"
    elif _bone in ("leftEye", "rightEye", "jaw"):
        REGION_OF_BONE[_bone] = "head"
    elif _parent is not None and REGION_OF_BONE[_parent].endswith(("Hand", "Foot")):  # fingers and toes
        REGION_OF_BONE[_bone] = REGION_OF_BONE[_parent]
    else:
        REGION_OF_BONE[_bone] = _bone

# Hair that hangs below the shoulders at rest ("low"), and tails of hair by side; "" for everything else.
PLACES = ("", "low", "tail_left", "tail_right", "tail_middle", "tail_left_low", "tail_right_low", "tail_middle_low")


@dataclass(frozen=True)
class Feature:
    """The nature of a piece of surface.

    part: a name of parts.PART_NAMES. region: a value of REGION_OF_BONE, or "none". item: index into
    Appearance.items, −1 for none. color: a color's name, "" for none. place: where on a long thing, a name of PLACES.
    """

    part: str
    region: str
    item: int = -1
    color: str = ""
    place: str = ""


@dataclass(frozen=True, eq=False)
class SurfaceGroups:
    """The groups of one avatar: F features.

    labels: for View.buffers. features: of length F. shares: (256, F) float32, share of each feature in each label's
    group; row 0, the background, is 0.
    """

    labels: VertexLabels
    features: tuple[Feature, ...]
    shares: NDArray[np.float32]

    def count(self, label: NDArray[np.uint8]) -> FeaturePixels:
        """Pixels of each feature in a picture. label: (H, W), of VisibleSurface."""
        # Pillow counts bytes in 0.15 ms of a 512² picture, numpy.bincount in 0.4.
        counts = np.array(Image.fromarray(np.ascontiguousarray(label)).histogram(), np.float64)
        counts[0] = 0.0
        return FeaturePixels(self, counts @ self._shares, int(label.size))

    @cached_property
    def _shares(self) -> Array:
        return self.shares.astype(np.float64)

    def parts_of(self, last_vertex: NDArray[np.int32]) -> NDArray[np.uint8]:
        """(T,) id of the part that most of each triangle is, by its last vertex (T,); 0, unknown, of no group."""
        of_label = np.zeros((256, len(PART_NAMES)), np.float32)
        for k, feature in enumerate(self.features):
            of_label[:, PART_IDS[feature.part]] += self.shares[:, k]
        return of_label.argmax(1).astype(np.uint8)[self.labels.values[last_vertex]]


@dataclass(frozen=True, eq=False)
class FeaturePixels:
    """Pixels by feature. groups: of the surface; pixels: (F,) float64; size: number of all pixels of the picture."""

    groups: SurfaceGroups
    pixels: Array
    size: int

    @property
    def features(self) -> tuple[Feature, ...]:
        """The F features."""
        return self.groups.features

    @cached_property
    def total(self) -> float:
        """Pixels that show the figure."""
        return float(self.pixels.sum())

    def where(self, test: Callable[[Feature], bool]) -> float:
        """Pixels of the features for which `test` holds."""
        return float(sum(p for f, p in self._seen if test(f)))

    @cached_property
    def _seen(self) -> list[tuple[Feature, float]]:
        """Features in sight and their pixels."""
        return [(f, p) for f, p in zip(self.features, self.pixels.tolist(), strict=True) if p > 0]

    @cached_property
    def by_part(self) -> dict[str, float]:
        """Part → pixels."""
        return self._sums(lambda f: f.part)

    @cached_property
    def by_region(self) -> dict[str, float]:
        """Region of the body → pixels."""
        return self._sums(lambda f: f.region)

    @cached_property
    def by_item(self) -> dict[int, float]:
        """Item's index → pixels."""
        return self._sums(lambda f: f.item)

    @cached_property
    def by_item_and_color(self) -> dict[tuple[int, str], float]:
        """(item's index, color's name) → pixels."""
        return self._sums(lambda f: (f.item, f.color))

    def _sums(self, key: Callable[[Feature], object]) -> dict:
        sums: dict = {}
        for f, p in self._seen:
            k = key(f)
            sums[k] = sums.get(k, 0.0) + p
        return sums


def group_surface(
    vertex_count: int,
    last_vertex: NDArray[np.int32],
    triangle: NDArray[np.intp],
    area: Array,
    feature: NDArray[np.intp],
    features: Sequence[Feature],
) -> SurfaceGroups:
    """Group a surface of N cells, each of one feature.

    vertex_count: drawn vertices. last_vertex: (T,) number of each triangle's last vertex, whose label it shows.
    triangle, area, feature: (N,) the cells: triangle, square metres, index into `features`.
    """
    if not len(triangle):
        return SurfaceGroups(VertexLabels(np.zeros(vertex_count, np.uint8)), (), np.zeros((256, 0), np.float32))
    weight = np.zeros((vertex_count, len(features)), np.float32)
    np.add.at(weight, (last_vertex[triangle], feature), area)
    total = weight.sum(1)
    used = total > 0
    share = weight[used] / total[used, None]
    for steps in SHARE_STEPS:
        rounded = np.round(share * steps).astype(np.uint8)
        empty = rounded.sum(1) == 0
        rounded[empty, share[empty].argmax(1)] = steps
        unique, back = _unique_rows(rounded)
        if len(unique) <= MOST_GROUPS:
            break
    groups = unique.astype(np.float32)
    if len(groups) > MOST_GROUPS:
        groups, back = _merge_rarest(groups, back, total[used])
    values = np.zeros(vertex_count, np.uint8)
    values[used] = (back + 1).astype(np.uint8)
    shares = np.zeros((256, len(features)), np.float32)
    shares[1 : 1 + len(groups)] = groups / groups.sum(1, keepdims=True)
    return SurfaceGroups(VertexLabels(values), tuple(features), shares)


def _unique_rows(rows: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """The different rows (G, F) of (N, F), and (N,) the index of each row's; by a hash, ten times as fast as sorting
    rows."""
    powers = np.cumprod(np.full(rows.shape[1], _MULTIPLIER, np.uint64))
    _, first, back = np.unique(rows.astype(np.uint64) @ powers, return_index=True, return_inverse=True)
    unique, back = rows[first], back.reshape(-1)
    if (unique[back] != rows).any():  # two rows of one hash
        unique, back = np.unique(rows, axis=0, return_inverse=True)
    return unique, back.reshape(-1)


def _merge_rarest(
    groups: NDArray[np.float32], back: NDArray[np.intp], area: Array
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Keep the largest MOST_GROUPS − 1 of G groups (G, F), and merge the others into one that is their mean."""
    own = np.bincount(back, area, len(groups))
    order = np.argsort(-own, kind="stable")
    kept, rest = order[: MOST_GROUPS - 1], order[MOST_GROUPS - 1 :]
    mean = (groups[rest] * own[rest, None]).sum(0) / own[rest].sum()
    place = np.full(len(groups), MOST_GROUPS - 1, np.intp)
    place[kept] = np.arange(len(kept))
    return np.concatenate([groups[kept], mean[None].astype(np.float32)]), place[back]


def region_name(bone: int) -> str:
    """Region of the body of a bone's index in BONE_NAMES; "none" for −1."""
    return "none" if bone < 0 else REGION_OF_BONE[BONE_NAMES[bone]]
