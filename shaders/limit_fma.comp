#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "access.glsl"

// How fast the device computes: every invocation steps numbers that do not wait for one another,
// x = a x + b, out of registers. As many as hide the latency and fit the registers of any device.
IN4(0, start);     // x at first, in x; then a and b
OUT(1, vec4, ends);

layout(push_constant) uniform Push {
	uint steps;
} push;

const uint CHAINS = 8;
layout(local_size_x = 64) in;

void main() {
	vec4 first = at4(start, gl_GlobalInvocationID.x);
	float x[CHAINS];
	for (uint i = 0; i < CHAINS; i++)
		x[i] = first.x + float(i);
	for (uint n = 0; n < push.steps; n += 8)
		for (uint j = 0; j < 8; j++)
			for (uint i = 0; i < CHAINS; i++)
				x[i] = fma(first.y, x[i], first.z);
	ends[gl_GlobalInvocationID.x] = vec4(x[0] + x[1], x[2] + x[3], x[4] + x[5], x[6] + x[7]);
}
