#version 450
//! axis: access texel=TEXEL ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "math.glsl"
#include "pool.glsl"

// Note Block: a token whose importance I = sigmoid(score) exceeds τ1 leaves its summary, pending
// until the window ends at the token's place in the window.
IN4(1, notes); // rows of [summary | … | score]
OUT(2, vec4, pending);     // [L][W][S]
OUT(3, float, importance); // [L][W]

layout(push_constant) uniform Push {
	uint width;   // vec4 in a row of notes
	uint score;   // numbers before the score in a row
	uint summary; // vec4 in S
	uint window;  // W
	uint layer;
	float threshold;
} push;

layout(local_size_x = 8) in;

void main() {
	uint i = gl_GlobalInvocationID.x, t = gl_GlobalInvocationID.y;
	if (i >= push.summary || t >= params.tokens)
		return;
	float I = sigmoid(at1(notes, t * push.width * 4 + push.score));
	if (!(I > push.threshold))
		return;
	uint place = push.layer * push.window + (params.position[0] + t) % push.window;
	pending[place * push.summary + i] = at4(notes, t * push.width + i);
	if (i == 0)
		importance[place] = max(I, LEAST);
}
