#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "math.glsl"
#include "recurrence.glsl"

// The chunked selective scan, last phase: every piece of time starts from the state
// it was handed and writes y = (h C + D u) silu(z). With one piece this is the whole
// scan; with more, scan_local and scan_carry have put each piece's start into carry.
// One invocation a channel and piece, of a slice of the states; the last slice has what the others came to.
layout(constant_id = 1) const uint PIECES = 1;
layout(constant_id = 2) const uint SLICE = 4; // vec4 of a state that registers hold at once

IN4(1, delta);
IN4(2, u);
IN4(3, dbc); // rows of [dt | B | C]
IN4(4, z);
IN4(5, A);
IN4(6, D);
INOUT(7, vec4, state); // [rows][E][N]
IN(8, vec4, carry);    // [pieces][E][N]
IN4(9, before); // what the slices before come to
OUT(10, float, y);

layout(push_constant) uniform Push {
	uint channels; // E
	uint rank;     // vec4 in dt
	uint width;    // vec4 in a row of dbc
	uint zstride, zoffset; // vec4
	uint from; // vec4 of a state before the slice
} push;

layout(local_size_x = 8) in;

void main() {
	uint e = gl_GlobalInvocationID.x, piece = gl_GlobalInvocationID.y;
	uint T = params.tokens, len = (T + PIECES - 1) / PIECES, first = piece * len;
	if (e >= push.channels || first >= T)
		return;
	uint h0 = (params.row[0] * push.channels + e) * N4 + push.from, c0 = (piece * push.channels + e) * N4 + push.from;
	vec4 h[SLICE], a[SLICE];
	for (uint n = 0; n < SLICE; n++) {
		a[n] = at4(A, e * N4 + push.from + n);
		h[n] = PIECES == 1 ? state[h0 + n] : carry[c0 + n];
	}
	float d = at1(D, e);
	for (uint t = first; t < min(first + len, T); t++) {
		float dt = at1(delta, t * push.channels + e), ue = at1(u, t * push.channels + e);
		uint B0 = t * push.width + push.rank + push.from;
		vec4 sum = vec4(0);
		for (uint n = 0; n < SLICE; n++) {
			advance(h[n], a[n], at4(dbc, B0 + n), dt, dt * ue);
			sum += h[n] * at4(dbc, B0 + N4 + n);
		}
		float all = sum4(sum);
		if (push.from > 0)
			all += at1(before, t * push.channels + e);
		if (push.from + SLICE == N4)
			all = (all + d * ue) * silu(at1(z, (t * push.zstride + push.zoffset) * 4 + e));
		y[t * push.channels + e] = all;
	}
	if (first + len >= T)
		for (uint n = 0; n < SLICE; n++)
			state[h0 + n] = h[n];
}
