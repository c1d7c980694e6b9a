#ifndef SSD_STATE_GLSL
#define SSD_STATE_GLSL
#include "ssd.glsl"

// What the tokens of a chunk leave of a state at its end, as if it had begun empty:
// Σ_s exp(cum_end - cum_s) Δ_s u_s B_sᵀ. A workgroup has some channels of a head and some numbers of their
// states, of a chunk.
IN4(1, xbc);
IN4(2, delta);
IN4(3, cum);
OUT(4, float, left); // [chunks][E][N]

void main() {
	uint tiles = (push.dim + SIDE - 1) / SIDE, head = gl_WorkGroupID.x / tiles, first = gl_WorkGroupID.x % tiles * SIDE;
	uint n0 = gl_WorkGroupID.y * SIDE, t0 = gl_WorkGroupID.z * CHUNK, times = head * push.tokens + t0, N = push.states * 4;
	if (t0 >= params.tokens)
		return;
	vec2 last = totalOf(times + CHUNK - 1);
	clear();
	for (uint s0 = 0; s0 < CHUNK; s0 += STEP) {
		for (uint i = own; i < STEP * SIDE / 4; i += SIDE) {
			uint k = i / (SIDE / 4), c = i % (SIDE / 4) * 4, s = s0 + k, row = rowOf(t0 + s);
			vec4 u = decay(last, totalOf(times + s)) * at1(delta, times + s) * four(xbc, row, head, first + c);
			vec4 B = at4(xbc, row + keyOf(head) + min((n0 + c) / 4, push.states - 1));
			spread(rows, c, k, u)
			spread(columns, c, k, B)
		}
		multiply();
	}
	total();
	uint to = (gl_WorkGroupID.z * push.channels * 4 + head * push.dim) * N;
	for (uint i = 0; i < EACH; i++)
		for (uint j = 0; j < EACH; j++) {
			uint channel = first + row0 + i, n = n0 + column0 + j * EACH;
			if (channel < push.dim && n < N)
				left[to + channel * N + n] = sum[i][j];
		}
}

#endif
