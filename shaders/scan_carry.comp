#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"

// The chunked selective scan, second phase: the state is carried from piece to piece,
// and carry[piece], which held the piece's own last state, becomes the state it starts
// from. One invocation four numbers of a channel's state.
layout(constant_id = 0) const uint N4 = 4;
layout(constant_id = 1) const uint PIECES = 1;

IN4(1, A);
IN(2, vec4, state);    // [rows][E][N]
IN(3, float, total);   // [pieces][E]
INOUT(4, vec4, carry); // [pieces][E][N]

layout(push_constant) uniform Push {
	uint channels; // E
} push;

layout(local_size_x = 64) in;

void main() {
	uint i = gl_GlobalInvocationID.x, e = i / N4;
	uint len = (params.tokens + PIECES - 1) / PIECES;
	if (e >= push.channels)
		return;
	vec4 h = state[params.row[0] * push.channels * N4 + i], a = at4(A, i);
	for (uint piece = 0; piece * len < params.tokens; piece++) {
		uint at = piece * push.channels * N4 + i;
		vec4 own = carry[at];
		carry[at] = h;
		h = exp(a * total[piece * push.channels + e]) * h + own;
	}
}
