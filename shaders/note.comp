#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "math.glsl"
#include "pool.glsl"

// Note Block, for the tokens of a pass: a token whose importance I = sigmoid(w · RMSNorm(stream) + b) exceeds
// τ1 leaves its summary.
IN4(1, stream);
IN4(2, notes); // rows of [summary | …]
IN4(3, score); // w times the norm's weight, then b
OUT(4, vec4, summaries);
OUT(5, float, importances);

layout(push_constant) uniform Push {
	uint inputs;  // vec4 in a row of the stream
	uint width;   // vec4 in a row of notes
	uint summary; // vec4 in S
	uint first;   // of the rows for notes
	uint rows;    // that must be empty where no token leaves a note
	uint window;  // W when a token's row is its place in the window, 0 when it is its place in the pass
	float threshold; // of the score
	float mean;      // 1 / d
	float eps;
} push;

#ifdef SOFTWARE
const uint WORKERS = 8;
#else
const uint WORKERS = 32;
#endif
layout(local_size_x = WORKERS) in;
#include "score.glsl"

void main() {
	uint worker = gl_LocalInvocationID.x, lane = worker % SCORERS;
	uint t = (gl_WorkGroupID.x * WORKERS + worker) / SCORERS, T = params.tokens;
	float s = scoreOf(worker, min(t, T - 1) * push.inputs, push.inputs, push.mean, push.eps).x;
	float importance = t < T ? importanceOf(s, push.threshold) : 0;
	uint row = push.first + (push.window == 0 ? t : (params.position[0] + t) % push.window);
	if (lane == 0 && t < max(T, push.rows))
		importances[row] = importance;
	if (importance > 0)
		for (uint i = lane; i < push.summary; i += SCORERS)
			summaries[row * push.summary + i] = at4(notes, t * push.width + i);
}
