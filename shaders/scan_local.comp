#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "recurrence.glsl"

// The chunked selective scan, first phase: every piece of time runs from an empty
// state, all pieces in parallel. Kept are its last state and ΣΔ, which is all that
// carrying a state across the piece needs: h' = exp(A ΣΔ) ⊙ h + local. A state may be too large for registers: an
// invocation has a slice of it.
layout(constant_id = 1) const uint PIECES = 1;
const uint SLICE = N4 < 16 ? N4 : 16;

IN4(1, delta);
IN4(2, u);
IN4(3, dbc);
IN4(4, A);
OUT(5, vec4, local);  // [pieces][E][N]
OUT(6, float, total); // [pieces][E]

layout(push_constant) uniform Push {
	uint channels; // E
	uint rank;     // vec4 in dt
	uint width;    // vec4 in a row of dbc
} push;

layout(local_size_x = 8) in;

void main() {
	uint e = gl_GlobalInvocationID.x, piece = gl_GlobalInvocationID.y;
	uint T = params.tokens, len = (T + PIECES - 1) / PIECES, first = piece * len;
	if (e >= push.channels || first >= T)
		return;
	uint from = gl_WorkGroupID.z * SLICE;
	vec4 h[SLICE], a[SLICE];
	for (uint n = 0; n < SLICE; n++) {
		a[n] = at4(A, e * N4 + min(from + n, N4 - 1));
		h[n] = vec4(0);
	}
	float sum = 0;
	for (uint t = first; t < min(first + len, T); t++) {
		float dt = at1(delta, t * push.channels + e), du = dt * at1(u, t * push.channels + e);
		sum += dt;
		for (uint n = 0; n < SLICE; n++)
			advance(h[n], a[n], at4(dbc, t * push.width + push.rank + from + n), dt, du);
	}
	uint at = piece * push.channels + e;
	if (from == 0)
		total[at] = sum;
	for (uint n = 0; n < SLICE; n++)
		if (from + n < N4)
			local[at * N4 + from + n] = h[n];
}
