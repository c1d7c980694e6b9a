#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo= subgroup=SUBGROUP
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "math.glsl"

// y[t] = x[t] / sqrt(mean(x[t]²) + eps) · weight, one workgroup a token: on a software
// device so few invocations that they need no shared memory.
IN4(1, x);
IN4(2, weight);
OUT(3, vec4, y);

layout(push_constant) uniform Push {
	uint width;  // vec4 in a row
	float scale; // 1 / d, of the unpadded width
	float eps;
	uint last;   // 1: only each sequence's last token, packed
} push;

#ifdef SOFTWARE
#include "lanes.glsl"
layout(local_size_x = 8, local_size_x_id = 4) in; // LANES
float sumOfAll(float v) {
	float total = 0;
	for (uint l = 0; l < LANES; l++)
		total += handed(v, l);
	return total;
}
#else
#ifdef SUBGROUP
#define REDUCE 128
#else
#define REDUCE 32
#endif
#include "reduce.glsl"
const uint LANES = REDUCE;
layout(local_size_x = LANES) in;
#endif

void main() {
	uint lane = gl_LocalInvocationID.x, t = gl_WorkGroupID.x;
	uint from = push.last == 1 ? (t + 1) * params.tokens - 1 : t;
	if (t >= (push.last == 1 ? params.sequences : params.tokens * params.sequences))
		return;
	vec4 square = vec4(0);
	for (uint i = lane; i < push.width; i += LANES) {
		vec4 v = at4(x, from * push.width + i);
		square += v * v;
	}
	float scale = 1.0 / sqrt(sumOfAll(sum4(square)) * push.scale + push.eps);
	for (uint i = lane; i < push.width; i += LANES)
		y[t * push.width + i] = at4(x, from * push.width + i) * scale * at4(weight, i);
}
