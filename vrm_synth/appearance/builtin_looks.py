"""The appearance of a built-in avatar: known by its parameters, its surface by the names of its materials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.appearance.appearance import Appearance, KnownItem
from vrm_synth.appearance.cells import Cells, regions_of_nodes
from vrm_synth.appearance.color_names import name_of, without_fallback
from vrm_synth.appearance.feature_groups import groups_of
from vrm_synth.appearance.proper_names import clean_name
from vrm_synth.appearance.words import Of
from vrm_synth.builtin_avatar.params import EYE_COLORS, HAIR_COLORS, OUTFIT_COLORS, DemoParams, rgb, variant
from vrm_synth.builtin_avatar.surface.palette import palette
from vrm_synth.core.bones import BONE_NAMES
from vrm_synth.core.color import srgb_from_linear
from vrm_synth.core.transforms import Array
from vrm_synth.gltf.model import Primitive
from vrm_synth.parts.names import read_name
from vrm_synth.parts.part_names import PART_IDS
from vrm_synth.pose.evaluate import evaluate
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.drawn_triangles import drawn_triangles

PARTS: dict[str, str] = {  # material → part; "Paint" by its palette
    **dict.fromkeys(("Face", "Cheek"), "face_skin"),
    "Skin": "body_skin",
    "Hair": "hair",
    "EyeWhite": "eye_white",
    **dict.fromkeys(("Iris", "EyeLight"), "iris"),
    **dict.fromkeys(("Top", "Collar", "Trim", "Rib", "Pocket", "Print", "Cord"), "upper_garment"),
    **dict.fromkeys(("Skirt", "Lace", "Dark"), "lower_garment"),
    "Sock": "legwear",
    **dict.fromkeys(("Shoe", "Sole"), "shoes"),
    **dict.fromkeys(("Frame", "Lens"), "glasses"),
    "Accent": "ornament",
}
PAINTED: dict[str, str] = {  # color of the palette of "Paint" → part
    **dict.fromkeys(("lash", "lash_low"), "lash"),
    "brow": "brow",
    **dict.fromkeys(("lip", "cavity", "tongue", "teeth"), "mouth"),
}
LENGTHS = {"bob": "short", "short": "short", "long": "long", "twintails": "long", "ponytail": "long"}
STYLES = {"bob": "bob", "twintails": "twintails", "ponytail": "ponytail"}
TAILS = {"twintails": 2, "ponytail": 1}
TIED_WITHIN = 0.09  # metres around the root of a tail, a ribbon's bow included
SOCKS = {"sailor": "kneehighs", "dress": "socks", "hoodie": "thighhighs"}


@dataclass(frozen=True)
class _Worn:
    """An item, and the materials that it is drawn with: material → color's name. where: "", or only what is there of
    them: "body", "on_head", "tails" (where hair is tied) or "head" (elsewhere on it)."""

    item: KnownItem
    materials: dict[str, str]
    where: str = ""


def builtin_appearance(avatar: Avatar, source: str) -> Appearance | None:
    """The appearance of the built-in avatar that `source` names; None for a file."""
    params = _params(source)
    if params is None:
        return None
    cells, material_of = _cells(avatar)
    worn = _worn(avatar, params)
    item_of, color = np.full(len(cells.area), -1), np.zeros(len(cells.area), np.intp)
    hair = _named(params, "hair_color")
    names = ["", *hair]
    color[material_of == _material(avatar, "Hair")] = len(hair)
    head, tied = cells.in_regions("head"), _near_tails(avatar, cells)
    spots = {"": np.ones(len(head), np.bool_), "body": ~head, "on_head": head}
    spots |= {"tails": head & tied, "head": head & ~tied}
    for k, w in enumerate(worn):
        here = spots[w.where]
        for material, name in w.materials.items():
            mine = here & (material_of == _material(avatar, material))
            item_of[mine] = k
            names += [] if name in names else [name]
            color[mine] = names.index(name)
    return Appearance(
        name=clean_name(params.name),
        kind="girl",
        style="anime",
        description="",
        hair_colors=hair,
        hair_length=LENGTHS[params.hair_style],
        hair_style=STYLES.get(params.hair_style, ""),
        eye_colors=_named(params, "eye_color"),
        skin_tone=params.skin,
        skin_color="",
        items=tuple(w.item for w in worn),
        groups=groups_of(drawn_triangles(avatar), cells, item_of, (names, color)),
    )


def _params(source: str) -> DemoParams | None:
    if source != "demo" and not source.startswith("demo:"):
        return None
    _, _, arguments = source.partition(":")
    if arguments.isdecimal():
        return variant(int(arguments))
    return DemoParams.parse(arguments.split(",")) if arguments else DemoParams()


_TABLES: dict[str, tuple[dict[str, str], Of]] = {
    "hair_color": (HAIR_COLORS, "hair"),
    "eye_color": (EYE_COLORS, "eyes"),
    "outfit_color": (OUTFIT_COLORS, "things"),
}


def _named(params: DemoParams, key: str) -> tuple[str, ...]:
    """The name of a color parameter: its own, or what its "#rrggbb" is called; () for none."""
    table, of = _TABLES[key]
    value = getattr(params, key)
    return _one(value if value in table else name_of(rgb(params, key), of))


def _one(name: str) -> tuple[str, ...]:
    return (name,) if name else ()


def _worn(avatar: Avatar, params: DemoParams) -> list[_Worn]:
    """The clothes and things of an avatar, in the order of facts."""
    colors = palette(params)
    cloth = "".join(_named(params, "outfit_color"))
    white, accent = name_of(colors.white), name_of(colors.accent)
    dark, sock, shoe = (_flat_color(avatar, m) for m in ("Dark", "Sock", "Shoe"))
    out: list[_Worn] = []
    if params.outfit == "sailor":
        own = {"Top": white, "Collar": cloth, "Trim": cloth}
        two = tuple(dict.fromkeys(n for n in (white, cloth) if n))
        out.append(_Worn(KnownItem("sailor_uniform", "upper_garment", two), own))
        out.append(_Worn(KnownItem("pleated_skirt", "lower_garment", _one(cloth)), {"Skirt": cloth, "Lace": ""}))
    elif params.outfit == "dress":
        own = {"Top": cloth, "Skirt": cloth, "Trim": "", "Lace": ""}
        out.append(_Worn(KnownItem("dress", "one_piece", _one(cloth)), own))
    else:
        own = {"Top": cloth, "Rib": cloth, "Pocket": cloth, "Cord": ""}
        out.append(_Worn(KnownItem("hoodie", "upper_garment", _one(cloth)), own))
        out.append(_Worn(KnownItem("shorts", "lower_garment", _one(dark)), {"Dark": dark}))
    out.append(_Worn(KnownItem(SOCKS[params.outfit], "legwear", _one(sock)), {"Sock": sock}))
    out.append(_Worn(KnownItem("shoes", "shoes", _one(shoe)), {"Shoe": shoe, "Sole": ""}))
    if params.accessory == "glasses":
        frame = without_fallback(_flat_color(avatar, "Frame"))
        out.append(_Worn(KnownItem("glasses", "glasses", _one(frame)), {"Frame": frame, "Lens": ""}))
    out += [_Worn(i, {"Accent": accent}, where) for i, where in _ornaments(params, _one(accent))]
    if params.outfit == "dress":
        out.append(_Worn(KnownItem("shirt_collar", "ornament", _one(white)), {"Collar": white}))
    elif params.outfit == "hoodie":
        out.append(_Worn(KnownItem("star_print", "ornament"), {"Print": ""}))
    return out


def _ornaments(params: DemoParams, color: tuple[str, ...]) -> list[tuple[KnownItem, str]]:
    """The things in the color of accents, and the place of each."""
    out = []
    tails = TAILS.get(params.hair_style, 0)
    ribbon = params.accessory == "ribbon"
    if tails:
        kind = ("hair_ribbon" if ribbon else "hair_tie") + ("s" if tails == 2 else "")
        out.append((KnownItem(kind, "ornament", color), "on_head" if ribbon else "tails"))
    elif ribbon:
        out.append((KnownItem("hair_ribbon", "ornament", color), "head"))
    if params.accessory == "hairclip":
        out.append((KnownItem("hairclip", "ornament", color), "head"))
    if params.outfit != "hoodie":
        out.append((KnownItem("bow", "ornament", color), "body"))
    return out


def _near_tails(avatar: Avatar, cells: Cells) -> NDArray[np.bool_]:
    """(N,) cells where tails of hair begin."""
    out = np.zeros(len(cells.area), np.bool_)
    world = evaluate(avatar).world_from_node
    for k, node in enumerate(avatar.nodes):
        if node.name.startswith("hairTail") and node.name.endswith("_0"):
            out |= np.linalg.norm(cells.center - world[k, :3, 3], axis=1) < TIED_WITHIN
    return out


def _material(avatar: Avatar, name: str) -> int:
    return next((k for k, m in enumerate(avatar.materials) if m.name == name), -1)


def _flat_color(avatar: Avatar, material: str) -> str:
    """The name of a material's one color."""
    factor = avatar.materials[_material(avatar, material)].base_color_factor
    return name_of(srgb_from_linear(np.array(factor[:3])))


