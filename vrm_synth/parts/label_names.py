"""Labels that names give: of whole primitives, of clothes by place, and of what hangs on joints with telling names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vrm_synth.parts.color_regions import ColorRegions
from vrm_synth.parts.name_evidence import NameEvidence, read_names
from vrm_synth.parts.names import read_name
from vrm_synth.parts.part_names import PART_IDS
from vrm_synth.parts.region_table import scaled
from vrm_synth.parts.sums import sum_by
from vrm_synth.parts.surface import Surface
from vrm_synth.parts.working_labels import WorkingLabels
from vrm_synth.parts.zones import ZONE_NAMES
from vrm_synth.vrm.avatar import Avatar

EYES = ("iris", "eye_white")
UPPER = ("torso", "upper_arm", "lower_arm", "neck")
LOWER = ("hips", "upper_leg", "lower_leg")
GARMENTS = ("upper_garment", "lower_garment", "one_piece", "outer_garment", "legwear", "shoes", "gloves", "hat")
NEAR = 0.06  # heights of the figure within which a detail lies on its garment
JOINT_PARTS = ("animal_ears", "tail", "wings")
LOOSE = 0.5  # least share of a triangle's weight on nodes that are no bones for their names to count
ONE_COLOR = 0.95  # least share of a body that its one color has
MAIN_OF_SKIN = 0.3  # least share of what is named skin that a color has that is skin elsewhere, too
WHOLE_BODY = ("torso", "lower_arm", "upper_leg", "lower_leg", "foot")


def label_by_names(avatar: Avatar, surface: Surface, regions: ColorRegions, w: WorkingLabels) -> None:
    """Label primitives whose names say what they are, or together with their place do."""
    evidence = read_names(avatar, surface)
    primitive = surface.triangles.primitive_of[regions.triangle]
    on_head = surface.in_zone("head", "eye")[regions.triangle]
    eyes_apart = set(EYES) <= {e.part for e in evidence} or "iris" in {e.part for e in evidence}
    face_apart = any(_names_face(e) or e.part == "face_skin" for e in evidence)  # then a neck under it is the body's
    by_place = np.where(on_head & (not face_apart), PART_IDS["face_skin"], PART_IDS["body_skin"])
    for k, e in enumerate(evidence):
        if e.part:
            w.set(primitive == k, PART_IDS[e.part], e.why, e.subject)
    named_garment = np.isin(w.part, [PART_IDS[name] for name in GARMENTS])
    for k, e in enumerate(evidence):
        cells = primitive == k
        if e.part:
            continue
        if "skin" in e.hints:
            w.set(cells, by_place, "place", e.hint_subject)
        elif _names_face(e) and eyes_apart and _bare_face(surface, regions, cells):
            w.set(cells, PART_IDS["face_skin"], "place", e.hint_subject)
        elif e.hints & {"garment", "detail"}:
            _label_cloth(surface, regions, w, cells, named_garment, e)
        elif "body" in e.hints and _is_one_body(surface, regions, cells):
            w.set(cells, PART_IDS["body_skin"], "place", e.hint_subject)


def label_by_joints(avatar: Avatar, surface: Surface, regions: ColorRegions, w: WorkingLabels) -> None:
    """Label what has no label yet and hangs on joints that are named after an animal's ears, a tail or wings."""
    loose = surface.loose[regions.triangle] >= LOOSE
    lead = surface.lead[regions.triangle]
    for node in np.unique(lead[loose & (w.part == 0)]).tolist():
        part = read_name(avatar.nodes[node].name).part
        if part in JOINT_PARTS:
            w.set(loose & (lead == node), PART_IDS[part], "joint name", avatar.nodes[node].name)


def named_skin(avatar: Avatar, surface: Surface, regions: ColorRegions, w: WorkingLabels) -> NDArray[np.intp]:
    """Indices of the palette's colors that what is named skin or face mostly has."""
    primitive = surface.triangles.primitive_of[regions.triangle]
    cells = np.zeros(len(w.part), np.bool_)
    for k, e in enumerate(read_names(avatar, surface)):
        if e.hints & {"skin"} or (e.part in ("face_skin", "body_skin") and "skin" in read_name(e.subject).hints):
            cells |= primitive == k
        elif not e.part and _names_face(e):
            cells |= (primitive == k) & surface.in_zone("head")[regions.triangle]
    share = sum_by(regions.color[cells], regions.area[cells], len(regions.palette))
    return np.flatnonzero(share >= MAIN_OF_SKIN * max(float(share.sum()), 1e-12))


