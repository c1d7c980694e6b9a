#version 450
//! axis: access texel=TEXEL,SOFTWARE
#extension GL_GOOGLE_include_directive : require
#include "ssd.glsl"
#include "lanes.glsl"

// The state that every chunk of a pass starts from, and the one that is left, for a software device:
//   h' = exp(cum_end) h + Σ_s exp(cum_end - cum_s) Δ_s u_s B_sᵀ
// chunk after chunk, in registers. A workgroup has CHANNELS channels of a head; a lane owns vec4 of their
// states, and the lanes hand round the channels of eight tokens.
layout(constant_id = 1) const uint OWN = 2; // vec4 of a lane
const uint CHANNELS = 16, STEP = 8;

IN4(1, xbc);
IN4(2, delta);
IN4(3, cum);
INOUT(4, vec4, state);  // [rows][E][N]
OUT(5, vec4, starts);   // [chunks][E][N]

layout(local_size_x = 8) in;

vec4 h[CHANNELS][OWN];
uint tiles = (push.dim + CHANNELS - 1) / CHANNELS, head = gl_WorkGroupID.x / tiles;
uint first = gl_WorkGroupID.x % tiles * CHANNELS, n0 = gl_WorkGroupID.y * 8 * OWN + gl_LocalInvocationID.x;

// add takes STEP tokens from s0 on into the state, at the end of a chunk whose cum is last.
void add(uint s0, vec2 last) {
	vec4 u[STEP / LANES][CHANNELS / 4];
	for (uint g = 0; g < STEP / LANES; g++) {
		uint s = s0 + g * LANES + mine(), at = head * push.tokens + s;
		float weight = decay(last, totalOf(at)) * at1(delta, at);
		for (uint i = 0; i < CHANNELS / 4; i++)
			u[g][i] = weight * four(xbc, rowOf(s), head, first + i * 4);
	}
	vec4 B[STEP][OWN];
	for (uint k = 0; k < STEP; k++) {
		uint row = rowOf(s0 + k) + keyOf(head);
		for (uint o = 0; o < OWN; o++)
			B[k][o] = at4(xbc, row + min(n0 + o * 8, push.states - 1));
	}
	for (uint i = 0; i < CHANNELS / 4; i++) {
		vec4 v[STEP];
		for (uint k = 0; k < STEP; k++)
			v[k] = handed(u[k / LANES][i], k % LANES);
		for (uint c = 0; c < 4; c++)
			for (uint o = 0; o < OWN; o++)
				h[i * 4 + c][o] += ((v[0][c] * B[0][o] + v[1][c] * B[1][o]) + (v[2][c] * B[2][o] + v[3][c] * B[3][o]))
					+ ((v[4][c] * B[4][o] + v[5][c] * B[5][o]) + (v[6][c] * B[6][o] + v[7][c] * B[7][o]));
	}
}

void main() {
	uint E = push.channels * 4, own = (head * push.dim + first) * push.states + n0, T = params.tokens;
	uint from = params.row[0] * E * push.states + own;
	for (uint c = 0; c < CHANNELS; c++)
		for (uint o = 0; o < OWN; o++)
			if (first + c < push.dim && n0 + o * 8 < push.states)
				h[c][o] = state[from + c * push.states + o * 8];
	for (uint t = 0; t < T; t += CHUNK) {
		vec2 last = totalOf(head * push.tokens + t + CHUNK - 1);
		float kept = decay(last, vec2(0));
		for (uint c = 0; c < CHANNELS; c++)
			for (uint o = 0; o < OWN; o++) {
				if (first + c < push.dim && n0 + o * 8 < push.states)
					starts[t / CHUNK * E * push.states + own + c * push.states + o * 8] = h[c][o];
				h[c][o] *= kept;
			}
		for (uint s = t; s < min(t + CHUNK, T); s += STEP)
			add(s, last);
	}
	for (uint c = 0; c < CHANNELS; c++)
		for (uint o = 0; o < OWN; o++)
			if (first + c < push.dim && n0 + o * 8 < push.states)
				state[from + c * push.states + o * 8] = h[c][o];
}
