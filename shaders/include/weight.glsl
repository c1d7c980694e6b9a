// Weight matrices keep the type they have in the file and are widened here.
// A row is read in units of WVEC vec4: weight(name, i, w) fills w[WVEC] with
// unit i. No 16-bit feature of the device is needed.
#ifndef WEIGHT_GLSL
#define WEIGHT_GLSL
#include "access.glsl"

#if defined(WEIGHT_F32)
#define WVEC 1
#define WEIGHT(b, name) IN4(b, name)
#define weight(name, i, w) w[0] = at4(name, i)
#else
#define WVEC 2
#define WEIGHT(b, name) UIN4(b, name)
#define weight(name, i, w) widen(uat4(name, i), w)

void widen(uvec4 v, out vec4 w[2]) {
#if defined(WEIGHT_F16)
	w[0] = vec4(unpackHalf2x16(v.x), unpackHalf2x16(v.y));
	w[1] = vec4(unpackHalf2x16(v.z), unpackHalf2x16(v.w));
#elif defined(WEIGHT_BF16)
	uvec4 low = v << 16, high = v & 0xffff0000u;
	w[0] = uintBitsToFloat(uvec4(low.x, high.x, low.y, high.y));
	w[1] = uintBitsToFloat(uvec4(low.z, high.z, low.w, high.w));
#endif
}
#endif

#endif
