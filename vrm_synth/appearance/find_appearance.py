"""Find the appearance of an avatar: labels of its surface, colors of its textures, names of its parts."""

from __future__ import annotations

from dataclasses import replace
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.appearance import Appearance, KnownItem
from vrm_synth.appearance.builtin_looks import builtin_appearance
from vrm_synth.appearance.cells import Cells, cells_of
from vrm_synth.appearance.color_names import as_called, family_names
from vrm_synth.appearance.eye_color import eye_colors
from vrm_synth.appearance.feature_groups import groups_of
from vrm_synth.appearance.find_items import check_kinds, find_items
from vrm_synth.appearance.hair_shape import hair_length, hair_style
from vrm_synth.appearance.proper_names import clean_name
from vrm_synth.appearance.skin_tone import skin_tone
from vrm_synth.appearance.surface_groups import Feature, SurfaceGroups
from vrm_synth.appearance.words import Of, all_kinds
from vrm_synth.core.errors import RecipeError
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.parts.labeling import MOST_TRIANGLES, label_parts, measured
from vrm_synth.parts.overrides import HairOverrides, PartOverrides
from vrm_synth.parts.part_labels import PartLabels
from vrm_synth.parts.part_names import ACCESSORY_PARTS, GARMENT_PARTS, HAIR_PARTS, PART_IDS, SKIN_PARTS
from vrm_synth.parts.sums import sum_by
from vrm_synth.render.geometry_buffer import VertexLabels
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.drawn_triangles import drawn_triangles

NONE = "none"
LOOKS = (*GARMENT_PARTS, *ACCESSORY_PARTS, *HAIR_PARTS, *SKIN_PARTS)
GUESSES = ("place", "texture", "")  # reasons for labels that are no names and no overrides
MOSTLY_SKIN = 0.4  # share of a figure's surface from which a skin of one color is one, whatever else is known
HEADS = (0.09, 0.30)  # share of a person's height that the head takes, from its joint to the crown

_FOUND: WeakKeyDictionary[Avatar, dict[tuple[str, str], Appearance]] = WeakKeyDictionary()


def find_appearance(avatar: Avatar, source: str, overrides: PartOverrides | None = None) -> Appearance:
    """The appearance of an avatar; found once an avatar, source and overrides. source: as in the recipe.

    Raises RecipeError where the overrides name what the avatar or the vocabulary lacks.
    """
    known = _FOUND.setdefault(avatar, {})
    key = source, "" if overrides is None else overrides.model_dump_json()
    if key not in known:
        known[key] = _find(avatar, source, overrides)
    return known[key]


def _find(avatar: Avatar, source: str, overrides: PartOverrides | None) -> Appearance:
    own = overrides or PartOverrides()
    _check_kind(avatar, own)
    check_kinds(avatar, own)
    relabeled = own.materials or own.textures or own.nodes or own.meshes or own.colors
    built_in = None if relabeled else builtin_appearance(avatar, source)
    if built_in is not None:
        return _overridden(built_in, own)
    if avatar.triangle_count > MOST_TRIANGLES:
        return _overridden(_unknown(avatar), own)
    surface, regions = measured(avatar)
    labels = label_parts(avatar, overrides)
    cells = cells_of(avatar, surface, regions, labels)
    tone, skin_color = _skin(cells)
    if not tone and not cells.of("iris").any():
        cells = _without_guesses(cells, labels)
        tone, skin_color = _skin(cells)
    items, item_of = find_items(avatar, cells, overrides)
    hair = cells.of(*HAIR_PARTS)
    hair_colors = cells.colors_of(hair, "hair")
    length = _hair_length(cells, own.hair, bool(tone))
    return Appearance(
        name=clean_name(avatar.meta.name),
        kind=own.kind,
        style=_style(avatar, cells, own),
        description="",
        hair_colors=hair_colors,
        hair_length=length,
        hair_style="" if own.hair.style == NONE else own.hair.style or hair_style(cells),
        eye_colors=eye_colors(cells),
        skin_tone=tone,
        skin_color=skin_color,
        items=items,
        groups=groups_of(
            surface.triangles,
            cells,
            item_of,
            _color_names(cells, items, item_of, hair_colors, (skin_color,) if skin_color else ()),
        ),
        resting_expression=own.expression,
    )


def _skin(cells: Cells) -> tuple[str, str]:
    """Tone or color of the skin; where a head of other colors leaves it without one, of the body's."""
    for parts in (SKIN_PARTS, ("body_skin",)):
        own = cells.of(*parts)
        found = skin_tone(cells.lab, cells.color[own], cells.area[own]) if cells.is_clear(own) else ("", "")
        if any(found):
            return found
    return "", ""


