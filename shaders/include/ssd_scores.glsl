#ifndef SSD_SCORES_GLSL
#define SSD_SCORES_GLSL
#include "ssd.glsl"

// C_t·B_s of all pairs of a chunk's tokens, one workgroup a chunk and group.
IN4(1, xbc);
OUT(2, float, scores); // [G][T][CHUNK]

void main() {
	uint t0 = gl_WorkGroupID.x * CHUNK, head = gl_WorkGroupID.y * push.group;
	if (t0 >= params.tokens)
		return;
	clear();
	for (uint n0 = 0; n0 < push.states; n0 += STEP / 4) {
		for (uint i = own; i < SIDE * STEP / 4; i += SIDE) {
			uint t = i / (STEP / 4), n = i % (STEP / 4), row = rowOf(t0 + t), at = min(n0 + n, push.states - 1);
			float there = n0 + n < push.states ? 1 : 0;
			put(rows, t, n * 4, there * at4(xbc, row + queryOf(head) + at))
			put(columns, t, n * 4, at4(xbc, row + keyOf(head) + at))
		}
		multiply();
	}
	total();
	uint to = (gl_WorkGroupID.y * push.tokens + t0 + row0) * CHUNK + column0;
	for (uint i = 0; i < EACH; i++)
		for (uint j = 0; j < EACH; j++)
			scores[to + i * CHUNK + j * EACH] = sum[i][j];
}

#endif
