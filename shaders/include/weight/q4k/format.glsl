// Q4_K: 32 columns share a scale and a minimum of 6 bits, which two float16s of 256 columns multiply. A unit is
// 32 columns, 4 bits each. A block ends with a unit of each row: the float16s, of the eight scales and then of the eight
// minima four bits each, and the upper two of all of them.
#define WVEC 8
#define BLOCK 8
#define SUB 1
#define PANEL 72
#define SCALE
#define OFFSET
#define ONE_BY_ONE
#define PIECES 4

// widenPiece widens eight of the columns.
void widenPiece(uvec4 v, uint i, out vec4 w[2]) {
	int s = int(v[i]);
	w[0] = vec4(ivec4(s, s >> 4, s >> 8, s >> 12) & 15);
	w[1] = vec4(ivec4(s >> 16, s >> 20, s >> 24, s >> 28) & 15);
}

// six_of is the i-th number of 6 bits, of which four lie in low and two in high.
float six_of(uint low, uint high, uint i) {
	return float(int(low >> i * 4 & 15 | (high >> i * 2 & 3) << 4));
}

float scale_of(uvec4 v, uint i) { return unpackHalf2x16(v.x).x * six_of(v.y, v.w, i); }
float offset_of(uvec4 v, uint i) { return -unpackHalf2x16(v.x).y * six_of(v.z, v.w >> 16, i); }

#define scale(name, row, lane, b, sub) scale_of(uat4(name, (row) + (b) * PANEL + 64), sub)
#define offset(name, row, lane, b, sub) offset_of(uat4(name, (row) + (b) * PANEL + 64), sub)
