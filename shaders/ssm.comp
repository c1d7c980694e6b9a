#version 450
//! axis: weight
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "weight.glsl"
#include "math.glsl"
#include "recurrence.glsl"

// One token of each sequence through the selective SSM, from x_proj's output to the
// gated y: Δ = softplus(W_dt dt + b), h = exp(Δ A) ⊙ h + Δ u B,
// y = (h C + D u) silu(z). One invocation a channel.
IN4(1, dbc); // rows of [dt | B | C]
WEIGHT(2, w); // dt_proj
IN4(3, bias);
IN4(4, u);
IN4(5, z);
IN4(6, A);
IN4(7, D);
INOUT(8, vec4, state); // [rows][E][N]
OUT(9, float, y);

layout(push_constant) uniform Push {
	uint channels; // E
	uint rank;     // vec4 in dt
	uint blocks;   // in a row of dt_proj
	uint width;    // vec4 in a row of dbc
	uint ustride, uoffset, zstride, zoffset; // vec4
} push;

layout(local_size_x = 8) in;

void main() {
	uint e = gl_GlobalInvocationID.x, b = gl_GlobalInvocationID.y;
	if (e >= push.channels || b >= params.sequences)
		return;
	vec4 sum = vec4(0);
	for (uint i = 0; i * WVEC < push.rank; i++) {
		vec4 row[WVEC];
		weight(w, e, i, push.blocks, row);
		for (uint j = 0; j < WVEC; j++)
			if (i * WVEC + j < push.rank)
				sum += row[j] * at4(dbc, b * push.width + i * WVEC + j);
	}
	float delta = softplus(sum4(sum) + at1(bias, e));
	float ue = at1(u, (b * push.ustride + push.uoffset) * 4 + e), zc = at1(z, (b * push.zstride + push.zoffset) * 4 + e);
	uint h0 = (params.row[b] * push.channels + e) * N4, B0 = b * push.width + push.rank;
	vec4 out4 = vec4(0);
	for (uint n = 0; n < N4; n++) {
		vec4 h = state[h0 + n];
		advance(h, at4(A, e * N4 + n), at4(dbc, B0 + n), delta, delta * ue);
		state[h0 + n] = h;
		out4 += h * at4(dbc, B0 + N4 + n);
	}
	y[b * push.channels + e] = (sum4(out4) + at1(D, e) * ue) * silu(zc);
}