def _without_guesses(cells: Cells, labels: PartLabels) -> Cells:
    """The cells of a figure that shows neither eyes nor human skin and has no names that say anything: what place and
    color alone made hair or clothes is unknown there, and skin where it is no good part of the figure."""
    if any(e.part in LOOKS and e.why not in GUESSES for e in labels.evidence):
        return cells
    skin = float(cells.area[cells.of(*SKIN_PARTS)].sum()) >= MOSTLY_SKIN * float(cells.area.sum())
    guessed = cells.of(*(p for p in LOOKS if not (skin and p in SKIN_PARTS)))
    return replace(cells, part=np.where(guessed, np.uint8(PART_IDS["unknown"]), cells.part))


def _overridden(found: Appearance, own: PartOverrides) -> Appearance:
    """The appearance that was found, with kinds of parts, hair, kind and style of the overrides instead."""

    def instead(value: str, by: str) -> str:
        return "" if by == NONE else by or value

    return replace(
        found,
        kind=own.kind or found.kind,
        style=instead(found.style, own.style),
        resting_expression=own.expression,
        hair_length=instead(found.hair_length, own.hair.length),
        hair_style=instead(found.hair_style, own.hair.style),
        items=tuple(replace(i, kind=instead(i.kind, own.kinds.get(i.part, ""))) for i in found.items),
    )


def _color_names(
    cells: Cells, items: tuple[KnownItem, ...], item_of: NDArray[np.intp], hair: tuple[str, ...], skin: tuple[str, ...]
) -> tuple[list[str], NDArray[np.intp]]:
    """Names, and (N,) index into them of the color of each cell: of items, hair and irises, in their own terms.

    hair, skin: names of their colors.
    """
    names, out = [""], np.zeros(len(cells.area), np.intp)
    groups: list[tuple[NDArray[np.bool_], Of, tuple[str, ...]]] = [
        (item_of == k, "things", i.colors) for k, i in enumerate(items)
    ]
    groups += [
        (cells.of(*HAIR_PARTS), "hair", hair),
        (cells.of("iris"), "eyes", ()),
        (cells.of(*SKIN_PARTS), "things", skin),
    ]
    for mine, of, called in groups:
        if not mine.any():
            continue
        seen = cells.outer if cells.outer[mine].any() else cells.area
        area = sum_by(cells.color[mine], seen[mine], len(cells.lab))
        lab = cells.drawn_lab(mine)
        own = as_called(family_names(lab, area, of), lab, called, of)
        names += [n for n in dict.fromkeys(own) if n not in names]
        out[mine] = np.array([names.index(n) for n in own])[cells.color[mine]]
    return names, out


def _hair_length(cells: Cells, own: HairOverrides, human_skin: bool) -> str:
    if own.length:
        return "" if own.length == NONE else own.length
    length = hair_length(cells)
    return "" if length == "bald" and not human_skin else length


def _style(avatar: Avatar, cells: Cells, own: PartOverrides) -> str:
    """ "anime" for a person whose face is drawn: toon materials, irises, lashes and hair."""
    if own.style:
        return "" if own.style == NONE else own.style
    present = set(np.unique(cells.part).tolist())
    if not {PART_IDS[p] for p in ("iris", "lash", "face_skin")} <= present or not cells.of(*HAIR_PARTS).any():
        return ""
    head = cells.height_of("head")
    share = 0.0 if head is None else (cells.top - head) / max(cells.top - cells.floor, 1e-9)
    face = np.unique(drawn_triangles(avatar).material_of[cells.triangle[cells.of("face_skin")]])
    toon = all(avatar.materials[m].kind in ("mtoon", "unlit") for m in face.tolist())
    return "anime" if toon and HEADS[0] <= share <= HEADS[1] else ""


def _check_kind(avatar: Avatar, own: PartOverrides) -> None:
    if own.kind and own.kind not in all_kinds():
        raise RecipeError(
            f"no such kind of figure{did_you_mean(own.kind, all_kinds())}",
            got=own.kind,
            allowed=", ".join(all_kinds()),
            where=avatar.source,
        )


def _unknown(avatar: Avatar) -> Appearance:
    """The appearance of an avatar that is too large to be measured."""
    labels = VertexLabels(np.ones(int(drawn_triangles(avatar).first_vertex[-1]), np.uint8))
    shares = np.zeros((256, 1), np.float32)
    shares[1] = 1.0
    groups = SurfaceGroups(labels, (Feature("unknown", "none"),), shares)
    return Appearance(clean_name(avatar.meta.name), "", "", "", (), "", "", (), "", "", (), groups)
