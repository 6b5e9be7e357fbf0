"""Facts of looks: what pictures of the built-in family show, judged by the materials in the geometry buffer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from vrm_synth.appearance.appearance import Appearance
from vrm_synth.appearance.find_appearance import find_appearance
from vrm_synth.builtin_avatar.open_avatar import open_avatar
from vrm_synth.builtin_avatar.params import variant
from vrm_synth.core.errors import ShotError
from vrm_synth.dataset.render_shot import pose_for
from vrm_synth.facts.appearance_facts import (
    MIN_HAIR,
    MIN_HAIR_END,
    MIN_IRIS,
    MIN_IRIS_OF_FACE,
    MIN_ITEM,
    MIN_SKIN,
    accessories,
    eye_colors,
    garments,
    hair_facts,
    skin_facts,
)
from vrm_synth.facts.drawn_body import DrawnBody
from vrm_synth.render.base import Buffers
from vrm_synth.render.geometry_buffer import GeometryBuffer
from vrm_synth.render.gl.backend import GLBackend
from vrm_synth.shot import Recipe, plan_shot
from vrm_synth.vrm.avatar import Avatar
from vrm_synth.vrm.drawn_triangles import drawn_triangles

# Which materials of the family an item is drawn with.
MATERIALS = {
    "sailor_uniform": {"Top", "Collar", "Trim"},
    "pleated_skirt": {"Skirt", "Lace"},
    "dress": {"Top", "Skirt", "Collar", "Trim", "Lace"},
    "hoodie": {"Top", "Rib", "Pocket", "Print", "Cord"},
    "shorts": {"Dark"},
    **{key: {"Sock"} for key in ("kneehighs", "socks", "thighhighs")},
    "shoes": {"Shoe", "Sole"},
    "glasses": {"Frame", "Lens"},
}
SLACK = 1.35  # an item of so many times the least number of pixels must be named, one of so many fewer must not
SIZE = 384


@cache
def _backend() -> GLBackend:
    return GLBackend()


@cache
def _avatar(source: str) -> Avatar:
    return open_avatar(source)


def pictures(members: int, count: int, seed: int) -> Iterator[tuple[int, Appearance, DrawnBody, GeometryBuffer]]:
    """(member, its appearance, the picture, what lies at its pixels' centers) of random shots."""
    sources = [f"demo:{k}" for k in range(members)]
    recipe = Recipe.model_validate({"avatars": sources, "count": count, "seed": seed, "size": SIZE})
    for i in range(count):
        try:
            planned = plan_shot(recipe, i, _avatar)
        except ShotError:
            continue
        source = str(planned.shot.figure.avatar)
        appearance = find_appearance(_avatar(source), source)
        posed = planned.posed or pose_for(_avatar(source), planned.shot)
        buffers = Buffers(surface=True, vertex_labels=appearance.groups.labels, geometry=frozenset())
        frame = _backend().render(posed, replace(planned.shot.view(), buffers=buffers))
        assert frame.surface is not None and frame.surface.label is not None and frame.geometry is not None
        drawn = DrawnBody(planned.view, frame.surface.depth, appearance.groups.count(frame.surface.label))
        yield int(source.partition(":")[2]), appearance, drawn, frame.geometry


def pixels_of(member: int, geometry: GeometryBuffer) -> dict[str, float]:
    """Material → its pixels, as of a picture of 512 × 512."""
    avatar = _avatar(f"demo:{member}")
    material: NDArray[np.int32] = drawn_triangles(avatar).material_of[geometry.triangle[geometry.mask]]
    count = np.bincount(material, minlength=len(avatar.materials)) * 512**2 / geometry.triangle.size
    return {m.name: float(n) for m, n in zip(avatar.materials, count, strict=True)}


def test_items_are_named_where_their_materials_show() -> None:
    claims = 0
    for member, appearance, drawn, geometry in pictures(8, 28, 5):
        seen = pixels_of(member, geometry)
        named = {i.kind: i for i in (*garments(drawn, appearance), *accessories(drawn, appearance))}
        for known in appearance.items:
            if known.kind not in MATERIALS:
                continue
            own = sum(seen.get(m, 0.0) for m in MATERIALS[known.kind])
            least = MIN_ITEM[known.part]
            assert known.kind not in named or own >= least / SLACK, (member, known.kind, own)
            assert known.kind in named or own <= least * SLACK, (member, known.kind, own)
            claims += known.kind in named
            colors = named[known.kind].colors if known.kind in named else ()
            assert set(colors) <= set(known.colors)
        assert set(named) <= {i.kind for i in appearance.items}
    assert claims >= 45


def test_hair_eyes_and_skin_are_told_where_they_show() -> None:
    claims = 0
    for member, appearance, drawn, geometry in pictures(8, 28, 6):
        p, seen = variant(member), pixels_of(member, geometry)
        hair, eyes, skin = hair_facts(drawn, appearance), eye_colors(drawn, appearance), skin_facts(drawn, appearance)
        iris, bare = seen["Iris"] + seen["EyeLight"], seen["Face"] + seen["Skin"] + seen["Cheek"]
        for named, true, own, least in (
            (hair.colors, (p.hair_color,), seen["Hair"], MIN_HAIR),
            (eyes, (p.eye_color,), iris, max(MIN_IRIS, MIN_IRIS_OF_FACE * (seen["Face"] + seen["Cheek"]))),
            (skin.tone, p.skin, bare, MIN_SKIN),
        ):
            assert named in (true, (), "")
            assert not named or own >= least / SLACK, (member, named, own)
            assert named or own <= least * SLACK, (member, true, own)
            claims += bool(named)
    assert claims >= 60


def test_long_hair_is_told_where_it_is_seen_to_hang_below_the_shoulders() -> None:
    told = 0
    for member, appearance, drawn, geometry in pictures(8, 28, 7):
        avatar = _avatar(f"demo:{member}")
        numbered = drawn_triangles(avatar)
        low = np.zeros(len(numbered), np.bool_)
        shoulders = avatar_height_of_shoulders(avatar)
        for k, primitive in enumerate(numbered.primitives):
            if avatar.materials[primitive.material].name == "Hair":
                middles = primitive.positions[primitive.indices][..., 1].mean(1)
                low[numbered.first[k] : numbered.first[k + 1]] = middles < shoulders
        own = float(low[geometry.triangle[geometry.mask]].sum()) * 512**2 / geometry.triangle.size
        long = variant(member).hair_style in ("long", "twintails", "ponytail")
        named = hair_facts(drawn, appearance).length
        assert named in ("", "long" if long else "short")
        if long:
            assert named != "long" or own >= MIN_HAIR_END / SLACK, (member, own)
            assert named == "long" or own <= MIN_HAIR_END * SLACK, (member, own)
        told += named == "long"
    assert told >= 4


def avatar_height_of_shoulders(avatar: Avatar) -> float:
    """Metres, by the bind matrices of the skin: apart from what finds the appearance."""
    node = avatar.humanoid["leftUpperArm"]
    height = 0.0
    while node >= 0:
        height += avatar.nodes[node].translation[1]
        node = avatar.nodes[node].parent
    return height


@pytest.mark.parametrize(("member", "style"), [(1, "ponytail"), (4, "twintails")])
def test_tails_are_told_from_behind(member: int, style: str) -> None:
    source = f"demo:{member}"
    recipe = Recipe.model_validate(
        {"avatars": [source], "count": 1, "size": 512, "seed": 3, "azimuths": "back", "crops": "full"}
    )
    appearance = find_appearance(_avatar(source), source)
    planned = plan_shot(recipe, 0, _avatar)
    posed = planned.posed or pose_for(_avatar(source), planned.shot)
    buffers = Buffers(surface=True, vertex_labels=appearance.groups.labels)
    frame = _backend().render(posed, replace(planned.shot.view(), buffers=buffers))
    assert frame.surface is not None and frame.surface.label is not None
    drawn = DrawnBody(planned.view, frame.surface.depth, appearance.groups.count(frame.surface.label))
    assert hair_facts(drawn, appearance).style == style


def test_nothing_is_said_of_a_picture_that_shows_nothing() -> None:
    source = "demo:3"
    appearance = find_appearance(_avatar(source), source)
    _, _, some, _ = next(pictures(1, 1, 1))
    nothing = appearance.groups.count(np.zeros((64, 64), np.uint8))
    drawn = DrawnBody(some.view, np.full((64, 64), np.inf, np.float32), nothing)
    assert not any(
        (
            garments(drawn, appearance),
            accessories(drawn, appearance),
            eye_colors(drawn, appearance),
            hair_facts(drawn, appearance).colors,
            skin_facts(drawn, appearance).tone,
        )
    )
