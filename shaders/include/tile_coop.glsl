// Products of matrices in square tiles by cooperative matrices, in place of tile_square.glsl. Factors are float16 there,
// which is not enough: each is split into the nearest float16 and 2¹¹ times what that leaves out, 22 bits together,
// after it is brought down by 2⁻⁶, so that numbers to four million can be split. Products are summed in float32.
#ifndef TILE_COOP_GLSL
#define TILE_COOP_GLSL
#include "nearest.glsl"

layout(constant_id = 4) const uint M = 16; // of a matrix: rows
layout(constant_id = 5) const uint N = 16; // columns
layout(constant_id = 6) const uint K = 16; // of a step
layout(constant_id = 7) const uint SUBGROUP_SIZE = 32;

const uint SIDE = 64, STEP = 16, EACH = 8, STRIDE = STEP + 8;
const uint TILES = SIDE / M * (SIDE / N) * SUBGROUP_SIZE / SIDE; // of a subgroup
const float DOWN = 1.0 / 64, LIFT = 2048;

layout(local_size_x = SIDE) in;
shared float16_t rows[2][SIDE * STRIDE], columns[2][SIDE * STRIDE]; // the nearest, and the rest
shared float result[SIDE * (SIDE + 4)];

#define Sums coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>
Sums big[TILES], small[TILES];
float sum[EACH][EACH];
uint own = gl_LocalInvocationIndex, row0 = own / EACH * EACH, column0 = own % EACH;

void clear() {
	for (uint i = 0; i < TILES; i++)
		big[i] = small[i] = Sums(0);
}

// put places four numbers of a row or a column, from the k-th of the step on.
#define put(to, i, k, v) place(to, (i) * STRIDE + (k), 1, v)

// spread places one number of each of four rows or columns, from the i-th on, as the k-th of the step.
#define spread(to, i, k, v) place(to, (i) * STRIDE + (k), STRIDE, v)

#define place(to, at, apart, v) { \
	vec4 down_ = DOWN * (v), near32_ = nearest(down_); \
	f16vec4 near_ = f16vec4(near32_), rest_ = f16vec4((down_ - near32_) * LIFT); \
	for (uint c_ = 0; c_ < 4; c_++) { \
		to[0][(at) + c_ * apart] = near_[c_]; \
		to[1][(at) + c_ * apart] = rest_[c_]; \
	} \
}

// Where a subgroup's i-th matrix begins.
uint rowOfTile(uint i) { return (gl_SubgroupID * TILES + i) / (SIDE / N) * M; }
uint columnOfTile(uint i) { return (gl_SubgroupID * TILES + i) % (SIDE / N) * N; }

void multiply() {
	barrier();
	for (uint k = 0; k < STEP; k += K)
		for (uint i = 0; i < TILES; i++) {
			uint row = rowOfTile(i) * STRIDE + k, column = columnOfTile(i) * STRIDE + k;
			coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA> a, rest;
			coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB> b;
			coopMatLoad(a, rows[0], row, STRIDE, gl_CooperativeMatrixLayoutRowMajor);
			coopMatLoad(rest, rows[1], row, STRIDE, gl_CooperativeMatrixLayoutRowMajor);
			coopMatLoad(b, columns[0], column, STRIDE, gl_CooperativeMatrixLayoutColumnMajor);
			big[i] = coopMatMulAdd(a, b, big[i]);
			small[i] = coopMatMulAdd(rest, b, small[i]);
			coopMatLoad(b, columns[1], column, STRIDE, gl_CooperativeMatrixLayoutColumnMajor);
			small[i] = coopMatMulAdd(a, b, small[i]);
		}
	barrier();
}

void total() {
	for (uint i = 0; i < TILES; i++)
		coopMatStore((big[i] + small[i] * (1 / LIFT)) * (1 / (DOWN * DOWN)), result,
			rowOfTile(i) * (SIDE + 4) + columnOfTile(i), SIDE + 4, gl_CooperativeMatrixLayoutRowMajor);
	barrier();
	for (uint i = 0; i < EACH; i++)
		for (uint j = 0; j < EACH; j++)
			sum[i][j] = result[(row0 + i) * (SIDE + 4) + column0 + j * EACH];
}

#endif
