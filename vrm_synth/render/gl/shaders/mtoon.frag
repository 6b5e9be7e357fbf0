// VRMC_materials_mtoon 1.0: lit/shade ramp, rim and matcap, emission; the outline reuses all of it.

#ifdef GLOWS
vec3 rim_and_matcap(vec3 n, vec3 v) {
  float fresnel = clamp(1.0 - dot(v, n) + lift_width_metal_rough.x, 0.0, 1.0);
  vec3 rim = rim_and_power.rgb * pow(fresnel, max(rim_and_power.a, 1e-5));
#ifdef HAS_MATCAP
  // The spec's 0.495 keeps the lookup inside the picture; v points down in glTF, hence the sign.
#ifdef THREE_VRM
  const float radius = 0.5;
#else
  const float radius = 0.495;
#endif
  vec3 x = normalize(vec3(v.z, 0.0, -v.x));
  vec3 y = cross(v, x);
  vec2 uv = vec2(dot(x, n), -dot(y, n)) * radius + 0.5;
  rim += matcap_and_mix.rgb * texture(matcap_texture, transformed_uv(MATCAP, uv)).rgb;
#endif
#ifdef HAS_RIM
  rim *= texture(rim_texture, uv_of(RIM)).rgb;
#endif
  return rim;
}
#endif

#ifdef OUTLINE_PLAIN
void main() { emit(outline_and_mix.rgb, base_color().a); }
#else
void main() {
  vec4 lit = base_color();
  vec3 shade = shade_and_shift.rgb;
#ifdef HAS_SHADE
#ifdef SHADE_IS_BASE
  shade *= fetched_base.rgb;
#else
  shade *= texture(shade_texture, uv_of(SHADE)).rgb;
#endif
#endif
  float shift = shading_shift();

  vec3 n = shading_normal();
  vec3 light = light_color.rgb, ambient = ambient_on(n, gi_equalization.x);
  vec3 color = light * mix(shade, lit.rgb, shading_ramp(clamp(dot(n, to_light.xyz), -1.0, 1.0), shift));
  color += ambient * lit.rgb;
#ifdef GLOWS
#ifdef THREE_VRM
  vec3 v = normalize(-v_view_position);  // under orthographic cameras, too
#else
  vec3 v = to_viewer();
#endif
  color += rim_and_matcap(n, v) * mix(vec3(1.0), light + ambient, matcap_and_mix.a);
#endif
  color += emission();
#ifdef OUTLINE
  color = outline_and_mix.rgb * mix(vec3(1.0), color, outline_and_mix.a);
#endif
  emit(color, lit.a);
}
#endif
