"""Shader variants: one program for each set of features, compiled when a draw first needs it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import moderngl

from vrm_synth.core.errors import RenderError
from vrm_synth.gltf.model import Material
from vrm_synth.render.base import View
from vrm_synth.render.gl.geometry import Instance
from vrm_synth.render.gl.uniforms import MIRRORED_REPEAT, SLOTS

Features = frozenset[str]

_SLOT_FEATURE = {
    "base_color_texture": "HAS_BASE",
    "normal_texture": "HAS_NORMAL",
    "emissive_texture": "HAS_EMISSIVE",
    "shade_multiply_texture": "HAS_SHADE",
    "shading_shift_texture": "HAS_SHIFT",
    "matcap_texture": "HAS_MATCAP",
    "rim_multiply_texture": "HAS_RIM",
    "outline_width_multiply_texture": "HAS_OUTLINE_WIDTH",
    "uv_animation_mask_texture": "HAS_UV_MASK",
    "metallic_roughness_texture": "HAS_METALLIC_ROUGHNESS",
    "occlusion_texture": "HAS_OCCLUSION",
}
assert tuple(_SLOT_FEATURE) == SLOTS


def view_features(view: View) -> Features:
    """The preprocessor defines that a view adds to every draw."""
    flags = {
        "THREE_VRM": view.compat == "three-vrm",
        "HEMISPHERE": view.ambient is not None and view.ambient.ground is not None,
    }
    return frozenset(name for name, on in flags.items() if on)


def features(material: Material, instance: Instance, wraps: dict[int, tuple[int, int]], outline: bool) -> Features:
    """The preprocessor defines of one draw in colour, the same for every view."""
    m, infos = material, material.texture_infos()
    primitive = instance.primitive
    has_uvs = bool(primitive.tex_coords)
    out = {m.kind.upper()}
    if has_uvs:
        out |= {_SLOT_FEATURE[slot] for slot in infos}
    elif "matcap_texture" in infos:  # looked up by the normal, not by a UV
        out.add("HAS_MATCAP")
    sets = max((i.tex_coord for i in infos.values()), default=0)
    flags = {
        "SKINNED": instance.skinned,
        "FLAT": primitive.normals is None,
        "TANGENTS": "HAS_NORMAL" in out and primitive.tangents is not None,
        "VERTEX_COLOR": primitive.colors is not None and m.kind != "mtoon",  # MToon 1.0 ignores them
        "DOUBLE_SIDED": m.double_sided,
        "ALPHA_MASK": m.alpha_mode == "MASK",
        "ALPHA_BLEND": m.alpha_mode == "BLEND",
        "TWO_UVS": sets == 1,
        "MANY_UVS": sets > 1,
        "MIRROR": any(MIRRORED_REPEAT in wraps[i.texture] for i in infos.values()),
        "OUTLINE": outline,
    }
    if m.mtoon is not None:
        t = m.mtoon
        flags["SHADE_IS_BASE"] = t.shade_multiply_texture is not None and (
            t.shade_multiply_texture == m.base_color_texture
        )
        flags["GLOWS"] = has_rim_or_matcap(m)
        flags["OUTLINE_PLAIN"] = outline and t.outline_lighting_mix_factor == 0
        if not flags["GLOWS"]:
            out -= {"HAS_MATCAP", "HAS_RIM"}
        if flags["OUTLINE_PLAIN"]:  # of one colour, cut out as its surface is
            out &= {"MTOON", "HAS_OUTLINE_WIDTH"} | ({"HAS_BASE", "HAS_UV_MASK"} if m.alpha_mode != "OPAQUE" else set())
        flags["OUTLINE_SCREEN"] = outline and t.outline_width_mode == "screenCoordinates"
        flags["UV_ANIMATION"] = any(
            (
                t.uv_animation_scroll_x_speed_factor,
                t.uv_animation_scroll_y_speed_factor,
                t.uv_animation_rotation_speed_factor,
            )
        )
    return frozenset(out | {name for name, on in flags.items() if on})


def geometry_features(material: Material, color_features: Features, outputs: Features) -> Features:
    """The preprocessor defines of one draw into a geometry buffer.

    color_features: those of the same draw in colour.
    outputs: OUT_SURFACE, OUT_NORMAL…, PEEL, and where each output goes ("LOCATION_NORMAL 1").
    """
    read = {"HAS_OUTLINE_WIDTH"}
    if material.alpha_mode != "OPAQUE" or "OUT_ALBEDO" in outputs:
        read |= {"HAS_BASE", "HAS_UV_MASK"}
    if "OUT_NORMAL" in outputs:
        read |= {"HAS_NORMAL", "HAS_SHIFT", "HAS_UV_MASK"}
    unread = (set(_SLOT_FEATURE.values()) - read) | {"GLOWS", "SHADE_IS_BASE", "OUTLINE_PLAIN"}
    return (color_features - unread) | outputs | {"GEOMETRY"}


def has_rim_or_matcap(material: Material) -> bool:
    """Return True where rim light or matcap add anything: the one feature that expressions can turn on and off."""
    t = material.mtoon
    return t is not None and (
        any(t.parametric_rim_color_factor) or (t.matcap_texture is not None and any(t.matcap_factor))
    )


def bound_slots(feature_set: Features) -> tuple[str, ...]:
    """The material's texture fields that a variant fetches from."""
    return tuple(
        slot
        for slot, feature in _SLOT_FEATURE.items()
        if feature in feature_set and not (slot == "shade_multiply_texture" and "SHADE_IS_BASE" in feature_set)
    )


class ProgramStore:
    """The compiled programs of a context, by features; each is compiled when it is first needed."""

    def __init__(self, ctx: moderngl.Context):
        self._ctx = ctx
        self._programs: dict[Features, moderngl.Program] = {}

    def get(self, feature_set: Features) -> moderngl.Program:
        """The program for a set of features."""
        if feature_set not in self._programs:
            head = _head(feature_set)
            kind = next(k for k in ("geometry", "mtoon", "unlit", "pbr") if k.upper() in feature_set)
            sources = ["blocks.glsl", "surface.glsl", *(("toon_ramp.glsl",) if "MTOON" in feature_set else ())]
            self._programs[feature_set] = _compile(
                self._ctx,
                head + _source("blocks.glsl") + _source("avatar.vert"),
                head + "".join(map(_source, [*sources, f"{kind}.frag"])),
            )
        return self._programs[feature_set]


def resolve_program(ctx: moderngl.Context, samples: int) -> moderngl.Program:
    """Compile the program that box-filters samples × samples, flips and un-premultiplies a picture."""
    source = _source("resolve.glsl")
    return _compile(ctx, _head(frozenset({"VERTEX"})) + source, _head(frozenset({f"SAMPLES {samples}"})) + source)


def _head(feature_set: Features) -> str:
    return "#version 430 core\n" + "".join(f"#define {f}\n" for f in sorted(feature_set))


def _compile(ctx: moderngl.Context, vertex: str, fragment: str) -> moderngl.Program:
    try:
        return ctx.program(vertex_shader=vertex, fragment_shader=fragment)
    except moderngl.Error as e:
        raise RenderError("the driver refused a shader", got=str(e), where=ctx.info["GL_RENDERER"]) from e


@cache
def _source(name: str) -> str:
    return (files("vrm_synth.render.gl") / "shaders" / name).read_text("utf-8")
