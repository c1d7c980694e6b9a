#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "rank.glsl"

// The highest rank in every piece of a row of logits; 0 for what pads the last ones.
IN4(1, logits);
OUT(2, uint, highest); // [rows][pieces]

layout(push_constant) uniform Push {
	uint vocab;  // logits that count in a row
	uint stride; // vec4 from row to row
	uint pieces; // of a row, a multiple of 4
} push;

layout(local_size_x = 128) in;

void main() {
	uint piece = gl_GlobalInvocationID.x, row = gl_WorkGroupID.y;
	if (piece >= push.pieces || row >= params.sequences)
		return;
	uvec4 most = uvec4(0);
	for (uint i = 0; i < PIECE / 4; i++) {
		uint at = piece * PIECE / 4 + i;
		most = max(most, rank(at4(logits, row * push.stride + min(at, push.stride - 1)), 4 * at, push.vocab));
	}
	highest[row * push.pieces + piece] = max(max(most.x, most.y), max(most.z, most.w));
}
