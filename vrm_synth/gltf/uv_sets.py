"""Choose the UV sets that each material uses, and renumber them to the four that a vertex has room for.

 A file may number its sets as it likes (TEXCOORD_7 alone is sound glTF), so that those
of a material that reads any beyond TEXCOORD_3 are numbered anew, in order, with set 0 first while there is room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from vrm_synth.gltf.model import Material, MToon, TextureInfo
from vrm_synth.gltf.oddities import Oddities

MAX_UV_SETS = 4  # sets of a vertex: in_uv01 and in_uv23 of render/gl
_LIT = frozenset({"base_color_texture", "normal_texture", "emissive_texture"})
# The textures that each kind of material samples by UV; MToon's matcap is sampled by the normal.
_BY_UV: Mapping[str, frozenset[str]] = {
    "unlit": frozenset({"base_color_texture"}),
    "pbr": _LIT | {"metallic_roughness_texture", "occlusion_texture"},
    "mtoon": _LIT
    | {
        "shade_multiply_texture",
        "shading_shift_texture",
        "rim_multiply_texture",
        "outline_width_multiply_texture",
        "uv_animation_mask_texture",
    },
}


@dataclass(frozen=True)
class UvSets:
    """The UV sets of one material.

    Attributes:
        kept: the file's number of each set that is kept, in the order of Primitive.tex_coords.
        used: the kept sets that the material's textures read, by the file's numbers.
    """

    kept: tuple[int, ...] = tuple(range(MAX_UV_SETS))
    used: frozenset[int] = frozenset()


def assign_uv_sets(
    materials: tuple[Material, ...], oddities: Oddities
) -> tuple[tuple[Material, ...], tuple[UvSets, ...]]:
    """Return the materials with `tex_coord` as indices into the sets that are kept, and those sets.

    Textures of a material's fifth set and above are left out, with an oddity.
    """
    renumbered = [_renumber(m, i, oddities) for i, m in enumerate(materials)]
    return tuple(m for m, _ in renumbered), tuple(s for _, s in renumbered)


def _renumber(material: Material, index: int, oddities: Oddities) -> tuple[Material, UvSets]:
    infos = {k: v for k, v in material.texture_infos().items() if k in _BY_UV[material.kind]}
    used = frozenset(info.tex_coord for info in infos.values())
    if max(used, default=0) < MAX_UV_SETS:
        return material, UvSets(used=used)
    with_first = sorted(used | {0})
    kept = tuple(with_first if len(with_first) <= MAX_UV_SETS else sorted(used)[:MAX_UV_SETS])
    lost = sorted(used.difference(kept))
    if lost:
        names = ", ".join(f"TEXCOORD_{n}" for n in lost)
        oddities.add(
            f"materials[{index}] reads {len(used)} UV sets, more than the {MAX_UV_SETS} that are drawn; its "
            f"textures of {names} are left out"
        )
    dropped = {name for name, info in infos.items() if info.tex_coord in lost}
    toon = material.mtoon
    if toon is not None:
        toon = replace(toon, **_remap(toon, kept, dropped))
    return replace(material, mtoon=toon, **_remap(material, kept, dropped)), UvSets(kept, used.intersection(kept))


def _remap(holder: Material | MToon, kept: tuple[int, ...], dropped: set[str]) -> dict[str, Any]:
    """Return the texture fields of a material, or of its MToon, with `tex_coord` by the kept sets."""
    infos = {k: v for k, v in vars(holder).items() if isinstance(v, TextureInfo)}
    return {
        name: None
        if name in dropped
        else replace(info, tex_coord=kept.index(info.tex_coord) if info.tex_coord in kept else 0)
        for name, info in infos.items()
    }
