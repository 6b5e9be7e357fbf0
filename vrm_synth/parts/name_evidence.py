"""Evidence of names: the parts that materials, textures, meshes and nodes of each drawn primitive are named for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vrm_synth.parts.name_words import Hint
from vrm_synth.parts.names import read_name
from vrm_synth.parts.sums import sum_by
from vrm_synth.parts.surface import Surface
from vrm_synth.parts.zones import ZONE_NAMES
from vrm_synth.vrm.avatar import Avatar

HEAD = ("head", "eye", "neck", "none")
# Where a part must lie, as zones that have at least half of the primitive's surface, for its name to be believed.
PLAUSIBLE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("iris", "eye_white", "brow", "lash", "mouth", "face_skin", "glasses", "hat", "animal_ears"), HEAD),
    "hair_front": HEAD,
    "shoes": ("foot", "lower_leg", "none"),
    "gloves": ("hand", "lower_arm", "none"),
    "legwear": ("foot", "lower_leg", "upper_leg", "hips", "none"),
    "lower_garment": ("hips", "upper_leg", "lower_leg", "torso", "none"),
    "upper_garment": ("torso", "upper_arm", "lower_arm", "hips", "neck", "none"),
}


@dataclass(frozen=True)
class NameEvidence:
    """The parts that the names of one primitive stand for.

    part: the part, "" where no name tells it.
    why: whose name decided (part_labels.PartEvidence.why).
    subject: the name that decided.
    hints: hints of the first name that gives any.
    hint_why: whose name that is.
    hint_subject: that name.
    """

    part: str = ""
    why: str = ""
    subject: str = ""
    hints: frozenset[Hint] = frozenset()
    hint_why: str = ""
    hint_subject: str = ""


def names_of(avatar: Avatar, node: int, material: int) -> Iterator[tuple[str, str]]:
    """(whose, name) of everything that may say what a primitive is, the most telling first."""
    m = avatar.materials[material]
    yield "material name", m.name
    if m.base_color_texture is not None:
        texture = avatar.textures[m.base_color_texture.texture]
        image = avatar.images[texture.image]
        yield "texture name", texture.name
        yield "texture name", image.name if image is not None else ""
    n = avatar.nodes[node]
    yield "node name", n.name
    if n.mesh is not None:
        yield "mesh name", avatar.meshes[n.mesh].name
    stop = set(avatar.humanoid.values())
    if avatar.turn:
        stop.add(len(avatar.nodes) - 1)  # the loader's own root, whose name no file has
    parent, steps = n.parent, 0
    # Above a part of a rigid figure stands a bone, whose name is of the body and not of the part.
    while parent >= 0 and parent not in stop and steps < 3:
        yield "name of a node above", avatar.nodes[parent].name
        parent, steps = avatar.nodes[parent].parent, steps + 1


def read_names(avatar: Avatar, surface: Surface) -> list[NameEvidence]:
    """The evidence of the names of each drawn primitive, in the numbering's order."""
    d, out = surface.triangles, []
    for k, (node, primitive) in enumerate(zip(d.nodes.tolist(), d.primitives, strict=True)):
        span = slice(int(d.first[k]), int(d.first[k + 1]))
        zones = sum_by(surface.zone[span], surface.area[span], len(ZONE_NAMES))
        part = why = subject = hint_why = hint_subject = ""
        hints: frozenset[Hint] = frozenset()
        for whose, name in names_of(avatar, node, primitive.material):
            sense = read_name(name)
            if sense.part and _plausible(sense.part, zones):
                part, why, subject = sense.part, whose, name
                break
            own_hints = sense.hints - {"silent"}
            if own_hints and not hints:
                hints, hint_why, hint_subject = own_hints, whose, name
        out.append(NameEvidence(part, why, subject, hints, hint_why, hint_subject))
    return out


def _plausible(part: str, zones: np.ndarray) -> bool:
    allowed = PLAUSIBLE.get(part)
    total = float(zones.sum())
    if allowed is None or total <= 0:
        return True
    return float(zones[[ZONE_NAMES.index(z) for z in allowed]].sum()) >= 0.5 * total
