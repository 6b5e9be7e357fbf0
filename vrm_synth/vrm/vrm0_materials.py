"""Convert VRM 0.x material properties to MToon 1.0 and unlit materials.

The format does not specify this migration. This one follows three-vrm, the reference renderer,
which agrees with UniVRM's own migration on the shading terms, the v of texture transforms and the render
queues. Where the two differ, the choice is in one of the small functions of the first section:

- `gamma_to_linear`: three-vrm's power of 2.2; UniVRM takes the sRGB curve. (0.x says only "gamma".)
- `emission_to_linear`: already linear, as in UniVRM and in 0.x's HDR color picker; three-vrm takes pow 2.2 here too.
- `alpha_mode`: three-vrm trusts the shader keywords; UniVRM trusts `_BlendMode`. Keywords win, and a
  contradiction is recorded as an oddity.
- `outline_width`: a hundredth in both modes; UniVRM takes 1/200 of screen-space widths, because it measures
  them by the screen's whole height. Drawing takes the factor times view depth over projection[1][1], which
  is half the height, so 1/100 keeps 0.x's width.
- `double_sided`: 0.x can cull front faces, glTF cannot: three-vrm culls the back, UniVRM nothing. Recorded.
- A missing `_ShadeTexture` stays white, as 0.x draws it (UniVRM repeats `_MainTex`), and the rim keeps
  0.x's `_RimLightingMix` (UniVRM sets 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from vrm_synth.gltf.json_reader import JsonObject
from vrm_synth.gltf.materials import Textures, read_material
from vrm_synth.gltf.model import Material, MToon, TextureInfo, Vec2, Vec3, Vec4
from vrm_synth.gltf.oddities import Oddities

AlphaMode = Literal["OPAQUE", "MASK", "BLEND"]

_MTOON = "VRM/MToon"
_ZWRITE_UNLIT = "VRM/UnlitTransparentZWrite"
_BLENDED_UNLIT = ("VRM/UnlitTransparent", _ZWRITE_UNLIT)

# Unity's own unlit shaders, as old exporters named them: (uses _Color, alpha mode).
_UNLIT: dict[str, tuple[bool, AlphaMode]] = {
    "VRM/UnlitTexture": (True, "OPAQUE"),
    "VRM/UnlitCutout": (True, "MASK"),
    "Unlit/Color": (True, "OPAQUE"),
    "Unlit/Texture": (False, "OPAQUE"),
    "Unlit/Transparent": (False, "BLEND"),
    "Unlit/Transparent Cutout": (False, "MASK"),
}

# ---------------------------------------------------------------- where migrations differ


def gamma_to_linear(color: Sequence[float]) -> Vec3:
    """Convert the RGB of a 0.x color to linear."""
    r, g, b = (max(c, 0.0) ** 2.2 for c in color[:3])
    return r, g, b


def emission_to_linear(color: Sequence[float]) -> Vec3:
    """Convert the RGB of a 0.x emission color, which is linear already."""
    return color[0], color[1], color[2]


def alpha_mode(p: JsonObject, oddities: Oddities) -> AlphaMode:
    """Return the alpha mode of an MToon 0.x material."""
    keywords = p.child_or_empty("keywordMap")
    if keywords.flag("_ALPHABLEND_ON"):
        mode: AlphaMode = "BLEND"
    else:
        mode = "MASK" if keywords.flag("_ALPHATEST_ON") else "OPAQUE"
    floats = p.child_or_empty("floatProperties")
    stated = {0.0: "OPAQUE", 1.0: "MASK", 2.0: "BLEND", 3.0: "BLEND"}.get(floats.number("_BlendMode", -1.0), mode)
    if stated != mode:
        oddities.add(f"{p.path} has keywords that say {mode} but a _BlendMode that says {stated}; keywords win")
    return mode


def outline_width(width: float) -> float:
    """Convert a 0.x outline width, in centimeters or hundredths of half the screen's height, to a 1.0 factor."""
    return 0.01 * width


def double_sided(p: JsonObject, oddities: Oddities) -> bool:
    """Return True where a 0.x material is double-sided. _CullMode: 0 none, 1 front, 2 back."""
    mode = p.child_or_empty("floatProperties").number("_CullMode", 2.0)
    if mode == 1.0:
        oddities.add(f"{p.path} culls front faces, which glTF cannot say; its back faces are culled instead")
    return mode == 0.0


# ---------------------------------------------------------------- materials


