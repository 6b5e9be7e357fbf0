// glTF 2.0 metallic-roughness (appendix B), lit by one directional and one ambient light.

const float PI = 3.14159265358979;

float smith_ggx(float a, float n_dot_l, float n_dot_v) {
  float a2 = a * a;
  float gv = n_dot_l * sqrt(a2 + (1.0 - a2) * n_dot_v * n_dot_v);
  float gl = n_dot_v * sqrt(a2 + (1.0 - a2) * n_dot_l * n_dot_l);
  return 0.5 / max(gv + gl, 1e-6);
}

float ggx(float a, float n_dot_h) {
  float a2 = a * a, d = n_dot_h * n_dot_h * (a2 - 1.0) + 1.0;
  return a2 / (PI * d * d);
}

void main() {
  vec4 base = base_color();
  float metallic = lift_width_metal_rough.z, roughness = lift_width_metal_rough.w;
#ifdef HAS_METALLIC_ROUGHNESS
  vec2 mr = texture(metallic_roughness_texture, uv_of(METALLIC_ROUGHNESS)).bg;
  metallic *= mr.x;
  roughness *= mr.y;
#endif
  // Widening the lobe by the normal's change across a pixel keeps highlights from sparkling.
  vec3 geometric = surface_normal();
  vec3 change = max(abs(dFdx(geometric)), abs(dFdy(geometric)));
  roughness = min(max(roughness, 0.0525) + max(max(change.x, change.y), change.z), 1.0);

  vec3 n = shading_normal(), v = to_viewer(), l = to_light.xyz, h = normalize(l + v);
  float n_dot_l = clamp(dot(n, l), 0.0, 1.0), n_dot_v = clamp(dot(n, v), 0.0, 1.0);
  float n_dot_h = clamp(dot(n, h), 0.0, 1.0), v_dot_h = clamp(dot(v, h), 0.0, 1.0);
  vec3 diffuse = base.rgb * (1.0 - metallic), f0 = mix(vec3(0.04), base.rgb, metallic);
  float a = roughness * roughness;
  // Schlick's Fresnel with Epic's exponential fit (Karis 2013).
  vec3 fresnel = mix(f0, vec3(1.0), exp2((-5.55473 * v_dot_h - 6.98316) * v_dot_h));
  // Lights are given so that 1.0 on white is white: pi times glTF's punctual convention.
  vec3 specular = PI * fresnel * smith_ggx(a, n_dot_l, n_dot_v) * ggx(a, n_dot_h);
  vec3 ambient = ambient_on(n, 0.0) * diffuse;
#ifdef HAS_OCCLUSION
  ambient *= 1.0 + scroll_rotation_occlusion.w * (texture(occlusion_texture, uv_of(OCCLUSION)).r - 1.0);
#endif
  emit(light_color.rgb * n_dot_l * (diffuse + specular) + ambient + emission(), base.a);
}
