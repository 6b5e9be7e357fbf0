// Morphs, skins and projects one vertex; for an outline it also pushes it out along its normal.

// view_from_mesh, three rows each: of joints; of rigid nodes, then their normals'
#ifdef LARGE_PALETTE
layout(std430, binding = 2) readonly buffer Palette { vec4 palette[]; };
#else
layout(std140, binding = 2) uniform Palette { vec4 palette[4096]; };
#endif
layout(std430, binding = 3) readonly buffer ActiveMorphs { ivec4 active_morphs[]; };  // see morphs.py
layout(std430, binding = 4) readonly buffer Deltas { float deltas[]; };

uniform ivec2 morph_range;  // first, count in active_morphs

in vec3 in_position;
in vec3 in_normal;
in vec4 in_tangent;
in vec4 in_uv01;
in vec4 in_uv23;
in vec4 in_color;
in uvec4 in_joints;
in vec4 in_weights;
#ifdef OUT_REST
in vec3 in_rest;  // where the vertex is in the rest pose, world metres
out vec3 v_rest;
#endif
#ifdef VERTEX_LABEL
in float in_label;
flat out float v_label;
#endif

invariant gl_Position;  // coincident surfaces have one depth, whatever else their variants compute

out vec3 v_view_position;
out vec3 v_normal;
#ifdef TANGENTS
out vec4 v_tangent;
#endif
out vec4 v_uv01;
#ifdef MANY_UVS
out vec4 v_uv23;
#endif
#ifdef VERTEX_COLOR
out vec4 v_color;
#endif

vec3 delta(int at) { return vec3(deltas[at], deltas[at + 1], deltas[at + 2]); }

mat3x4 rows(uint matrix) {
  uint at = matrix * 3u;
  return mat3x4(palette[at], palette[at + 1u], palette[at + 2u]);
}

void main() {
  vec3 position = in_position, normal = in_normal;
#ifdef OUT_REST
  v_rest = in_rest;
#endif
#ifdef VERTEX_LABEL
  v_label = in_label;
#endif
  for (int k = morph_range.x; k < morph_range.x + morph_range.y; k++) {
    ivec4 m = active_morphs[k];
    float w = intBitsToFloat(m.z);
    position += w * delta(m.x + 3 * gl_VertexID);
    if (m.w != 0) normal += w * delta(m.y + 3 * gl_VertexID);
  }

#ifdef SKINNED
  mat3x4 point_rows = in_weights.x * rows(in_joints.x) + in_weights.y * rows(in_joints.y) +
    in_weights.z * rows(in_joints.z) + in_weights.w * rows(in_joints.w);
  mat3x4 normal_rows = point_rows;
#else
  mat3x4 point_rows = rows(in_joints.x), normal_rows = rows(in_joints.x + 1u);
#endif
  vec3 view = transpose(point_rows) * vec4(position, 1.0);
  v_normal = mat3(transpose(normal_rows)) * normal;
  float length_ = length(v_normal);
  v_normal = length_ > 0.0 ? v_normal / length_ : vec3(0.0);
  v_view_position = view;
#ifdef TANGENTS
  v_tangent = vec4(vec4(in_tangent.xyz, 0.0) * normal_rows, in_tangent.w);
#endif
  v_uv01 = in_uv01;
#ifdef MANY_UVS
  v_uv23 = in_uv23;
#endif
#ifdef VERTEX_COLOR
  v_color = in_color;
#endif

#ifdef OUTLINE
  float width = lift_width_metal_rough.y;
#ifdef HAS_OUTLINE_WIDTH
  int set = int(uses[OUTLINE_WIDTH].u.w);
  vec2 uv = set == 0 ? in_uv01.xy : set == 1 ? in_uv01.zw : set == 2 ? in_uv23.xy : in_uv23.zw;
  width *= textureLod(outline_width_texture, transformed_uv(OUTLINE_WIDTH, uv), 0.0).g;
#endif
#ifdef OUTLINE_SCREEN
  width *= -view.z / clip_from_view[1].y;
#endif
  view += width * v_normal;
#endif

  gl_Position = clip_from_view * vec4(view, 1.0);
#ifdef OUTLINE
  gl_Position.z += 1e-6 * gl_Position.w;  // keeps a zero-width outline behind its surface
#endif
}
