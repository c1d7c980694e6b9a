// Products of matrices in square tiles on a GPU: 64 invocations bring 64 rows and 64 columns of STEP numbers each to
// shared memory, and each adds up eight by eight of the results: rows from row0 on, and every eighth column from
// column0 on.
#ifndef TILE_SQUARE_GLSL
#define TILE_SQUARE_GLSL

const uint SIDE = 64, STEP = 16, EACH = 8;
layout(local_size_x = EACH, local_size_y = EACH) in;

shared float rows[STEP][SIDE + 1], columns[STEP][SIDE + 1];
float sum[EACH][EACH];
uint own = gl_LocalInvocationIndex, row0 = gl_LocalInvocationID.y * EACH, column0 = gl_LocalInvocationID.x;

void clear() {
	for (uint i = 0; i < EACH; i++)
		for (uint j = 0; j < EACH; j++)
			sum[i][j] = 0;
}

// put places four numbers of a row or a column, from the k-th of the step on.
#define put(to, i, k, v) { \
	vec4 v_ = v; \
	for (uint c_ = 0; c_ < 4; c_++) \
		to[(k) + c_][i] = v_[c_]; \
}

// spread places one number of each of four rows or columns, from the i-th on, as the k-th of the step.
#define spread(to, i, k, v) { \
	vec4 v_ = v; \
	for (uint c_ = 0; c_ < 4; c_++) \
		to[k][(i) + c_] = v_[c_]; \
}

// multiply adds the products of what was brought, and lets the next be brought.
void multiply() {
	barrier();
	for (uint k = 0; k < STEP; k++) {
		float b[EACH];
		for (uint j = 0; j < EACH; j++)
			b[j] = columns[k][column0 + j * EACH];
		for (uint i = 0; i < EACH; i++) {
			float a = rows[k][row0 + i];
			for (uint j = 0; j < EACH; j++)
				sum[i][j] += a * b[j];
		}
	}
	barrier();
}

// total leaves in sum what was added up.
void total() {}

#endif
