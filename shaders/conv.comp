#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "math.glsl"

// y[t] = silu(Σ_k w[k] ⊙ u[t-K+1+k] + b): depthwise causal convolution. Inputs
// before the pass are in the state, oldest first, and the last K-1 of this pass
// replace them. An invocation owns four channels and a piece of time; only the
// first piece reads the state, so it may write it too. Loops compare the counter
// itself, or lavapipe leaves them as they are and the arrays in memory. With one tap there is no state,
// and all sequences' tokens are alike.
layout(constant_id = 0) const uint K = 4;
layout(constant_id = 1) const uint PIECE = 16; // not below K - 1

IN4(1, u);
IN4(2, w);    // [K][E]
IN4(3, bias); // [E]
INOUT(4, vec4, state); // [rows][K-1][E]
OUT(5, vec4, y);

layout(push_constant) uniform Push {
	uint width;  // vec4 in E
	uint stride; // vec4 from row to row of u
	uint offset; // vec4 before u in its row
} push;

layout(local_size_x = 8) in;

void main() {
	uint c = gl_GlobalInvocationID.x, piece = gl_WorkGroupID.y, b = gl_WorkGroupID.z;
	uint first = piece * PIECE, T = K == 1 ? params.tokens * params.sequences : params.tokens;
	if (c >= push.width || first >= T || b >= params.sequences)
		return;
	uint from = b * T, row = params.row[b] * (K - 1) * push.width + c;
	vec4 taps[K], window[K];
	for (uint k = 0; k < K; k++)
		taps[k] = at4(w, k * push.width + c);
	for (uint k = 1; k < K; k++) {
		int t = int(first + k) - int(K);
		window[k] = t < 0 ? state[row + uint(t + int(K - 1)) * push.width]
			: at4(u, (from + uint(t)) * push.stride + push.offset + c);
	}
	vec4 base = at4(bias, c);
	for (uint t = first; t < min(first + PIECE, T); t++) {
		for (uint k = 1; k < K; k++)
			window[k - 1] = window[k];
		window[K - 1] = at4(u, (from + t) * push.stride + push.offset + c);
		vec4 sum = base;
		for (uint k = 0; k < K; k++)
			sum += taps[k] * window[k];
		y[(from + t) * push.width + c] = silu(sum);
	}
	if (first > 0)
		return;
	// The last inputs are in the window, unless it is another piece's.
	for (uint k = 1; k < K; k++)
		state[row + (k - 1) * push.width] = T <= PIECE ? window[k]
			: at4(u, (from + T + k - K) * push.stride + push.offset + c);
}
