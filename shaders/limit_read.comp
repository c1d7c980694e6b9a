#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "access.glsl"

// How fast the device reads: every workgroup adds up a stretch of its own, its invocations side by
// side, as a matrix is read. Only the sums are written.
layout(constant_id = 0) const uint LANES = 8;

IN4(0, data);
OUT(1, vec4, sums);

layout(push_constant) uniform Push {
	uint each; // vec4 of an invocation, a multiple of 8
} push;

layout(local_size_x_id = 0) in;

void main() {
	uint at = gl_WorkGroupID.x * LANES * push.each + gl_LocalInvocationID.x;
	vec4 even = vec4(0), odd = vec4(0);
	for (uint i = 0; i < push.each; i += 8)
		for (uint j = 0; j < 4; j++) {
			even += at4(data, at);
			odd += at4(data, at + LANES);
			at += 2 * LANES;
		}
	sums[gl_GlobalInvocationID.x] = even + odd;
}
