// KHR_materials_unlit: the base colour is the picture.

void main() {
  vec4 c = base_color();
  emit(c.rgb, c.a);
}
