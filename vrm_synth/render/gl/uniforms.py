"""The uniform blocks of blocks.glsl, packed (std140)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vrm_synth.gltf.model import Material, MToon, TextureInfo
from vrm_synth.render.base import Compat, View

# Texture slots in the shaders' order, by the material's field name.
SLOTS: tuple[str, ...] = (
    "base_color_texture",
    "normal_texture",
    "emissive_texture",
    "shade_multiply_texture",
    "shading_shift_texture",
    "matcap_texture",
    "rim_multiply_texture",
    "outline_width_multiply_texture",
    "uv_animation_mask_texture",
    "metallic_roughness_texture",
    "occlusion_texture",
)

FRAME_SIZE = (16 + 5 * 4) * 4
MATERIAL_HEAD = 10  # vec4s before the texture uses
MATERIAL_STRIDE = 512  # at least the block's size, a multiple of every driver's offset alignment (≤ 256)
MIRRORED_REPEAT = 33648


@dataclass(frozen=True, eq=False)
class CameraMatrices:
    """A view's camera: (4, 4) float64 each."""

    view_from_world: NDArray[np.float64]
    clip_from_view: NDArray[np.float64]

    @staticmethod
    def of(view: View) -> CameraMatrices:
        """Computed once a picture."""
        return CameraMatrices(view.camera.view_from_world(), view.camera.clip_from_view(*view.size))


def frame_block(view: View, seen: CameraMatrices) -> bytes:
    """The Frame block of one view."""
    out = np.zeros(FRAME_SIZE // 4, np.float32)
    out[:16] = seen.clip_from_view.T.ravel()
    if view.light is not None:
        x, y, z = view.light.direction
        out[16:19] = seen.view_from_world[:3, :3] @ (np.array([-x, -y, -z]) / math.hypot(x, y, z))
        out[20:23] = [c * view.light.intensity for c in view.light.color]
    out[19] = view.camera.ortho_height is not None
    out[23] = view.time
    if view.ambient is not None:
        out[24:27] = [c * view.ambient.intensity for c in view.ambient.color]
        if view.ambient.ground is not None:
            out[28:31] = [c * view.ambient.intensity for c in view.ambient.ground]
    out[32:35] = seen.view_from_world[:3, 1]
    return out.tobytes()


def material_block(
    material: Material, wraps: dict[int, tuple[int, int]], has_tangents: bool, compat: Compat = "none"
) -> bytes:
    """The Material block, padded to MATERIAL_STRIDE. wraps: texture index → (wrap_s, wrap_t)."""
    m = material
    t = m.mtoon or MToon()
    rows = np.zeros((MATERIAL_STRIDE // 16, 4), np.float32)
    # Derivative tangent frames follow v downwards, glTF's normal maps are y up.
    normal_y = m.normal_scale if has_tangents else -m.normal_scale
    rows[0] = m.base_color_factor
    rows[1] = (*(c * m.emissive_strength for c in m.emissive_factor), m.alpha_cutoff)
    rows[2] = (*t.shade_color_factor, t.shading_shift_factor)
    rows[3] = (t.shading_toony_factor, t.shading_shift_texture_scale, m.normal_scale, normal_y)
    rows[4] = (*t.matcap_factor, t.rim_lighting_mix_factor)
    rows[5] = (*t.parametric_rim_color_factor, t.parametric_rim_fresnel_power_factor)
    rows[6] = (*t.outline_color_factor, t.outline_lighting_mix_factor)
    rows[7] = (t.parametric_rim_lift_factor, t.outline_width_factor, m.metallic_factor, m.roughness_factor)
    rows[8] = (
        t.uv_animation_scroll_x_speed_factor,
        t.uv_animation_scroll_y_speed_factor,
        t.uv_animation_rotation_speed_factor,
        m.occlusion_strength,
    )
    rows[9, 0] = t.gi_equalization_factor
    infos = m.texture_infos()
    for i, slot in enumerate(SLOTS):
        if slot in infos:
            at = MATERIAL_HEAD + 2 * i
            rows[at : at + 2] = _texture_use(infos[slot], wraps[infos[slot].texture], compat)
            if compat == "three-vrm" and m.kind == "mtoon":
                rows[at, 3] = 0  # its MToon reads UV set 0, whatever the file says
    return rows.tobytes()


def _texture_use(info: TextureInfo, wrap: tuple[int, int], compat: Compat) -> NDArray[np.float64]:
    # KHR_texture_transform: translation · rotation · scale; its rotation matrix is
    # [cos, sin; −sin, cos] acting on column (u, v), because v points down.
    c, s = np.cos(info.rotation), np.sin(info.rotation)
    sx, sy = info.scale
    mirrored = (wrap[0] == MIRRORED_REPEAT) + 2 * (wrap[1] == MIRRORED_REPEAT)
    along, across = (s * sy, -s * sx) if compat == "none" else (s * sx, -s * sy)  # three.js turns before it scales
    return np.array([[c * sx, along, info.offset[0], info.tex_coord], [across, c * sy, info.offset[1], mirrored]])
