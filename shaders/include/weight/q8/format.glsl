// Q8_0: 32 columns share a float16, which is their scale. A block ends with a unit of eight, a row's each.
#define WVEC 4
#define BLOCK 2
#define SUB 2
#define PANEL 17
#define SCALE
#define ONE_BY_ONE // reading all panels at once takes a quarter longer

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

#define scale(name, row, lane, b, sub) half_of(uat4(name, (row) - (lane) + (b) * PANEL + 16), lane)
