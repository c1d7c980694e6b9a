#version 450
//! axis: weight
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "weight.glsl"

// r[t] = embeddings[ids[t]]
IN(1, uint, ids);
WEIGHT(2, table);
OUT(3, vec4, r);

layout(push_constant) uniform Push {
	uint width;  // vec4 in a row
	uint blocks; // in a row of the table
} push;

layout(local_size_x = 64) in;

void main() {
	uint unit = gl_GlobalInvocationID.x, t = gl_GlobalInvocationID.y;
	if (unit * WVEC >= push.width || t >= params.tokens * params.sequences)
		return;
	vec4 w[WVEC];
	weight(table, ids[t], unit, push.blocks, w);
	for (uint i = 0; i < WVEC; i++)
		if (unit * WVEC + i < push.width)
			r[t * push.width + unit * WVEC + i] = w[i];
}
