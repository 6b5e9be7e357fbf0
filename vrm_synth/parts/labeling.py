"""Label the surface of an avatar: overrides, then names, then colors of the texture by place on the body."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vrm_synth.parts.apply_overrides import apply_overrides
from vrm_synth.parts.clothes import label_clothes, label_hair
from vrm_synth.parts.color_regions import ColorRegions, find_color_regions
from vrm_synth.parts.face_features import label_face
from vrm_synth.parts.hair_split import split_hair
from vrm_synth.parts.label_names import label_by_joints, label_by_names, named_skin
from vrm_synth.parts.morph_boxes import find_face_boxes
from vrm_synth.parts.overrides import PartOverrides
from vrm_synth.parts.part_labels import PartEvidence, PartLabels
from vrm_synth.parts.part_names import PART_IDS, PART_NAMES
from vrm_synth.parts.region_table import region_table
from vrm_synth.parts.skin_colors import skin_colors
from vrm_synth.parts.sums import sum_by
from vrm_synth.parts.surface import Surface, measure_surface
from vrm_synth.parts.working_labels import WorkingLabels
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.drawn_triangles import drawn_triangles

Source = Literal["names", "texture"]
SOURCES: tuple[Source, ...] = ("names", "texture")
MOST_TRIANGLES = 2_000_000  # of an avatar that is looked at: memory grows with them
WHOLE_PIECE = 0.6  # least share of a connected piece that one garment has for the rest of the piece to be of it
FILLING = ("hair", "upper_garment", "outer_garment", "lower_garment", "legwear", "shoes", "gloves")
ONLY_FEET = 0.9  # least share of a piece that is feet alone
SKIN_IN_PIECE = 0.02  # largest share of skin in such a piece

_LABELED: WeakKeyDictionary[Avatar, dict[tuple[str, frozenset[str]], PartLabels]] = WeakKeyDictionary()
_MEASURED: WeakKeyDictionary[Avatar, tuple[Surface, ColorRegions]] = WeakKeyDictionary()


def label_parts(
    avatar: Avatar, overrides: PartOverrides | None = None, sources: Collection[Source] = SOURCES
) -> PartLabels:
    """Label all that an avatar draws; "unknown" where nothing tells.

    overrides: what counts before anything else. sources: what else may speak, for measuring one alone. Computed once an
    avatar and overrides; an avatar of more than MOST_TRIANGLES is unknown throughout. Raises RecipeError where an
    override names what the avatar lacks.
    """
    known = _LABELED.setdefault(avatar, {})
    key = "" if overrides is None else overrides.model_dump_json(), frozenset(sources)
    if key in known:
        return known[key]
    if avatar.triangle_count > MOST_TRIANGLES:
        return _nothing(avatar)
    surface, regions = measured(avatar)
    w = WorkingLabels.empty(len(regions.code))
    if overrides is not None:
        apply_overrides(avatar, surface, regions, overrides, w)
    if "names" in sources:
        label_by_names(avatar, surface, regions, w)
    if "texture" in sources:
        _label_by_texture(avatar, surface, regions, w, by_names="names" in sources)
    if "names" in sources:
        label_by_joints(avatar, surface, regions, w)
    split_hair(avatar, surface, regions, w, by_names="names" in sources)
    known[key] = _finish(avatar, surface, regions, w)
    return known[key]


def _nothing(avatar: Avatar) -> PartLabels:
    """Labels that know nothing, of an avatar that is too large to be measured."""
    d = drawn_triangles(avatar)
    return PartLabels(
        triangles=np.zeros(len(d), np.uint8),
        refined=np.zeros(len(d), np.bool_),
        codes=np.zeros(0, np.int64),
        code_parts=np.zeros(0, np.uint8),
        material_of=d.material_of,
        clusters={},
        colors={},
        evidence=(PartEvidence("unknown", "", f"more than {MOST_TRIANGLES:,} triangles", 1.0),),
    )


def measured(avatar: Avatar) -> tuple[Surface, ColorRegions]:
    """An avatar's surface at rest and the color regions on it, measured once."""
    if avatar not in _MEASURED:
        surface = measure_surface(avatar)
        _MEASURED[avatar] = surface, find_color_regions(avatar, surface)
    return _MEASURED[avatar]


def _label_by_texture(
    avatar: Avatar, surface: Surface, regions: ColorRegions, w: WorkingLabels, by_names: bool
) -> None:
    if "head" not in surface.landmarks or not len(regions.code):
        return
    table = region_table(surface, regions)
    skin = set(skin_colors(table).tolist())
    if by_names:
        skin |= set(named_skin(avatar, surface, regions, w).tolist())
    if not skin:
        return
    why = "texture"
    is_skin = np.isin(regions.cluster, list(skin))
    undecided = sum_by(regions.region, regions.area * (w.part == 0), len(regions.cluster))
    free = ~is_skin & (undecided >= 0.9 * table.whole)
    hair, locks = (mask & free for mask in label_hair(table, is_skin))
    face = label_face(table, find_face_boxes(avatar, surface), free & ~hair, _by_region(regions, w))
    hair |= locks & (face == 0)
    clothes = label_clothes(table, free & ~hair & (face == 0), is_skin)
    part = np.where(hair, PART_IDS["hair"], np.where(face > 0, face, clothes)).astype(np.uint8)
    w.set(part[regions.region] > 0, part[regions.region], why)
    _fill_pieces(surface, regions, w, is_skin[regions.region])
    on_head = surface.in_zone("head", "eye")[regions.triangle]
    own_feet = _feet_apart(surface)[regions.triangle]
    w.set(is_skin[regions.region] & ~own_feet, np.where(on_head, PART_IDS["face_skin"], PART_IDS["body_skin"]), why)


