"""Convert an avatar to what three-vrm loads from the same file, so that pictures can be compared.

A loaded avatar follows the specifications. `as_three_vrm` changes it where the reference renderer
differs from them; docs/fidelity.md lists every difference with its clause.
"""

from __future__ import annotations

from dataclasses import replace

from vrm_synth.gltf.model import Material
from vrm_synth.vrm.avatar import Avatar, Expression, LookAt, MaterialColorBind, RangeMap, Spring, SpringJoint
from vrm_synth.vrm.facing import turn_of_version, with_turn


def as_three_vrm(avatar: Avatar) -> Avatar:
    """Return the avatar as three-vrm loads it; everything else is left as it is.

    Both versions: a file gets its version's turn, whichever way it faces, and poses start from the rest
    pose, T-pose or not; expressions have the names and the weights that the file has; meshes for the first person
    only are drawn (three-vrm leaves them out when an application asks it to, and its own camera sees them until
    then).

    VRM 0.x: MToon's `_EmissionColor` goes through pow 2.2 like the other colors (UniVRM keeps it linear),
    the colors of blend-shape groups are taken as they are (0.x's are gamma, as the materials' own), the x of
    a spring bone's gravity keeps Unity's sign, and the curves of look-at degree maps are ignored.
    """
    avatar = with_turn(avatar, turn_of_version(avatar.vrm_version))
    if avatar.rest_corrections:
        avatar = replace(avatar, rest_corrections={})
    if avatar.reference_expressions is not None:
        avatar = replace(avatar, expressions=avatar.reference_expressions, reference_expressions=None)
    if "firstPersonOnly" in avatar.first_person.values():
        others = {n: flag for n, flag in avatar.first_person.items() if flag != "firstPersonOnly"}
        avatar = replace(avatar, first_person=others)
    if avatar.vrm_version != "0":
        return avatar
    materials = tuple(_gamma_emission(m) for m in avatar.materials)
    return replace(
        avatar,
        materials=materials,
        expressions={k: _raw_binds(e) for k, e in avatar.expressions.items()},
        springs=tuple(map(_unmirrored, avatar.springs)),
        look_at=None if avatar.look_at is None else _with_linear_curves(avatar.look_at),
    )


def _gamma_emission(m: Material) -> Material:
    if m.mtoon is None:
        return m
    r, g, b = (c**2.2 for c in m.emissive_factor)
    return replace(m, emissive_factor=(r, g, b))


def _raw_binds(expression: Expression) -> Expression:
    def bind(b: MaterialColorBind) -> MaterialColorBind:
        if b.type == "emissionColor":
            return b  # linear in the file already
        red, green, blue, alpha = b.target
        return replace(b, target=(red ** (1 / 2.2), green ** (1 / 2.2), blue ** (1 / 2.2), alpha))

    return replace(expression, material_color_binds=tuple(map(bind, expression.material_color_binds)))


def _unmirrored(spring: Spring) -> Spring:
    def joint(j: SpringJoint) -> SpringJoint:
        x, y, z = j.gravity_dir
        return replace(j, gravity_dir=(-x, y, z))

    return replace(spring, joints=tuple(map(joint, spring.joints)))


def _with_linear_curves(look_at: LookAt) -> LookAt:
    def linear(m: RangeMap) -> RangeMap:
        return replace(m, curve=())

    return replace(
        look_at,
        horizontal_inner=linear(look_at.horizontal_inner),
        horizontal_outer=linear(look_at.horizontal_outer),
        vertical_down=linear(look_at.vertical_down),
        vertical_up=linear(look_at.vertical_up),
    )
