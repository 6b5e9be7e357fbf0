"""What three-vrm makes of a file where it differs from the specification, so that pictures can be compared.

Past the loader an avatar is what the specifications say. `as_three_vrm` turns it into what the reference
renderer would have loaded; docs/fidelity.md lists every difference with its clause.
"""

from __future__ import annotations

from dataclasses import replace

from vrm_synth.avatar.model import Avatar, Expression, LookAt, Material, MaterialColorBind, RangeMap


def as_three_vrm(avatar: Avatar) -> Avatar:
    """The avatar as three-vrm loads it. A VRM 1.0 file is returned as it is.

    VRM 0.x: MToon's `_EmissionColor` goes through pow 2.2 like the other colours (UniVRM keeps it linear),
    and the curves of look-at degree maps are ignored.
    """
    if avatar.vrm_version != "0":
        return avatar
    materials = tuple(_gamma_emission(m) for m in avatar.materials)
    toon = frozenset(i for i, m in enumerate(avatar.materials) if m.mtoon is not None)
    return replace(
        avatar,
        materials=materials,
        expressions={k: _gamma_binds(e, toon) for k, e in avatar.expressions.items()},
        look_at=None if avatar.look_at is None else _straight(avatar.look_at),
    )


def _gamma_emission(m: Material) -> Material:
    if m.mtoon is None:
        return m
    r, g, b = (c**2.2 for c in m.emissive_factor)
    return replace(m, emissive_factor=(r, g, b))


def _gamma_binds(expression: Expression, toon: frozenset[int]) -> Expression:
    def bind(b: MaterialColorBind) -> MaterialColorBind:
        if b.type != "emissionColor" or b.material not in toon:
            return b
        red, green, blue, alpha = b.target
        return replace(b, target=(red**2.2, green**2.2, blue**2.2, alpha))

    return replace(expression, material_color_binds=tuple(map(bind, expression.material_color_binds)))


def _straight(look_at: LookAt) -> LookAt:
    def line(m: RangeMap) -> RangeMap:
        return replace(m, curve=())

    return replace(
        look_at,
        horizontal_inner=line(look_at.horizontal_inner),
        horizontal_outer=line(look_at.horizontal_outer),
        vertical_down=line(look_at.vertical_down),
        vertical_up=line(look_at.vertical_up),
    )
