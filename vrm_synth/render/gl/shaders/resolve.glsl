// One triangle over the whole picture: box filter of SAMPLES × SAMPLES premultiplied values, turned
// top row first and un-premultiplied. Works on whole 8-bit numbers so that every driver agrees.

#ifdef VERTEX
void main() {
  gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0);
}
#else
layout(binding = 0) uniform sampler2D drawn;
layout(location = 0) out vec4 out_color;

void main() {
  ivec2 to = ivec2(gl_FragCoord.xy), size = textureSize(drawn, 0);
  vec4 sum = vec4(0.0);
  for (int j = 0; j < SAMPLES; j++)
    for (int i = 0; i < SAMPLES; i++)
      sum += round(texelFetch(drawn, ivec2(to.x * SAMPLES + i, size.y - 1 - (to.y * SAMPLES + j)), 0) * 255.0);
  float alpha = floor(sum.a / float(SAMPLES * SAMPLES) + 0.5);
  vec3 color = sum.a > 0.0 ? min(floor(sum.rgb * (255.0 / sum.a) + 0.5), 255.0) : vec3(0.0);
  out_color = vec4(color, alpha) / 255.0;
}
#endif
