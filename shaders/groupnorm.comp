#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo= subgroup=SUBGROUP
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "math.glsl"

// RMSNorm of groups of a token's numbers, each by itself, one workgroup a token and group. What a row has
// behind its groups becomes 0.
layout(constant_id = 0) const bool ALIGNED = true; // whether every group begins with a whole vec4

IN4(1, x);
IN4(2, weight);
OUT(3, vec4, y);

layout(push_constant) uniform Push {
	uint width;  // vec4 in a row
	uint size;   // numbers in a group
	uint groups;
	float eps;
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
	uint lane = gl_LocalInvocationID.x, t = gl_WorkGroupID.x, group = gl_WorkGroupID.y;
	if (t >= params.tokens * params.sequences)
		return;
	// Numbers of the row, or vec4 of them.
	uint each = ALIGNED ? 4 : 1, from = group * push.size / each, to = from + push.size / each, row = t * push.width;
	vec4 square = vec4(0);
	for (uint i = from + lane; i < to; i += LANES) {
		vec4 v = ALIGNED ? at4(x, row + i) : vec4(at1(x, row * 4 + i), 0, 0, 0);
		square += v * v;
	}
	float scale = 1.0 / sqrt(sumOfAll(sum4(square)) / push.size + push.eps);
	uint end = group + 1 == push.groups ? push.width * 4 / each : to;
	for (uint i = from + lane; i < end; i += LANES)
		if (ALIGNED)
			y[row + i] = i < to ? at4(x, row + i) * scale * at4(weight, i) : vec4(0);
		else
			y[row + i / 4][i % 4] = i < to ? at1(x, row * 4 + i) * scale * at1(weight, i) : 0;
}
