#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"

// Read decision: a layer reads its own pool, or those of the layers before it, during the window that begins
// when I_state = sigmoid(w · mean_n(h) + b) exceeds a threshold. One workgroup a layer of a sequence.
IN4(1, h); // the states
IN4(2, w); // [L][E]
IN4(3, bias);
OUT(4, uint, reads); // [sequences][L]

layout(push_constant) uniform Push {
	uint offset, stride, apart; // vec4 before the first h, from layer to layer and from sequence to sequence
	uint readers;        // reads from sequence to sequence
	uint channels;       // E
	uint states;         // vec4 in N
	float scale;         // 1 / N
	float threshold;     // of w · mean_n(h) + b
} push;

const uint LANES = 64;
layout(local_size_x = LANES) in;
shared float part[LANES];

void main() {
	uint lane = gl_LocalInvocationID.x, layer = gl_WorkGroupID.x, b = gl_WorkGroupID.y;
	if (b >= params.sequences)
		return;
	uint own = params.row[b], first = push.offset + own * push.apart + layer * push.stride;
	float sum = 0;
	for (uint e = lane; e < push.channels; e += LANES) {
		vec4 mean = vec4(0);
		for (uint n = 0; n < push.states; n++)
			mean += at4(h, first + e * push.states + n);
		sum += dot(mean, vec4(1)) * push.scale * at1(w, layer * push.channels + e);
	}
	part[lane] = sum;
	barrier();
	if (lane > 0)
		return;
	float score = at1(bias, layer * 8);
	for (uint i = 0; i < LANES; i++)
		score += part[i];
	reads[own * push.readers + layer] = uint(score > push.threshold);
}
