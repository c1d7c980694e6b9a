// Q6_K: 16 columns share a scale of 8 bits, which a float16 of 256 columns multiplies. A unit is 32 columns, 6
// bits each in six words: of 16 columns five to a word and the last in what that leaves. Four words lie with the
// eight units of a row, two behind them. A block ends with a unit of each row, the 16 scales, and one of eight
// float16s, a row's each.
#define WVEC 8
#define BLOCK 8
#define SUB 8
#define PANEL 105
#define SCALE
#define ONE_BY_ONE
#define PIECES 4
#include "halves.glsl"

struct Unit {
	ivec4 first;
	ivec2 rest;
	vec2 scales; // of 16 columns each
};
#define UNIT Unit
#define WEIGHT(b, name) UIN4(b, name)
#define unitAt(name, row, b, i) unit_of(uat4(name, (row) + (b) * PANEL + (i) * 8), \
	uat4(name, (row) + (b) * PANEL + 64 + (i) / 2 * 8), uat4(name, (row) + (b) * PANEL + 96), i)

Unit unit_of(uvec4 first, uvec4 rest, uvec4 scales, uint i) {
	uvec2 side = (i & 4) == 0 ? scales.xy : scales.zw;
	int both = int((i & 2) == 0 ? side.x : side.y) << ((i & 1) == 0 ? 16 : 0);
	return Unit(ivec4(first), ivec2((i & 1) == 0 ? rest.xy : rest.zw), vec2(both << 8 >> 24, both >> 24));
}

#define four(a, i, b, j, c, k, d, l) vec4(ivec4((a) << (i), (b) << (j), (c) << (k), (d) << (l)) >> 26)

// widenPiece widens eight of the columns, of which 15 of 16 lie in three words of their own. All is written out: compilers
// are slow with arrays and loops here.
void widenPiece(Unit v, uint i, out vec4 w[2]) {
	int a = i < 2 ? v.first.x : v.first.w, b = i < 2 ? v.first.y : v.rest.x, c = i < 2 ? v.first.z : v.rest.y;
	float s = v.scales[i / 2];
	if (i % 2 == 0) {
		w[0] = s * four(a, 26, a, 20, a, 14, a, 8);
		w[1] = s * four(a, 2, b, 26, b, 20, b, 14);
	} else {
		int last = a >> 30 & 3 | b >> 28 & 12 | c >> 26 & 48;
		w[0] = s * four(b, 8, b, 2, c, 26, c, 20);
		w[1] = s * four(c, 14, c, 8, c, 2, last, 26);
	}
}

#define scale(name, row, lane, b, sub) half_of(uat4(name, (row) - (lane) + (b) * PANEL + 104), lane)
