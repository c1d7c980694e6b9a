#version 450
//! axis: access ssbo
#extension GL_GOOGLE_include_directive : require
#include "ssd.glsl"

// The state is carried from chunk to chunk, and what the tokens of a chunk left becomes the state that the
// chunk starts from. One invocation four numbers of a channel's state.
IN4(1, cum);
INOUT(2, vec4, state);  // [rows][E][N]
INOUT(3, vec4, starts); // [chunks][E][N]

layout(local_size_x = 64) in;

void main() {
	uint i = gl_GlobalInvocationID.x, head = i / push.states / push.dim, all = push.channels * 4 * push.states;
	if (head >= push.heads)
		return;
	vec4 h = state[params.row[0] * all + i];
	for (uint t = 0; t < params.tokens; t += CHUNK) {
		uint at = t / CHUNK * all + i;
		vec4 left = starts[at];
		starts[at] = h;
		h = decay(totalOf(head * push.tokens + t + CHUNK - 1), vec2(0)) * h + left;
	}
	state[params.row[0] * all + i] = h;
}