def read_vrm0_materials(
    materials: Sequence[JsonObject], properties: Sequence[JsonObject], textures: Textures, oddities: Oddities
) -> tuple[Material, ...]:
    """Read the file's materials; `properties` are the entries of VRM.materialProperties, in the same order."""
    queues = _RenderQueues(properties)
    if len(properties) != len(materials):
        oddities.add(f"VRM.materialProperties has {len(properties)} entries for {len(materials)} materials")
    out: list[Material] = []
    for i, f in enumerate(materials):
        shader = properties[i].text("shader") if i < len(properties) else "VRM_USE_GLTFSHADER"
        if shader == _MTOON:
            out.append(_mtoon(f, properties[i], textures, queues, oddities))
        elif shader in _BLENDED_UNLIT:
            out.append(_blended_unlit(f, properties[i], textures, queues))
        elif shader in _UNLIT:
            out.append(_unlit(f, properties[i], textures))
        else:
            if shader not in ("VRM_USE_GLTFSHADER", ""):
                oddities.add(f"{properties[i].path} has the unknown shader {shader[:60]!r}; its glTF material is taken")
            out.append(read_material(f, textures))
    return tuple(out)


class _RenderQueues:
    """Conversion of 0.x render queues to 1.0's offsets.

    The queues in use are numbered in order from 0: downward for plain transparent materials, upward for those that
    write depth, at most 9 each way.
    """

    def __init__(self, properties: Sequence[JsonObject]):
        used: dict[bool, set[int]] = {False: set(), True: set()}
        for p in properties:
            if (writes := self._writes_depth(p)) is not None and p.has("renderQueue"):
                used[writes].add(p.integer("renderQueue", 0))
        plain, zwrite = sorted(used[False]), sorted(used[True])
        self._offsets = {(False, q): max(i - len(plain) + 1, -9) for i, q in enumerate(plain)}
        self._offsets |= {(True, q): min(i, 9) for i, q in enumerate(zwrite)}

    @staticmethod
    def _writes_depth(p: JsonObject) -> bool | None:
        """Return True where a transparent material writes depth; None for one that is not transparent."""
        shader = p.text("shader")
        # The keyword counts when it is present, even as false, as in three-vrm.
        keyword = p.child_or_empty("keywordMap").has("_ALPHABLEND_ON")
        if not keyword and shader not in _BLENDED_UNLIT:
            return None
        return shader == _ZWRITE_UNLIT or p.child_or_empty("floatProperties").number("_ZWrite", 0.0) == 1.0

    def offset(self, p: JsonObject) -> int:
        """Return the material's renderQueueOffsetNumber."""
        writes = self._writes_depth(p)
        if writes is None or not p.has("renderQueue"):
            return 0
        return self._offsets[writes, p.integer("renderQueue", 0)]


class _MaterialProperties:
    """Typed access to one entry of materialProperties; its texture transform applies to all textures but the matcap."""

    def __init__(self, p: JsonObject, textures: Textures):
        self.floats = p.child_or_empty("floatProperties")
        self.vectors = p.child_or_empty("vectorProperties")
        self.indices = p.child_or_empty("textureProperties")
        self.textures = textures
        # Missing components are 0 for the offset and 1 for the scale.
        stated = self.vectors.values("_MainTex")
        ox, oy, sx, sy = (
            self.vectors.vector("_MainTex", (0.0, 0.0, 1.0, 1.0)) if len(stated) >= 4 else (0.0, 0.0, 1.0, 1.0)
        )
        self.offset, self.scale = flipped_transform((ox, oy), (sx, sy))

    def number(self, name: str, default: float) -> float:
        """Return a float property."""
        return self.floats.number(name, default)

    def color(self, name: str, default: Vec4) -> tuple[float, ...]:
        """Return a color property; a missing alpha is the default's."""
        values = self.vectors.values(name)
        if len(values) == 3:
            return (*self.vectors.vector(name, default[:3]), default[3])
        return self.vectors.vector(name, default)

    def texture(self, name: str, *, transformed: bool = True) -> TextureInfo | None:
        """Return a texture property, or None."""
        index = self.indices.index(name, len(self.textures.textures), "textures", minus_one_is_normal=True)
        if index is None:
            return None
        where = self.indices.at(name)
        if not transformed:
            return self.textures.use(index, where)
        return self.textures.use(index, where, offset=self.offset, scale=self.scale)


def flipped_transform(offset: Vec2, scale: Vec2) -> tuple[Vec2, Vec2]:
    """Convert Unity's texture offset and scale (v up) to glTF's (v down)."""
    return (offset[0], 1.0 - scale[1] - offset[1]), scale


def _mtoon(f: JsonObject, p: JsonObject, textures: Textures, queues: _RenderQueues, oddities: Oddities) -> Material:
    v = _MaterialProperties(p, textures)
    mode = alpha_mode(p, oddities)
    r, g, b = gamma_to_linear(color := v.color("_Color", (1.0, 1.0, 1.0, 1.0)))
    return Material(
        name=f.text("name"),
        kind="mtoon",
        base_color_factor=(r, g, b, color[3]),
        base_color_texture=v.texture("_MainTex"),
        normal_texture=v.texture("_BumpMap"),
        normal_scale=v.number("_BumpScale", 1.0),
        emissive_factor=emission_to_linear(v.color("_EmissionColor", (0.0, 0.0, 0.0, 1.0))),
        emissive_texture=v.texture("_EmissionMap"),
        alpha_mode=mode,
        alpha_cutoff=v.number("_Cutoff", 0.5),
        double_sided=double_sided(p, oddities),
        mtoon=_mtoon_fields(v, mode == "BLEND" and v.number("_ZWrite", 0.0) == 1.0, queues.offset(p)),
    )


