"""The true part of each triangle of the built-in avatar, by material, mesh, paint column and hair chain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vrm_synth.builtin_avatar.shapes.face_parts import PAINT, PAINT_SLOTS
from vrm_synth.parts.part_names import PART_IDS, PART_NAMES
from vrm_synth.parts.surface import Surface
from vrm_synth.vrm.avatar import Avatar

UPPER, LOWER = ("upper_garment",), ("lower_garment",)
PLAIN: dict[str, tuple[str, ...]] = {
    "Skin": ("body_skin",),
    "Top": UPPER, "Collar": UPPER, "Rib": UPPER, "Pocket": UPPER, "Print": UPPER, "Cord": UPPER,
    "Skirt": LOWER, "Lace": LOWER, "Dark": LOWER,
    "Sock": ("legwear",), "Shoe": ("shoes",), "Sole": ("shoes",),
    "Face": ("face_skin",), "Cheek": ("face_skin",),
    "EyeWhite": ("eye_white",), "Iris": ("iris",), "EyeLight": ("iris",),
    "Accent": ("ornament",), "Frame": ("glasses",), "Lens": ("glasses",),
    # Cuffs; the dress has a belt and its bow, too.
    "Trim": ("upper_garment", "lower_garment", "one_piece", "ornament"),
}  # fmt: skip
DRESS = {name: ("one_piece", *PLAIN[name]) for name in ("Top", "Collar", "Skirt", "Lace")}
PAINTED: dict[str, tuple[str, ...]] = {
    "lash": ("lash",), "lash_low": ("lash",), "fold": ("lash", "face_skin"), "brow": ("brow",),
    "wall": ("lash", "face_skin", "eye_white"),
    **dict.fromkeys(("lip", "cavity", "tongue", "teeth"), ("mouth",)),
}  # fmt: skip


def construction(avatar: Avatar, surface: Surface, outfit: str) -> NDArray[np.bool_]:
    """(T, len(PART_NAMES)) which labels are right for each triangle of a built-in avatar."""
    d, rows = surface.triangles, []
    column = {k: name for name, k in PAINT.items()}
    for k, p in enumerate(d.primitives):
        name = avatar.materials[p.material].name
        span = slice(int(d.first[k]), int(d.first[k + 1]))
        for t in range(len(p.indices)):
            if name == "Paint":
                u = float(p.tex_coords[0][p.indices[t, 0], 0])
                rows.append(PAINTED[column[int(u * PAINT_SLOTS)]])
            elif name == "Hair":
                rows.append(_hair(avatar.nodes[int(surface.lead[span][t])].name))
            else:
                rows.append(DRESS.get(name, PLAIN[name]) if outfit == "dress" else PLAIN[name])
    out = np.zeros((len(rows), len(PART_NAMES)), np.bool_)
    for t, names in enumerate(rows):
        out[t, [PART_IDS[n] for n in names]] = True
    return out


def _hair(joint: str) -> tuple[str, ...]:
    if joint.startswith("hairTail"):
        return ("hair_tail",)
    if joint.startswith("hairFront"):
        return ("hair", "hair_front")
    if joint.startswith("hairBack"):
        return ("hair", "hair_back")
    return ("hair", "hair_front", "hair_back")


def scrubbed(avatar: Avatar, targets: bool = False) -> Avatar:
    """The avatar without any name that its author gave: of nodes, meshes, materials, textures and images.

    targets: keep the names of morph targets, which say where eyes and mouth are where no expression does.
    """
    return replace(
        avatar,
        nodes=tuple(replace(n, name="") for n in avatar.nodes),
        meshes=tuple(replace(m, name="", target_names=m.target_names if targets else ()) for m in avatar.meshes),
        materials=tuple(replace(m, name="") for m in avatar.materials),
        textures=tuple(replace(t, name="") for t in avatar.textures),
        images=tuple(i and replace(i, name="") for i in avatar.images),
    )


def outfit_of(avatar: Avatar) -> str:
    """The outfit of a built-in avatar, by the materials that each has alone."""
    plain = {m.name: m.base_color_texture is None for m in avatar.materials}
    return "hoodie" if "Rib" in plain else "dress" if plain["Trim"] else "sailor"
