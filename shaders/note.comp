#version 450
//! axis: access texel=TEXEL ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "math.glsl"
#include "pool.glsl"

// Note Block, for tokens of one sequence or one of each of several: a token whose importance I = sigmoid(w · x + b) exceeds τ1 leaves its summary. A
// token's sum is taken in the same order in passes of any length, so that the same token is worth
// exactly the same.
layout(constant_id = 0) const uint LANES = 32; // that share a token
layout(constant_id = 1) const uint TOKENS = 1; // of a workgroup

IN4(1, x);
IN4(2, notes); // rows of [summary | …]
IN4(3, score); // w, then b
OUT(4, vec4, summaries);
OUT(5, float, importances);

layout(push_constant) uniform Push {
	uint inputs;  // vec4 in a row of x
	uint width;   // vec4 in a row of notes
	uint summary; // vec4 in S
	uint first;   // of the rows for notes
	uint apart;   // rows from sequence to sequence
	uint rows;    // that must be empty where no token leaves a note
	uint window;  // W when a token's row is its place in the window, 0 when it is its place in the pass
	float threshold; // of w · x + b
} push;

layout(local_size_x_id = 0, local_size_y_id = 1) in;
shared float part[TOKENS * LANES];

void main() {
	uint lane = gl_LocalInvocationID.x, own = gl_LocalInvocationID.y * LANES, t = gl_GlobalInvocationID.y;
	uint T = params.tokens * params.sequences, b = min(t, T - 1) / params.tokens;
	uint place = push.window == 0 ? t : (params.position[b] + t % params.tokens) % push.window;
	uint row = params.row[b] * push.apart + push.first + place;
	vec4 sum = vec4(0);
	for (uint i = lane; i < push.inputs && t < T; i += LANES)
		sum += at4(x, t * push.inputs + i) * at4(score, i);
	float s = at1(score, push.inputs * 4), share = sum4(sum);
	if (LANES > 1) {
		part[own + lane] = share;
		barrier();
	}
	if (t >= T) {
		if (lane == 0 && t < push.rows)
			importances[row] = 0;
		return;
	}
	for (uint i = 0; i < LANES; i++)
		s += LANES > 1 ? part[own + i] : share;
	bool worth = s > push.threshold;
	if (lane == 0)
		importances[row] = worth ? max(sigmoid(s), LEAST) : 0;
	if (worth)
		for (uint i = lane; i < push.summary; i += LANES)
			summaries[row * push.summary + i] = at4(notes, t * push.width + i);
}
