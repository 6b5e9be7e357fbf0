"""Overrides applied to an avatar: colors first, then names of materials, textures, nodes and meshes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import RecipeError
from vrm_synth.core.near_names import did_you_mean
from vrm_synth.parts.color_regions import ColorRegions
from vrm_synth.parts.lab_color import lab_from_srgb
from vrm_synth.parts.overrides import SKIN, PartOverrides
from vrm_synth.parts.part_names import PART_IDS
from vrm_synth.parts.region_table import scaled
from vrm_synth.parts.surface import Surface
from vrm_synth.parts.working_labels import WorkingLabels
from vrm_synth.vrm.avatar import Avatar

WHY = "override"


def apply_overrides(
    avatar: Avatar, surface: Surface, regions: ColorRegions, overrides: PartOverrides, w: WorkingLabels
) -> None:
    """Label what the overrides speak of, finally. Raises RecipeError for a name that the avatar lacks."""
    names = _names(avatar, surface)
    _check(avatar, names, overrides)
    triangle = regions.triangle
    height = scaled(surface, regions.center)[:, 1]
    for rule in overrides.colors:
        near = np.linalg.norm(regions.palette.lab - lab_from_srgb(rule.rgb), axis=1) <= rule.tolerance
        chosen = near[regions.color] & (height >= rule.height[0]) & (height <= rule.height[1])
        if rule.zones:
            chosen &= surface.in_zone(*rule.zones)[triangle]
        if rule.materials:
            of = np.array([own[0] in rule.materials for own in names["materials"]], np.bool_)
            chosen &= of[surface.triangles.primitive_of[triangle]]
        w.set(chosen, _ids(surface, regions, rule.part), WHY, rule.color, final=True)
    for key, table in _tables(overrides).items():
        for name, part in table.items():
            chosen = np.array([name in own for own in names[key]], np.bool_)
            if chosen.any():
                cells = chosen[surface.triangles.primitive_of[triangle]]
                w.set(cells, _ids(surface, regions, part), WHY, name, final=True)


def _ids(surface: Surface, regions: ColorRegions, part: str) -> NDArray[np.uint8]:
    """(N,) id of the part for each cell."""
    if part != SKIN:
        return np.full(len(regions.code), PART_IDS[part], np.uint8)
    on_head = surface.in_zone("head", "eye")[regions.triangle]
    return np.where(on_head, PART_IDS["face_skin"], PART_IDS["body_skin"]).astype(np.uint8)


def _tables(overrides: PartOverrides) -> dict[str, Mapping[str, str]]:
    keys = ("materials", "textures", "nodes", "meshes")
    return {key: getattr(overrides, key) for key in keys}


def _names(avatar: Avatar, surface: Surface) -> dict[str, list[tuple[str, ...]]]:
    """For each key of overrides, the names of each drawn primitive's; a texture has two, its own and its image's."""
    d = surface.triangles
    out: dict[str, list[tuple[str, ...]]] = {"materials": [], "textures": [], "nodes": [], "meshes": []}
    for node, p in zip(d.nodes.tolist(), d.primitives, strict=True):
        material, mesh = avatar.materials[p.material], avatar.nodes[node].mesh
        info = material.base_color_texture
        texture = None if info is None else avatar.textures[info.texture]
        image = None if texture is None else avatar.images[texture.image]
        out["materials"].append((material.name,))
        out["textures"].append(tuple(t.name for t in (texture, image) if t is not None))
        out["nodes"].append((avatar.nodes[node].name,))
        out["meshes"].append((avatar.meshes[mesh].name,) if mesh is not None else ())
    return out


def _check(avatar: Avatar, names: dict[str, list[tuple[str, ...]]], overrides: PartOverrides) -> None:
    known = {key: {n for own in values for n in own} for key, values in names.items()}
    wanted = {key: list(table) for key, table in _tables(overrides).items()}
    wanted["materials"] += [m for rule in overrides.colors for m in rule.materials]
    for key, own in wanted.items():
        for name in own:
            if name not in known[key]:
                raise RecipeError(
                    f"nothing that the avatar draws has this name among its {key}{did_you_mean(name, known[key])}",
                    got=name,
                    allowed=", ".join(sorted(known[key])),
                    where=avatar.source,
                )