def _names_face(e: NameEvidence) -> bool:
    """True where a material or a texture is named a face; a mesh so named has more than the face's skin."""
    return "face" in e.hints and e.hint_why in ("material name", "texture name")


def _bare_face(surface: Surface, regions: ColorRegions, cells: NDArray[np.bool_]) -> bool:
    """True where one color has most of what is named a face: brows and mouth lie elsewhere."""
    share = sum_by(regions.color[cells], regions.area[cells], len(regions.palette))
    on_head = surface.in_zone("head", "neck", "eye")[regions.triangle[cells]]
    return bool(len(share)) and share.max() >= 0.5 * share.sum() and bool(on_head.mean() > 0.9)


def _is_one_body(surface: Surface, regions: ColorRegions, cells: NDArray[np.bool_]) -> bool:
    """True where what is named a body has one color from arms to feet."""
    area = sum_by(regions.color[cells], regions.area[cells], len(regions.palette))
    if not area.sum() or area.max() < ONE_COLOR * area.sum():
        return False
    zones = np.bincount(surface.zone[regions.triangle[cells]], minlength=len(ZONE_NAMES))
    return all(zones[ZONE_NAMES.index(z)] > 0 for z in WHOLE_BODY)


def _label_cloth(
    surface: Surface,
    regions: ColorRegions,
    w: WorkingLabels,
    cells: NDArray[np.bool_],
    named_garment: NDArray[np.bool_],
    e: NameEvidence,
) -> None:
    """Label the pieces of what is named cloth by where each lies, a detail as the named garment that it lies on."""
    from scipy.spatial import cKDTree

    piece = surface.piece[regions.triangle]
    detail = "detail" in e.hints and named_garment.any()
    tree = cKDTree(regions.center[named_garment]) if detail else None
    for p in np.unique(piece[cells]).tolist():
        own = cells & (piece == p)
        if tree is not None:
            distance, nearest = tree.query(regions.center[own])
            votes = sum_by(w.part[named_garment][nearest], regions.area[own], len(PART_IDS))
            if np.median(distance) <= NEAR * (surface.top - surface.floor) and votes.max() >= 0.5 * votes.sum():
                w.set(own, int(votes.argmax()), "place", e.hint_subject)
            continue
        part = _garment_at(surface, regions, own, "garment" in e.hints)
        if part:
            w.set(own, PART_IDS[part], "place", e.hint_subject)


def _garment_at(surface: Surface, regions: ColorRegions, cells: NDArray[np.bool_], whole: bool) -> str:
    """Which garment lies where the cells do, "" where that does not tell. whole: they are more than a detail."""
    zones = sum_by(surface.zone[regions.triangle[cells]], regions.area[cells], len(ZONE_NAMES))
    zones = zones / max(float(zones.sum()), 1e-12)
    upper, lower = (float(zones[[ZONE_NAMES.index(z) for z in names]].sum()) for names in (UPPER, LOWER))
    foot = float(zones[ZONE_NAMES.index("foot")])
    legs = [surface.landmarks.get(side + b) for b in ("UpperLeg", "LowerLeg") for side in ("left", "right")]
    if any(p is None for p in legs):
        return ""
    hip, _, knee, _ = (float(scaled(surface, p)[1]) for p in legs if p is not None)
    lowest = float(scaled(surface, regions.center[cells])[:, 1].min())
    if foot > 0.6:
        return "shoes" if whole else ""
    if upper > 0.8 or (upper > 0.5 and lower > 0 and lowest > hip - 0.5 * (hip - knee)):
        return "upper_garment"
    if lower > 0.9 and (zones[ZONE_NAMES.index("hips")] + zones[ZONE_NAMES.index("upper_leg")]) > 0.5:
        return "lower_garment"
    return ""
