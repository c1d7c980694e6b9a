#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "math.glsl"

// nll[t] = ln Σ exp(logits[t]) - logits[t][target[t]], one workgroup a row. Maximum and sum are found
// in one reading: a sum is rescaled whenever a lane meets a larger logit.
layout(constant_id = 0) const uint LANES = 8;

IN4(1, logits);
IN(2, uint, target);
OUT(3, float, nll);

layout(push_constant) uniform Push {
	uint width; // vec4 in a row
	uint vocab; // numbers in it that are logits
} push;

layout(local_size_x_id = 0) in;
shared float most[LANES];
shared float part[LANES];

const float NONE = -3.4e38;

// below is v with what lies behind the vocabulary put out of reach.
vec4 below(vec4 v, uint i) {
	return mix(vec4(NONE), v, lessThan(uvec4(i * 4) + uvec4(0, 1, 2, 3), uvec4(push.vocab)));
}

void main() {
	uint lane = gl_LocalInvocationID.x, t = gl_WorkGroupID.x;
	if (t >= params.tokens)
		return;
	float top = NONE, sum = 0;
	for (uint i = lane; i * 4 < push.vocab; i += LANES) {
		vec4 v = below(at4(logits, t * push.width + i), i);
		float high = max(top, max(max(v.x, v.y), max(v.z, v.w)));
		sum = sum * exp(top - high) + sum4(exp(v - high));
		top = high;
	}
	most[lane] = top;
	part[lane] = sum;
	barrier();
	if (lane > 0)
		return;
	for (uint i = 1; i < LANES; i++)
		top = max(top, most[i]);
	sum = 0;
	for (uint i = 0; i < LANES; i++)
		sum += part[i] * exp(most[i] - top);
	nll[t] = top - at1(logits, t * push.width * 4 + target[t]) + log(sum);
}
