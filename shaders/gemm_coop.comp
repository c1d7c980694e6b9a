#version 450
//! axis: weight
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#include "gemm.glsl"
#include "nearest.glsl"

// y[t] = W x[t] for many tokens by cooperative matrices, a workgroup 64 tokens and 64 rows. Factors are
// float16 there, which is not enough: an activation is split into the nearest float16 and 2¹¹ times
// what that leaves out, 22 bits together, and so is a weight of another type. Products are summed in
// float32. x is brought down by 2⁻⁸, so that numbers to 16 million can be split.
layout(constant_id = 4) const uint M = 16; // of a matrix: tokens
layout(constant_id = 5) const uint N = 16; // rows of W
layout(constant_id = 6) const uint K = 16; // columns
layout(constant_id = 7) const uint SUBGROUP_SIZE = 32;

const uint SIDE = 64, STEP = max(16, 4 * WVEC), THREADS = 128, STRIDE = STEP + 8;
const uint TILES = SIDE / M * (SIDE / N) * SUBGROUP_SIZE / THREADS; // of a subgroup
const float DOWN = 1.0 / 256, REST = 2048;

layout(local_size_x = THREADS) in;
shared float16_t xs[2][SIDE * STRIDE], ws[2][SIDE * STRIDE]; // the nearest, and the rest
shared float result[SIDE / 2 * (SIDE + 4)]; // of one half of the tokens after the other: shared memory may be 32 KiB

#define Sums coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>
Sums big[TILES], small[TILES];

uint index = gl_LocalInvocationIndex;

#define split(to, at, v, exact) { \
	vec4 near32_ = nearest(v); \
	f16vec4 near_ = f16vec4(near32_), rest_ = f16vec4(((v) - near32_) * REST); \
	for (uint c_ = 0; c_ < 4; c_++) { \
		to[0][(at) + c_] = near_[c_]; \
		if (!(exact)) \
			to[1][(at) + c_] = rest_[c_]; \
	} \
}

// bring fetches and splits some columns of the tile's tokens and rows.
void bring(uint u0, uint first, uint t0, uint T) {
	for (uint i = index; i < SIDE * STEP / 4; i += THREADS) {
		uint t = i / (STEP / 4), v = i % (STEP / 4), at = u0 * WVEC + v;
		vec4 a = at < push.width ? DOWN * at4(x, min(t0 + t, T - 1) * push.stride + push.offset + at) : vec4(0);
		split(xs, t * STRIDE + v * 4, a, false);
	}
	const uint UNITS = STEP / 4 / WVEC;
	for (uint i = index; i < SIDE * UNITS; i += THREADS) {
		uint m = i / UNITS, u = i % UNITS;
		vec4 unit[WVEC];
		weight(w, min(first * 8 + m, push.panels * 8 - 1), min(u0 + u, push.blocks * BLOCK - 1), push.blocks, unit);
		for (uint j = 0; j < WVEC; j++)
			split(ws, m * STRIDE + (u * WVEC + j) * 4, unit[j], EXACT); // a float16 leaves no rest
	}
}

// multiply adds the products of what was brought.
void multiply() {
	for (uint k = 0; k < STEP; k += K)
		for (uint i = 0; i < TILES; i++) {
			uint tile = gl_SubgroupID * TILES + i, t = tile / (SIDE / N) * M, m = tile % (SIDE / N) * N;
			coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA> a, rest;
			coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB> b;
			coopMatLoad(a, xs[0], t * STRIDE + k, STRIDE, gl_CooperativeMatrixLayoutRowMajor);
			coopMatLoad(rest, xs[1], t * STRIDE + k, STRIDE, gl_CooperativeMatrixLayoutRowMajor);
			coopMatLoad(b, ws[0], m * STRIDE + k, STRIDE, gl_CooperativeMatrixLayoutColumnMajor);
			big[i] = coopMatMulAdd(a, b, big[i]);
			small[i] = coopMatMulAdd(rest, b, small[i]);
			if (!EXACT) {
				coopMatLoad(b, ws[1], m * STRIDE + k, STRIDE, gl_CooperativeMatrixLayoutColumnMajor);
				small[i] = coopMatMulAdd(a, b, small[i]);
			}
		}
}

void main() {
	uint T = params.tokens * params.sequences, first = gl_WorkGroupID.x * SIDE / 8, t0 = gl_WorkGroupID.y * SIDE;
	if (t0 >= T)
		return;
	for (uint i = 0; i < TILES; i++)
		big[i] = small[i] = Sums(0);
	for (uint u = 0; u * WVEC < push.width; u += STEP / 4 / WVEC) {
		bring(u, first, t0, T);
		barrier();
		multiply();
		barrier();
	}
	for (uint from = 0; from < SIDE; from += SIDE / 2) {
		for (uint i = 0; i < TILES; i++) {
			uint tile = gl_SubgroupID * TILES + i, t = tile / (SIDE / N) * M, m = tile % (SIDE / N) * N;
			if (t / (SIDE / 2) * (SIDE / 2) == from)
				coopMatStore((big[i] + small[i] * (1 / REST)) * (1 / DOWN), result, (t - from) * (SIDE + 4) + m,
					SIDE + 4, gl_CooperativeMatrixLayoutRowMajor);
		}
		barrier();
		for (uint i = index; i < SIDE / 2 * SIDE; i += THREADS) {
			uint t = t0 + from + i / SIDE, m = first * 8 + i % SIDE;
			if (t < T && m < push.panels * 8)
				y[t * push.panels * 8 + m] = finish(t, m, result[i / SIDE * (SIDE + 4) + i % SIDE]);
		}
		barrier();
	}
}
