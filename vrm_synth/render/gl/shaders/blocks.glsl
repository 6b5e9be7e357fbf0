// Uniform blocks and texture slots shared by every stage. Layouts are mirrored in blocks.py.

layout(std140, binding = 0) uniform Frame {
  mat4 clip_from_view;
  vec4 to_light;         // view space, unit; w: 1 for an orthographic camera
  vec4 light_color;      // linear, times intensity; w: seconds of UV animation
  vec4 ambient_color;    // linear, times intensity; from above where there is a ground
  vec4 ambient_ground;   // likewise, from below
  vec4 up;               // the world's +Y in view space
};

struct TextureUse {
  vec4 u;   // u' = dot(u.xy, uv) + u.z; w: UV set
  vec4 v;   // v' = dot(v.xy, uv) + v.z; w: mirrored axes, 1 = s, 2 = t, 3 = both
};

const int BASE = 0, NORMAL = 1, EMISSIVE = 2, SHADE = 3, SHIFT = 4, MATCAP = 5, RIM = 6, OUTLINE_WIDTH = 7,
  UV_MASK = 8, METALLIC_ROUGHNESS = 9, OCCLUSION = 10, SLOTS = 11;

layout(std140, binding = 1) uniform Material {
  vec4 base_color_factor;
  vec4 emissive_and_cutoff;        // rgb with emissive strength in it; a: alpha cutoff
  vec4 shade_and_shift;            // rgb shade colour; a: shading shift
  vec4 toony_shiftscale_normal;    // toony, shift texture scale, normal scale x, normal scale y
  vec4 matcap_and_mix;             // rgb matcap factor; a: rim lighting mix
  vec4 rim_and_power;              // rgb parametric rim; a: fresnel power
  vec4 outline_and_mix;            // rgb outline colour; a: outline lighting mix
  vec4 lift_width_metal_rough;     // rim lift, outline width, metallic, roughness
  vec4 scroll_rotation_occlusion;  // UV scroll x, y, rotation speed; occlusion strength
  vec4 gi_equalization;            // x
  TextureUse uses[SLOTS];
};

layout(binding = 0) uniform sampler2D base_texture;
layout(binding = 1) uniform sampler2D normal_texture;
layout(binding = 2) uniform sampler2D emissive_texture;
layout(binding = 3) uniform sampler2D shade_texture;
layout(binding = 4) uniform sampler2D shift_texture;
layout(binding = 5) uniform sampler2D matcap_texture;
layout(binding = 6) uniform sampler2D rim_texture;
layout(binding = 7) uniform sampler2D outline_width_texture;
layout(binding = 8) uniform sampler2D uv_mask_texture;
layout(binding = 9) uniform sampler2D metallic_roughness_texture;
layout(binding = 10) uniform sampler2D occlusion_texture;

vec2 transformed_uv(int slot, vec2 uv) {
  vec4 tu = uses[slot].u, tv = uses[slot].v;
  vec2 t = vec2(dot(tu.xy, uv) + tu.z, dot(tv.xy, uv) + tv.z);
#ifdef MIRROR
  // Mirrored repeat folded by hand; the sampler then clamps.
  bvec2 fold = bvec2(mod(tv.w, 2.0) > 0.5, tv.w > 1.5);
  t = mix(t, 1.0 - abs(mod(t, 2.0) - 1.0), fold);
#endif
  return t;
}
