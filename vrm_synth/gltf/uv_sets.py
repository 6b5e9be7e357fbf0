"""Which UV sets a material reads, and where a vertex keeps them.

A vertex has room for four sets. A file may number its sets as it likes (TEXCOORD_7 alone is sound glTF), so that those
of a material that reads any beyond TEXCOORD_3 are numbered anew, in order, with set 0 first while there is room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from vrm_synth.gltf.model import Material, MToon, TextureInfo
from vrm_synth.gltf.oddities import Oddities

ROOM = 4  # sets of a vertex: in_uv01 and in_uv23 of render/gl
_LIT = frozenset({"base_color_texture", "normal_texture", "emissive_texture"})
# The textures that each kind of material looks up by a UV; MToon's matcap is looked up by the normal.
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
    """kept: the file's number of each set that primitives of a material keep, in the order of Primitive.tex_coords;
    used: those that its textures read."""

    kept: tuple[int, ...] = tuple(range(ROOM))
    used: frozenset[int] = frozenset()


def assign_uv_sets(
    materials: tuple[Material, ...], oddities: Oddities
) -> tuple[tuple[Material, ...], tuple[UvSets, ...]]:
    """The materials, with each `tex_coord` an index into what their primitives keep, and what that is.

    Textures of a material's fifth set and above are left out, with an oddity.
    """
    numbered = [_numbered(m, i, oddities) for i, m in enumerate(materials)]
    return tuple(m for m, _ in numbered), tuple(s for _, s in numbered)


def _numbered(material: Material, index: int, oddities: Oddities) -> tuple[Material, UvSets]:
    infos = {k: v for k, v in material.texture_infos().items() if k in _BY_UV[material.kind]}
    used = frozenset(info.tex_coord for info in infos.values())
    if max(used, default=0) < ROOM:
        return material, UvSets(used=used)
    with_first = sorted(used | {0})
    kept = tuple(with_first if len(with_first) <= ROOM else sorted(used)[:ROOM])
    lost = sorted(used.difference(kept))
    if lost:
        names = ", ".join(f"TEXCOORD_{n}" for n in lost)
        oddities.add(
            f"materials[{index}] reads {len(used)} UV sets, more than the {ROOM} that are drawn; its textures of "
            f"{names} are left out"
        )
    dropped = {name for name, info in infos.items() if info.tex_coord in lost}
    toon = material.mtoon
    if toon is not None:
        toon = replace(toon, **_placed(toon, kept, dropped))
    return replace(material, mtoon=toon, **_placed(material, kept, dropped)), UvSets(kept, used.intersection(kept))


def _placed(holder: Material | MToon, kept: tuple[int, ...], dropped: set[str]) -> dict[str, Any]:
    """The texture fields of a material, or of its MToon, by the sets that are kept."""
    infos = {k: v for k, v in vars(holder).items() if isinstance(v, TextureInfo)}
    return {
        name: None
        if name in dropped
        else replace(info, tex_coord=kept.index(info.tex_coord) if info.tex_coord in kept else 0)
        for name, info in infos.items()
    }