def _feet_apart(surface: Surface) -> NDArray[np.bool_]:
    """(T,) triangles of pieces that are feet alone: in skin's color they may be shoes of leather as well."""
    count = int(surface.piece.max(initial=-1)) + 1
    on_foot = sum_by(surface.piece, surface.area * surface.in_zone("foot"), count)
    return np.asarray((on_foot > ONLY_FEET * sum_by(surface.piece, surface.area, count))[surface.piece])


def _by_region(regions: ColorRegions, w: WorkingLabels) -> NDArray[np.uint8]:
    """(R,) the label that most of each region has so far."""
    area = np.zeros((len(regions.cluster), len(PART_NAMES)))
    np.add.at(area, (regions.region, w.part), regions.area)
    return area.argmax(1).astype(np.uint8)


def _fill_pieces(surface: Surface, regions: ColorRegions, w: WorkingLabels, skin: NDArray[np.bool_]) -> None:
    """A piece of surface that is mostly one garment and has no skin is all of that garment."""
    piece = surface.piece[regions.triangle]
    count = int(piece.max(initial=-1)) + 1
    total = sum_by(piece, regions.area, count)
    bare = sum_by(piece, regions.area * skin, count)
    for name in FILLING:
        own = sum_by(piece, regions.area * (w.part == PART_IDS[name]), count)
        whole = (own >= WHOLE_PIECE * total) & (own > 0) & (bare <= SKIN_IN_PIECE * total)
        w.set(whole[piece], PART_IDS[name], "texture")


def _finish(avatar: Avatar, surface: Surface, regions: ColorRegions, w: WorkingLabels) -> PartLabels:
    """The labels as a frozen type: what is one label on a whole triangle needs no look at the texture later."""
    count, parts = len(surface.area), len(PART_NAMES)
    triangle, material_of = regions.triangle, surface.triangles.material_of
    by_part = np.zeros((count, parts))
    np.add.at(by_part, (triangle, w.part), regions.area)
    seen = by_part > 0
    readable = np.array([regions.colors[m].reads_set_zero for m in material_of.tolist()], np.bool_)
    refined = (seen.sum(1) > 1) & readable
    kept = refined[triangle]
    triangles = by_part.argmax(1).astype(np.uint8)
    _label_bare_triangles(surface, regions, w, triangles, np.asarray(~seen.any(1)))
    return PartLabels(
        triangles=triangles,
        refined=refined,
        codes=regions.code[kept],
        code_parts=w.part[kept],
        material_of=material_of,
        clusters=regions.clusters,
        colors=regions.colors,
        evidence=_evidence(avatar, regions, w, material_of[triangle]),
    )


def _label_bare_triangles(
    surface: Surface, regions: ColorRegions, w: WorkingLabels, triangles: NDArray[np.uint8], bare: NDArray[np.bool_]
) -> None:
    """Give triangles without a cell (all their texels are of rare colors) their primitive's label, where it has one."""
    of_cell, of_triangle = surface.triangles.primitive_of[regions.triangle], surface.triangles.primitive_of
    for k in np.unique(of_triangle[bare]).tolist():
        labels = np.unique(w.part[of_cell == k])
        if len(labels) == 1:
            triangles[bare & (of_triangle == k)] = labels[0]


def _evidence(
    avatar: Avatar, regions: ColorRegions, w: WorkingLabels, material: NDArray[np.int32]
) -> tuple[PartEvidence, ...]:
    total = max(float(regions.area.sum()), 1e-12)
    rows: dict[tuple[str, str, str], float] = {}
    keys = np.stack([w.part.astype(np.intp), w.why, w.subject, np.where(w.subject < 0, material, -1)], -1)
    unique, back = np.unique(keys, axis=0, return_inverse=True)
    areas = sum_by(back.reshape(-1), regions.area, len(unique))
    for (part, why, subject, of), area in zip(unique.tolist(), areas, strict=True):
        name = w.subjects[subject] if subject >= 0 else avatar.materials[of].name
        key = (PART_NAMES[part], w.reasons[why], name)
        rows[key] = rows.get(key, 0.0) + float(area) / total
    ordered = sorted(rows.items(), key=lambda row: (-row[1], row[0]))
    return tuple(PartEvidence(*key, share) for key, share in ordered)
