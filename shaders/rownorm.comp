#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "math.glsl"

// size[t] = sqrt(Σ x[t]²) over the first numbers of a row, one workgroup a row.
layout(constant_id = 0) const uint LANES = 8;

IN4(1, x);
OUT(2, float, size);

layout(push_constant) uniform Push {
	uint width; // vec4 in a row
	uint count; // numbers in it that count
} push;

layout(local_size_x_id = 0) in;
shared float part[LANES];

void main() {
	uint lane = gl_LocalInvocationID.x, t = gl_WorkGroupID.x;
	if (t >= params.tokens)
		return;
	float sum = 0;
	for (uint i = lane; i * 4 < push.count; i += LANES) {
		vec4 v = at4(x, t * push.width + i);
		v = mix(vec4(0), v, lessThan(uvec4(i * 4) + uvec4(0, 1, 2, 3), uvec4(push.count)));
		sum += dot(v, v);
	}
	part[lane] = sum;
	barrier();
	if (lane > 0)
		return;
	sum = 0;
	for (uint i = 0; i < LANES; i++)
		sum += part[i];
	size[t] = sqrt(sum);
}
