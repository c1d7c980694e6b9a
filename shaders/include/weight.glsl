// Weight matrices keep the type they have in the file and are widened here; no
// 16-bit feature of the device is needed. They lie in panels of eight rows, so that
// eight neighbours with a row each read one run of memory: a row is cut into units
// of 16 bytes, which are WVEC vec4 of weights, eight units are a block, and a panel
// holds block after block, in it unit after unit, of every unit the eight rows. A
// block of Q8_0 has a ninth unit: the scales of its four times 32 weights.
#ifndef WEIGHT_GLSL
#define WEIGHT_GLSL
#include "access.glsl"

#define BLOCK 8
#if defined(WEIGHT_F32)
#define WVEC 1
#define WEIGHT(b, name) IN4(b, name)
#define units(name, i, w) w[0] = at4(name, i)
#else
#define WVEC 2
#define WEIGHT(b, name) UIN4(b, name)
#define units(name, i, w) widen(uat4(name, i), w)
#endif

#if defined(WEIGHT_Q8)
#undef BLOCK
#undef WVEC
#define BLOCK 9
#define WVEC 4
#endif

// What a block of a row has to be multiplied with, a number for two units.
#if defined(WEIGHT_Q8)
#define scales(name, first) uintBitsToFloat(uat4(name, (first) + 64))
#else
#define scales(name, first) vec4(1)
#endif

// weight(name, m, u, blocks, w) fills w[WVEC] with unit u of row m, scaled.
#define weight(name, m, u, blocks, w) { \
	uint first_ = panel(m, blocks) + (u) / 8 * (8 * BLOCK); \
	units(name, first_ + (u) % 8 * 8, w); \
	float scale_ = scales(name, first_)[(u) % 8 / 2]; \
	for (uint j_ = 0; j_ < WVEC; j_++) \
		w[j_] *= scale_; \
}

// Where row m's first block begins.
uint panel(uint m, uint blocks) { return m / 8 * blocks * (8 * BLOCK) + m % 8; }

#if defined(WEIGHT_F16)
void widen(uvec4 v, out vec4 w[WVEC]) {
	w[0] = vec4(unpackHalf2x16(v.x), unpackHalf2x16(v.y));
	w[1] = vec4(unpackHalf2x16(v.z), unpackHalf2x16(v.w));
}
#elif defined(WEIGHT_BF16)
void widen(uvec4 v, out vec4 w[WVEC]) {
	uvec4 low = v << 16, high = v & 0xffff0000u;
	w[0] = uintBitsToFloat(uvec4(low.x, high.x, low.y, high.y));
	w[1] = uintBitsToFloat(uvec4(low.z, high.z, low.w, high.w));
}
#elif defined(WEIGHT_Q8)
void widen(uvec4 v, out vec4 w[WVEC]) {
	ivec4 s = ivec4(v);
	for (uint i = 0; i < 4; i++)
		w[i] = vec4(ivec4(s[i] << 24, s[i] << 16, s[i] << 8, s[i]) >> 24);
}
#endif

#endif
