// What every fragment shader needs: UVs, base colour and cut-out, the shading normal, the output.

in vec3 v_view_position;
in vec3 v_normal;
#ifdef TANGENTS
in vec4 v_tangent;
#endif
in vec4 v_uv01;
#ifdef MANY_UVS
in vec4 v_uv23;
#endif
#ifdef VERTEX_COLOR
in vec4 v_color;
#endif

#ifndef GEOMETRY
layout(location = 0) out vec4 out_color;
#ifdef VERTEX_LABEL
flat in float v_label;  // that of the triangle's last vertex
layout(location = 1) out float out_label;
#endif
#endif

vec2 animated(vec2 uv, float mask) {
  vec3 speed = scroll_rotation_occlusion.xyz * light_color.w * mask;
  float c = cos(speed.z), s = sin(speed.z);
  return mat2(c, -s, s, c) * (uv - 0.5) + 0.5 + speed.xy;
}

vec2 raw_uv(int slot) {
#ifdef MANY_UVS
  int set = int(uses[slot].u.w);
  return set == 0 ? v_uv01.xy : set == 1 ? v_uv01.zw : set == 2 ? v_uv23.xy : v_uv23.zw;
#elif defined(TWO_UVS)
  return uses[slot].u.w < 0.5 ? v_uv01.xy : v_uv01.zw;
#else
  return v_uv01.xy;
#endif
}

vec2 uv_of(int slot) {
  vec2 uv = raw_uv(slot);
#ifdef UV_ANIMATION
  float mask = 1.0;
#ifdef HAS_UV_MASK
  mask = texture(uv_mask_texture, transformed_uv(UV_MASK, raw_uv(UV_MASK))).b;
#endif
  uv = animated(uv, mask);
#endif
  return transformed_uv(slot, uv);
}

#ifdef HAS_BASE
vec4 fetched_base;  // what base_color() found; MToon's shade is often the same texture
#endif

vec4 base_color() {
  vec4 c = base_color_factor;
#ifdef HAS_BASE
  fetched_base = texture(base_texture, uv_of(BASE));
  c *= fetched_base;
#endif
#ifdef VERTEX_COLOR
  c *= v_color;
#endif
#ifdef ALPHA_MASK
  if (c.a < emissive_and_cutoff.a) discard;
#endif
#ifndef ALPHA_BLEND
  c.a = 1.0;
#endif
  return c;
}

vec3 emission() {
  vec3 e = emissive_and_cutoff.rgb;
#ifdef HAS_EMISSIVE
  e *= texture(emissive_texture, uv_of(EMISSIVE)).rgb;
#endif
  return e;
}

// Geometric normal in view space, towards the viewer on double-sided surfaces.
vec3 surface_normal() {
#ifdef FLAT
  return normalize(cross(dFdx(v_view_position), dFdy(v_view_position)));
#else
  vec3 n = normalize(v_normal);
#if defined(DOUBLE_SIDED) && !defined(OUTLINE)
  n *= gl_FrontFacing ? 1.0 : -1.0;
#endif
  return n;
#endif
}

#ifdef HAS_NORMAL
// Normal mapping; without stored tangents the frame comes from screen derivatives
// (C. Schüler, "Normal Mapping Without Precomputed Tangents").
vec3 mapped_normal(vec3 n) {
  vec2 uv = uv_of(NORMAL);
#ifdef TANGENTS
  vec3 t = normalize(v_tangent.xyz);
  vec3 b = normalize(cross(normalize(v_normal), t) * v_tangent.w);
#else
  vec3 px = dFdx(v_view_position), py = dFdy(v_view_position);
  vec2 ux = dFdx(uv), uy = dFdy(uv);
  vec3 a = cross(py, n), c = cross(n, px);
  vec3 t = a * ux.x + c * uy.x, b = a * ux.y + c * uy.y;
  float len2 = max(dot(t, t), dot(b, b));
  float k = len2 == 0.0 ? 0.0 : inversesqrt(len2);
  t *= k; b *= k;
#endif
#if defined(DOUBLE_SIDED) && !defined(FLAT)
  float face = gl_FrontFacing ? 1.0 : -1.0;
  t *= face; b *= face;
#endif
  vec3 m = texture(normal_texture, uv).xyz * 2.0 - 1.0;
  m.xy *= toony_shiftscale_normal.zw;
  return normalize(mat3(t, b, n) * m);
}
#endif

vec3 shading_normal() {
  vec3 n = surface_normal();
#ifdef HAS_NORMAL
#if defined(THREE_VRM) && defined(OUTLINE)
  n = -n;  // three-vrm builds the tangent frame of an outline on the flipped normal
#endif
  n = mapped_normal(n);
#endif
  return n;
}

vec3 to_viewer() {
  return to_light.w > 0.5 ? vec3(0.0, 0.0, 1.0) : normalize(-v_view_position);
}

// Ambient light on a normal. MToon's GI equalisation pulls it to the mean of above and below.
vec3 ambient_on(vec3 n, float equalization) {
#ifdef HEMISPHERE
  vec3 mean = 0.5 * (ambient_color.rgb + ambient_ground.rgb);
  return mix(mix(ambient_ground.rgb, ambient_color.rgb, 0.5 + 0.5 * dot(n, up.xyz)), mean, equalization);
#else
  return ambient_color.rgb;
#endif
}

vec3 srgb_from_linear(vec3 c) {
  return mix(pow(max(c, 0.0), vec3(0.41666)) * 1.055 - 0.055, c * 12.92, lessThanEqual(c, vec3(0.0031308)));
}

#ifndef GEOMETRY
void emit(vec3 linear, float alpha) {
  out_color = vec4(srgb_from_linear(linear), alpha);
#ifdef VERTEX_LABEL
  out_label = v_label;
#endif
}
#endif