def _cells(avatar: Avatar) -> tuple[Cells, NDArray[np.int32]]:
    """The surface, a cell for each triangle, and (N,) the material of each."""
    drawn = drawn_triangles(avatar)
    region_of, names = regions_of_nodes(avatar), [n.name for n in avatar.nodes]
    points, leads, parts = [], [], []
    for node, p in zip(drawn.nodes.tolist(), drawn.primitives, strict=True):
        lead = _leads(avatar, node, p)
        points.append(p.positions[p.indices])
        leads.append(lead)
        parts.append(_parts(avatar, p, lead, names))
    corners, lead = np.concatenate(points).astype(np.float64), np.concatenate(leads)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    double = np.linalg.norm(cross, axis=1)
    marks = evaluate(avatar).bone_positions()
    count = len(lead)
    cells = Cells(
        triangle=np.arange(count),
        area=double / 2,
        outer=double / 2,
        unclear=np.zeros(count, np.bool_),
        dimmed=np.zeros(count, np.bool_),
        center=corners.mean(1),
        part=np.concatenate(parts),
        region=region_of[lead],
        color=np.zeros(count, np.intp),
        lab=np.zeros((1, 3)),
        normal=cross / np.maximum(double, 1e-30)[:, None],
        primitive=drawn.primitive_of.astype(np.intp),
        landmarks={b: marks[b] for b in BONE_NAMES if b in marks},
        floor=float(corners[..., 1].min()),
        top=float(corners[..., 1].max()),
    )
    return cells, drawn.material_of


