#version 330 core
// Attribute places and the names of the uniforms are pyrender's; it replaces *_LOC by numbers.
layout(location = 0) in vec3 position;
#ifdef NORMAL_LOC
layout(location = NORMAL_LOC) in vec3 normal;
#endif
#ifdef TEXCOORD_0_LOC
layout(location = TEXCOORD_0_LOC) in vec2 texcoord_0;
#endif
#ifdef COLOR_0_LOC
layout(location = COLOR_0_LOC) in vec4 color_0;
#endif
layout(location = INST_M_LOC) in mat4 inst_m;

uniform mat4 M, V, P;

invariant gl_Position;  // coincident surfaces have one depth, whatever else their variants compute

out vec3 v_position;
out vec3 v_normal;
out vec2 v_uv;
out vec4 v_color;

void main() {
  vec4 world = M * inst_m * vec4(position, 1.0);
  v_position = world.xyz;
  v_normal = vec3(0.0);
  v_uv = vec2(0.0);
#ifdef NORMAL_LOC
  v_normal = mat3(M) * normal;  // M only moves: vertices come posed, in world space
#endif
#ifdef TEXCOORD_0_LOC
  v_uv = texcoord_0;
#endif
  v_color = vec4(1.0);
#ifdef COLOR_0_LOC
  v_color = color_0;
#endif
  gl_Position = P * V * world;
}
