#ifndef SSD_SCAN_GLSL
#define SSD_SCAN_GLSL
#include "ssd.glsl"
#include "math.glsl"

// What the tokens of a chunk make of one another and of the state it starts from, gated:
// y_t = (exp(cum_t) C_t h + Σ_{s≤t} (C_t·B_s) exp(cum_t - cum_s) Δ_s u_s + D u_t) silu(z_t). A workgroup has
// some channels of a head, and a chunk.
IN4(1, xbc);
IN4(2, delta);
IN4(3, cum);
IN4(4, scores); // [G][T][CHUNK]
IN4(5, starts); // [chunks][E][N]
IN4(6, z);
IN4(7, D);      // [H]
OUT(8, float, y);

uint wide = push.dim + push.channels * 4 - push.heads * push.dim, tiles = (wide + SIDE - 1) / SIDE;
uint head = gl_WorkGroupID.x / tiles, first = gl_WorkGroupID.x % tiles * SIDE, t0 = gl_WorkGroupID.y * CHUNK;
uint times = head * push.tokens + t0;

// before adds what the chunk starts from.
void before() {
	uint from = (gl_WorkGroupID.y * push.channels * 4 + head * push.dim) * push.states;
	for (uint n0 = 0; n0 < push.states; n0 += STEP / 4) {
		for (uint i = own; i < SIDE * STEP / 4; i += SIDE) {
			uint t = i / (STEP / 4), n = i % (STEP / 4), at = min(n0 + n, push.states - 1);
			float kept = n0 + n < push.states ? decay(totalOf(times + t), vec2(0)) : 0;
			put(rows, t, n * 4, kept * at4(xbc, rowOf(t0 + t) + queryOf(head) + at))
			put(columns, t, n * 4, at4(starts, from + min(first + t, push.dim - 1) * push.states + at))
		}
		multiply();
	}
}

// weigh is what token t makes of the chunk's tokens from s on.
vec4 weigh(uint t, uint s) {
	vec4 w = at4(scores, ((head / push.group * push.tokens + t0 + t) * CHUNK + s) / 4) * at4(delta, (times + s) / 4);
	w *= decay(totalOf(times + t), totalsOf(times + s));
	for (uint k = 0; k < 4; k++)
		w[k] = s + k < t ? w[k] : s + k == t ? w[k] + at1(D, head) : 0;
	return w;
}

void within() {
	uint end = min(CHUNK, params.tokens - t0);
	for (uint s0 = 0; s0 < end; s0 += STEP) {
		for (uint i = own; i < SIDE * STEP / 4; i += SIDE) {
			uint t = i / (STEP / 4), s = i % (STEP / 4) * 4, k = i / (SIDE / 4), c = i % (SIDE / 4) * 4;
			put(rows, t, s, weigh(t, s0 + s))
			spread(columns, c, k, four(xbc, rowOf(t0 + s0 + k), head, first + c))
		}
		multiply();
	}
}

void main() {
	if (t0 >= params.tokens)
		return;
	clear();
	before();
	within();
	total();
	for (uint i = 0; i < EACH; i++)
		for (uint j = 0; j < EACH; j++) {
			uint t = t0 + row0 + i, channel = first + column0 + j * EACH, e = head * push.dim + channel;
			if (t >= params.tokens || channel >= push.dim && (head + 1 < push.heads || e >= push.channels * 4))
				continue;
			float gate = silu(at1(z, (t * push.zstride + push.zoffset) * 4 + e));
			y[t * push.channels * 4 + e] = channel < push.dim ? sum[i][j] * gate : 0;
		}
}

#endif
