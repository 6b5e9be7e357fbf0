// MToon's step from shade to light (VRMC_materials_mtoon 1.0, "Lit color").

float shading_shift() {
  float shift = shade_and_shift.a;
#ifdef HAS_SHIFT
  shift += texture(shift_texture, uv_of(SHIFT)).r * toony_shiftscale_normal.y;
#endif
  return shift;
}

float shading_ramp(float n_dot_l, float shift) {
  float toony = toony_shiftscale_normal.x;
  float low = -1.0 + toony, high = 1.0 - toony;
  // At toony 1 the ramp is a step (the division would be 0/0 exactly on it).
  return high > low ? clamp((n_dot_l + shift - low) / (high - low), 0.0, 1.0) : step(low, n_dot_l + shift);
}
