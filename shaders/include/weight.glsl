// Weight matrices keep the type they have in the file and are widened here; no
// 16-bit feature of the device is needed. They lie in panels of eight rows, so that
// eight neighbours with a row each read one run of memory: a row is cut into units
// of 16 bytes, which are WVEC vec4 of weights, BLOCK units are a block, and a panel
// holds block after block, in it unit after unit, of every unit the eight rows. A
// block of Q8_0 is 32 columns and ends with a unit of eight halves, a row's scale each.
#ifndef WEIGHT_GLSL
#define WEIGHT_GLSL
#include "access.glsl"

#if defined(WEIGHT_F32)
#define WVEC 1
#define WEIGHT(b, name) IN4(b, name)
#define UNIT vec4
#define unitOf(name, i) at4(name, i)
void widen(vec4 v, out vec4 w[WVEC]) { w[0] = v; }
#else
#define WEIGHT(b, name) UIN4(b, name)
#define UNIT uvec4
#define unitOf(name, i) uat4(name, i)
#endif
#define units(name, i, w) widen(unitOf(name, i), w)
#if defined(WEIGHT_F16) || defined(WEIGHT_BF16)
#define WVEC 2
#endif

#if defined(WEIGHT_Q8)
#define WVEC 4
#define BLOCK 2
#define PANEL 17 // units of a block of eight rows
#else
#define BLOCK 8
#define PANEL 64
#endif

// scale(name, row, lane, b) is what block b of a row has to be multiplied with: the row
// of that lane in its panel, which begins at unit row.
#if defined(WEIGHT_Q8)
#define scale(name, row, lane, b) half_of(uat4(name, (row) - (lane) + (b) * PANEL + 16), lane)
#else
#define scale(name, row, lane, b) 1.0
#endif

// weight(name, m, u, blocks, w) fills w[WVEC] with unit u of row m, scaled.
#define weight(name, m, u, blocks, w) { \
	uint row_ = panel(m, blocks), b_ = (u) / BLOCK; \
	units(name, row_ + b_ * PANEL + (u) % BLOCK * 8, w); \
	float scale_ = scale(name, row_, (m) % 8, b_); \
	for (uint j_ = 0; j_ < WVEC; j_++) \
		w[j_] *= scale_; \
}

// Where row m begins.
uint panel(uint m, uint blocks) { return m / 8 * blocks * PANEL + m % 8; }

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

// half_of is the i-th of eight halves.
float half_of(uvec4 v, uint i) {
	uvec2 side = (i & 4) == 0 ? v.xy : v.zw;
	vec2 both = unpackHalf2x16((i & 2) == 0 ? side.x : side.y);
	return (i & 1) == 0 ? both.x : both.y;
}
#endif

#endif