def _mtoon_fields(v: _MaterialProperties, z_write: bool, queue: int) -> MToon:
    shift0, toony0 = v.number("_ShadeShift", 0.0), v.number("_ShadeToony", 0.9)
    toony = toony0 + (1.0 - toony0) * (0.5 + 0.5 * shift0)
    modes: tuple[Literal["none", "worldCoordinates", "screenCoordinates"], ...]
    modes = ("none", "worldCoordinates", "screenCoordinates")
    outline_mode = v.number("_OutlineWidthMode", 0.0)
    mixed = v.number("_OutlineColorMode", 0.0) == 1.0
    return MToon(
        transparent_with_z_write=z_write,
        render_queue_offset_number=queue,
        shade_color_factor=gamma_to_linear(v.color("_ShadeColor", (0.97, 0.81, 0.86, 1.0))),
        shade_multiply_texture=v.texture("_ShadeTexture"),
        shading_shift_factor=-shift0 - (1.0 - toony),
        shading_toony_factor=toony,
        gi_equalization_factor=1.0 - v.number("_IndirectLightIntensity", 0.1),
        matcap_texture=v.texture("_SphereAdd", transformed=False),
        parametric_rim_color_factor=gamma_to_linear(v.color("_RimColor", (0.0, 0.0, 0.0, 1.0))),
        rim_multiply_texture=v.texture("_RimTexture"),
        rim_lighting_mix_factor=v.number("_RimLightingMix", 0.0),
        parametric_rim_fresnel_power_factor=v.number("_RimFresnelPower", 1.0),
        parametric_rim_lift_factor=v.number("_RimLift", 0.0),
        outline_width_mode=modes[int(outline_mode)] if outline_mode in (0.0, 1.0, 2.0) else "none",
        outline_width_factor=outline_width(v.number("_OutlineWidth", 0.0)),
        outline_width_multiply_texture=v.texture("_OutlineWidthTexture"),
        outline_color_factor=gamma_to_linear(v.color("_OutlineColor", (0.0, 0.0, 0.0, 1.0))),
        outline_lighting_mix_factor=v.number("_OutlineLightingMix", 1.0) if mixed else 0.0,
        uv_animation_mask_texture=v.texture("_UvAnimMaskTexture"),
        uv_animation_scroll_x_speed_factor=v.number("_UvAnimScrollX", 0.0),
        uv_animation_scroll_y_speed_factor=-v.number("_UvAnimScrollY", 0.0),  # v points the other way
        uv_animation_rotation_speed_factor=v.number("_UvAnimRotation", 0.0),
    )


def _unlit(f: JsonObject, p: JsonObject, textures: Textures) -> Material:
    v = _MaterialProperties(p, textures)
    uses_color, mode = _UNLIT[p.text("shader")]
    r, g, b = gamma_to_linear(color := v.color("_Color", (1.0, 1.0, 1.0, 1.0))) if uses_color else (1.0, 1.0, 1.0)
    return Material(
        name=f.text("name"),
        kind="unlit",
        base_color_factor=(r, g, b, color[3] if uses_color else 1.0),
        base_color_texture=v.texture("_MainTex"),
        metallic_factor=0.0,
        alpha_mode=mode,
        alpha_cutoff=v.number("_Cutoff", 0.5),
        double_sided=f.flag("doubleSided"),
    )


def _blended_unlit(f: JsonObject, p: JsonObject, textures: Textures, queues: _RenderQueues) -> Material:
    """Convert VRM/UnlitTransparent and UnlitTransparentZWrite, which need MToon's queues and depth writing.

    A black MToon material whose color is all emission looks unlit under any light (UniVRM's migration does the same).
    """
    v = _MaterialProperties(p, textures)
    r, g, b = gamma_to_linear(color := v.color("_Color", (1.0, 1.0, 1.0, 1.0)))
    return Material(
        name=f.text("name"),
        kind="mtoon",
        base_color_factor=(0.0, 0.0, 0.0, color[3]),
        base_color_texture=v.texture("_MainTex"),
        emissive_factor=(r, g, b),
        emissive_texture=v.texture("_MainTex"),
        alpha_mode="BLEND",
        double_sided=f.flag("doubleSided"),
        mtoon=MToon(
            transparent_with_z_write=p.text("shader") == _ZWRITE_UNLIT, render_queue_offset_number=queues.offset(p)
        ),
    )
