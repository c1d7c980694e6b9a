// Q8_0: 32 columns share a float16, which is their scale. A block ends with a unit of eight, a row's each.
#define WVEC 4
#define BLOCK 2
#define SUB 2
#define PANEL 17
#define SCALE
#define ONE_BY_ONE // reading all panels at once takes a quarter longer
#include "halves.glsl"

void widen(uvec4 v, out vec4 w[WVEC]) {
	ivec4 s = ivec4(v);
	for (uint i = 0; i < 4; i++)
		w[i] = vec4(ivec4(s[i] << 24, s[i] << 16, s[i] << 8, s[i]) >> 24);
}

#define scale(name, row, lane, b, sub) half_of(uat4(name, (row) - (lane) + (b) * PANEL + 16), lane)
