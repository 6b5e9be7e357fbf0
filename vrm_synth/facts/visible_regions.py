"""Which regions of a body a picture shows, by their pixels: the counted ones, against those of the region unhidden."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.surface_groups import REGION_OF_BONE, region_name
from vrm_synth.camera.framing import project
from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.core.transforms import Array
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.pose.phrases import REGIONS
from vrm_synth.shot.body_parts import MIN_BONE_VERTICES, BodyParts

# Least pixels of a region for it to be spoken of, of a picture of 512 × 512.
MIN_PIXELS = {"Hand": 60, "Foot": 60, "LowerArm": 80, "UpperArm": 80, "LowerLeg": 100, "UpperLeg": 120}
MIN_MIDDLE_PIXELS = 150  # the same of the head, the neck, the torso and the hips
MIN_SHARE = 0.4  # least part of the pixels that a region would have if nothing hid or cut it
MIN_MIDDLE_SHARE = 0.25  # the same of the middle regions, which hair and arms cover in part
LARGE, MIN_LARGE_SHARE = 8, 0.25  # a region of so many times the least pixels needs but this share
PARTLY_HIDDEN, MIN_PARTLY_HIDDEN = 5, 0.12  # the same of a hand whose forearm shows
SAMPLES = 40  # triangles of a region whose pixels are estimated
DIRECTIONS = np.stack([np.cos(np.arange(12) * np.pi / 6), np.sin(np.arange(12) * np.pi / 6)])  # (2, 12)


@dataclass(frozen=True, eq=False)
class _Patches:
    """Triangles sampled from each of R regions by their area at rest: K of each.

    regions: their names. corners: (R, K, 3) indices of vertices. area: (R, K) their own square metres; each stands for
    `each` (R,) of them.
    """

    regions: tuple[str, ...]
    corners: NDArray[np.intp]
    area: Array
    each: Array


_PATCHES: WeakKeyDictionary[BodyParts, _Patches] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class VisibleRegions:
    """The regions of the body in one picture."""

    drawn: DrawnBody

    def shows(self, bone: str) -> bool:
        """True where the picture shows enough of a bone's region (a finger's is its hand), or of a phrase's region:
        of the torso, of one of the legs, of a palm's hand."""
        if bone == "legs":
            return any(self.shows(b) for b in REGIONS[bone])
        region = _region_of(bone)
        is_finger = bone not in REGIONS and bone != region and region.endswith("Hand")
        if region.endswith("Hand") and not is_finger and region not in self._expected:  # the arm ends without a hand
            return self.shows(region.removesuffix("Hand") + "LowerArm")
        if is_finger and vertex_counts(self.drawn.view.parts)[bone] < MIN_BONE_VERTICES:
            return False  # a finger must have a surface of its own
        least, share = thresholds(region)
        pixels = self.pixels(region) / self.drawn.scale
        if pixels >= least and self.share(region) >= (MIN_LARGE_SHARE if pixels >= LARGE * least else share):
            return True
        if region.endswith("Hand") and pixels >= PARTLY_HIDDEN * least and self.share(region) >= MIN_PARTLY_HIDDEN:
            return self.shows(region.removesuffix("Hand") + "LowerArm")  # which leads the eye to the hand
        return False

    def shows_framed(self, bone: str) -> bool:
        """True where the picture shows enough of what it frames of a bone's region: its edge may cut the rest, but
        nothing hides it."""
        region = _region_of(bone)
        least, share = thresholds(region)
        expected = self._expected.get(region, 0.0) * self.framed_share(region)
        pixels = self.pixels(region)
        return pixels >= least * self.drawn.scale and pixels >= share * expected

    def framed_share(self, region: str) -> float:
        """Part of a region's surface, as the camera sees it, that lies inside the picture; 0 where it has none."""
        return self._framed.get(region, 0.0)

    def pixels(self, region: str) -> float:
        """Pixels that show the region."""
        return self.drawn.pixels.by_region.get(region, 0.0)

    def share(self, region: str) -> float:
        """The region's pixels, as a part of those that it would have if nothing hid or cut it; 0 where it has no
        surface."""
        expected = self._expected.get(region, 0.0)
        return round(self.pixels(region) / expected, 4) if expected > 0 else 0.0

    @property
    def _expected(self) -> dict[str, float]:
        return self._measured[0]

    @property
    def _framed(self) -> dict[str, float]:
        return self._measured[1]

    @cached_property
    def _measured(self) -> tuple[dict[str, float], dict[str, float]]:
        # A closed surface covers half of what its triangles cover each by itself; layers of cloth cover more than
        # once, so that what lies between the outermost points is an upper bound.
        view, patches = self.drawn.view, _patches(self.drawn.view.parts)
        count = len(patches.regions)
        projected = project(view.camera, view.aspect, view.vertices[patches.corners.reshape(-1)])
        points = (projected[:, :2] * (np.asarray(view.size) / 2)).reshape(count, -1, 3, 2)
        one, two = points[:, :, 1] - points[:, :, 0], points[:, :, 2] - points[:, :, 0]
        covered = np.abs(one[..., 0] * two[..., 1] - one[..., 1] * two[..., 0]) / 2
        by_area = (covered / patches.area).sum(1) * patches.each / 2
        flat = points.reshape(count, -1, 2)
        hull = np.take_along_axis(flat, (flat @ DIRECTIONS).argmax(1)[..., None], 1)
        after = np.roll(hull, -1, 1)
        by_outline = np.abs((hull[..., 0] * after[..., 1] - hull[..., 1] * after[..., 0]).sum(1)) / 2
        behind = (projected[:, 2].reshape(count, -1) <= view.camera.near).any(1)  # around the camera: as good as hidden
        expected = np.where(behind, np.inf, np.minimum(by_area, by_outline))
        inside = (np.abs(projected[:, :2]) <= 1).all(1).reshape(count, -1, 3).all(2)
        framed = ((covered * inside).sum(1) / np.maximum(covered.sum(1), 1e-12)).round(4)
        return tuple(dict(zip(patches.regions, v.tolist(), strict=True)) for v in (expected, framed))  # type: ignore[return-value]


