#version 330 core
// What pyrender's own shader lacks: MASK's discard, unlit and flat materials, sRGB output, and light in
// our units (intensity 1.0 on white gives white). glTF's metallic-roughness for the rest.
struct Material {
  vec4 base_color_factor;
  float metallic_factor;
  float roughness_factor;
  sampler2D base_color_texture;
  sampler2D emissive_texture;
  sampler2D metallic_roughness_texture;
};
struct DirectionalLight { vec3 color; float intensity; vec3 direction; };

uniform Material material;
uniform DirectionalLight directional_lights[MAX_DIRECTIONAL_LIGHTS];
uniform int n_directional_lights;
uniform vec3 ambient_light;   // from above
uniform vec3 ambient_ground;  // from below
uniform vec3 cam_pos;
uniform vec3 toward_viewer;  // of an orthographic camera; zero: perspective
uniform vec3 emission;       // linear, strength in it
uniform int shading;         // 0 unlit, 1 flat (MToon), 2 metallic-roughness
uniform float cutoff;        // below 0: no MASK
uniform int blended;

in vec3 v_position;
in vec3 v_normal;
in vec2 v_uv;
in vec4 v_color;
out vec4 frag_color;

const float PI = 3.14159265358979;

vec3 linear_from_srgb(vec3 c) {
  return mix(pow((c + 0.055) / 1.055, vec3(2.4)), c / 12.92, lessThanEqual(c, vec3(0.04045)));
}

vec3 srgb_from_linear(vec3 c) {
  return mix(pow(max(c, 0.0), vec3(1.0 / 2.4)) * 1.055 - 0.055, c * 12.92, lessThanEqual(c, vec3(0.0031308)));
}

vec3 metallic_roughness(vec3 base, vec3 light, vec3 l) {
  float metallic = material.metallic_factor, roughness = material.roughness_factor;
#ifdef HAS_METALLIC_ROUGHNESS_TEX
  vec2 mr = texture(material.metallic_roughness_texture, v_uv).bg;
  metallic *= mr.x;
  roughness *= mr.y;
#endif
#ifdef NORMAL_LOC
  vec3 n = normalize(v_normal) * (gl_FrontFacing ? 1.0 : -1.0);
#else
  vec3 n = normalize(cross(dFdx(v_position), dFdy(v_position)));
#endif
  // As the GL renderer: widening the lobe by the normal's change across a pixel keeps highlights calm.
  vec3 change = max(abs(dFdx(n)), abs(dFdy(n)));
  roughness = min(max(roughness, 0.0525) + max(max(change.x, change.y), change.z), 1.0);
  vec3 v = toward_viewer == vec3(0.0) ? normalize(cam_pos - v_position) : toward_viewer;
  vec3 h = normalize(l + v);
  float nl = clamp(dot(n, l), 0.0, 1.0), nv = clamp(dot(n, v), 0.0, 1.0);
  float nh = clamp(dot(n, h), 0.0, 1.0), vh = clamp(dot(v, h), 0.0, 1.0);
  float a2 = pow(roughness, 4.0), d = nh * nh * (a2 - 1.0) + 1.0;
  float distribution = a2 / (PI * d * d);
  float visibility = 0.5 / max(nl * sqrt(a2 + (1.0 - a2) * nv * nv) + nv * sqrt(a2 + (1.0 - a2) * nl * nl), 1e-6);
  vec3 f0 = mix(vec3(0.04), base, metallic), fresnel = f0 + (1.0 - f0) * pow(1.0 - vh, 5.0);
  vec3 diffuse = base * (1.0 - metallic);
  return light * nl * (diffuse + PI * fresnel * distribution * visibility)
    + mix(ambient_ground, ambient_light, 0.5 + 0.5 * n.y) * diffuse;
}

void main() {
  vec4 base = material.base_color_factor * v_color;
#ifdef HAS_BASE_COLOR_TEX
  vec4 texel = texture(material.base_color_texture, v_uv);
  base *= vec4(linear_from_srgb(texel.rgb), texel.a);
#endif
  if (base.a < cutoff) discard;

  vec3 glow = emission;
#ifdef HAS_EMISSIVE_TEX
  glow *= linear_from_srgb(texture(material.emissive_texture, v_uv).rgb);
#endif
  vec3 light = vec3(0.0), l = vec3(0.0, 0.0, 1.0);
  if (n_directional_lights > 0) {
    light = directional_lights[0].color * directional_lights[0].intensity;
    l = -directional_lights[0].direction;
  }
  vec3 color = base.rgb;
  if (shading == 1) color = base.rgb * (light + 0.5 * (ambient_light + ambient_ground)) + glow;
  if (shading == 2) color = metallic_roughness(base.rgb, light, l) + glow;
  frag_color = clamp(vec4(srgb_from_linear(color), blended == 1 ? base.a : 1.0), 0.0, 1.0);
}
