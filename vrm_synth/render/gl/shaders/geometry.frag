// What lies at a pixel's centre, unblended: see render/geometry_buffer.py. Outputs that nobody asked for are left out.

#ifdef VERTEX_LABEL
flat in float v_label;
layout(location = 1) out float out_label;  // beside the colour that is already drawn
#else
#ifdef OUTLINE
const float SIGN = -1.0;
#else
const float SIGN = 1.0;
#endif
uniform int first_triangle;  // number of the draw's first triangle
layout(location = LOCATION_TRIANGLE) out float out_triangle;  // its number plus 1, negative on outlines
layout(location = LOCATION_DEPTH) out float out_depth;        // metres along the view axis
#endif
#ifdef OUT_UV
layout(location = LOCATION_UV) out vec2 out_uv;
#endif
#ifdef OUT_NORMAL
layout(location = LOCATION_NORMAL) out vec4 out_normal;  // shading normal, view space; w: lit share
#endif
#ifdef OUT_GEOMETRIC_NORMAL
layout(location = LOCATION_GEOMETRIC_NORMAL) out vec4 out_geometric_normal;
#endif
#ifdef OUT_REST
in vec3 v_rest;
layout(location = LOCATION_REST) out vec4 out_rest;
#endif
#ifdef OUT_ALBEDO
layout(location = LOCATION_ALBEDO) out vec4 out_albedo;
#endif

#ifdef OUT_NORMAL
float lit_share(vec3 n) {
  if (light_color.rgb == vec3(0.0)) return 0.0;
  float n_dot_l = clamp(dot(n, to_light.xyz), -1.0, 1.0);
#if defined(MTOON)
  return shading_ramp(n_dot_l, shading_shift());
#elif defined(PBR)
  return max(n_dot_l, 0.0);
#else
  return 1.0;
#endif
}
#endif

#ifdef PEEL
layout(binding = 11) uniform sampler2D nearer_layer;  // out_depth of the layer before: 0 for none, −1 before the first
const float SAME_SURFACE = 1e-5;  // of the depth: what is no farther behind is the same surface
#endif

void main() {
#ifdef OUT_GEOMETRIC_NORMAL
  vec3 plane_normal = normalize(cross(dFdx(v_view_position), dFdy(v_view_position)));  // before any discard
#endif
#ifdef PEEL
  float nearer = texelFetch(nearer_layer, ivec2(gl_FragCoord.xy), 0).r;
  if (nearer == 0.0 || -v_view_position.z <= (1.0 + SAME_SURFACE) * nearer) discard;
#endif
  vec4 base = base_color();
#ifdef ALPHA_BLEND
  if (base.a < 0.5) discard;
#endif
#ifdef VERTEX_LABEL
  out_label = v_label;
#else
  out_triangle = SIGN * float(first_triangle + gl_PrimitiveID + 1);
  out_depth = -v_view_position.z;
#endif
#ifdef OUT_UV
  out_uv = v_uv01.xy;
#endif
#ifdef OUT_NORMAL
  vec3 n = shading_normal();
  out_normal = vec4(n, lit_share(n));
#endif
#ifdef OUT_GEOMETRIC_NORMAL
  out_geometric_normal = vec4(dot(plane_normal, to_viewer()) < 0.0 ? -plane_normal : plane_normal, 0.0);
#endif
#ifdef OUT_REST
  out_rest = vec4(v_rest, 0.0);
#endif
#ifdef OUT_ALBEDO
#ifdef OUTLINE
  out_albedo = vec4(srgb_from_linear(outline_and_mix.rgb), 1.0);
#else
  out_albedo = vec4(srgb_from_linear(base.rgb), 1.0);
#endif
#endif
}