def thresholds(region: str) -> tuple[float, float]:
    """Least pixels (at 512²) and least share of a region that is spoken of."""
    for limb, pixels in MIN_PIXELS.items():
        if region.endswith(limb):
            return pixels, MIN_SHARE
    return MIN_MIDDLE_PIXELS, MIN_MIDDLE_SHARE


def _region_of(bone: str) -> str:
    if bone in REGIONS:
        bone = REGIONS[bone][-1]
    return REGION_OF_BONE[bone]


def _patches(parts: BodyParts) -> _Patches:
    if parts not in _PATCHES:
        _PATCHES[parts] = _sample(parts)
    return _PATCHES[parts]


def _sample(parts: BodyParts) -> _Patches:
    names = sorted(set(REGION_OF_BONE.values()))
    number = np.array([names.index(region_name(b)) for b in range(len(BONE_NAMES))] + [-1])
    of_triangle = number[parts.bone[parts.triangles[:, 0]]]
    corners = parts.rest[parts.triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    regions, chosen, each = [], [], []
    for r, name in enumerate(names):
        own = np.flatnonzero((of_triangle == r) & (area > 0))
        if len(own):
            up_to = np.cumsum(area[own])
            places = (np.arange(SAMPLES) + 0.5) / SAMPLES * up_to[-1]
            regions.append(name)
            chosen.append(own[np.minimum(np.searchsorted(up_to, places), len(own) - 1)])
            each.append(float(up_to[-1]) / SAMPLES)
    picked = np.array(chosen, np.intp).reshape(-1, SAMPLES)
    return _Patches(tuple(regions), parts.triangles[picked], area[picked], np.array(each))


_COUNTS: WeakKeyDictionary[BodyParts, dict[str, int]] = WeakKeyDictionary()


def vertex_counts(parts: BodyParts) -> dict[str, int]:
    """Bone → number of vertices that it moves directly."""
    if parts not in _COUNTS:
        counts = np.bincount(parts.bone[parts.direct & (parts.bone >= 0)], minlength=len(BONE_NAMES))
        _COUNTS[parts] = dict(zip(BONE_NAMES, counts.tolist(), strict=True))
    return _COUNTS[parts]