def _leads(avatar: Avatar, node: int, p: Primitive) -> NDArray[np.intp]:
    """(T,) the node that moves the last vertex of each triangle most."""
    skin = avatar.skin_of(node, p)
    assert skin is not None and p.joints is not None and p.weights is not None
    most = np.take_along_axis(p.joints, p.weights.argmax(1)[:, None], 1)[:, 0]
    return np.asarray(skin.joints, np.intp)[most][p.indices[:, 2]]


def _parts(avatar: Avatar, p: Primitive, lead: NDArray[np.intp], names: list[str]) -> NDArray[np.uint8]:
    """(T,) part ids of a primitive's triangles."""
    material = avatar.materials[p.material].name
    if material == "Paint":
        return _painted(p.tex_coords[0][p.indices[:, 2], 0])
    out = np.full(len(lead), PART_IDS[PARTS.get(material, "unknown")], np.uint8)
    if material == "Hair":
        for node in np.unique(lead).tolist():
            part = read_name(names[node]).part
            if part.startswith("hair_"):
                out[lead == node] = PART_IDS[part]
    return out


def _painted(u: Array) -> NDArray[np.uint8]:
    """(T,) part ids by the column of the palette that each triangle reads."""
    # Imported here, because the shapes need scipy, and a folder of files never asks for them.
    from vrm_synth.builtin_avatar.shapes.face_parts import PAINT, PAINT_SLOTS

    table = np.full(PAINT_SLOTS, PART_IDS["unknown"], np.uint8)
    for name, column in PAINT.items():
        table[column] = PART_IDS[PAINTED.get(name, "unknown")]
    return table[np.clip((u * PAINT_SLOTS).astype(np.intp), 0, PAINT_SLOTS - 1)]
