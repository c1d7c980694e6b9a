#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"

// FalconMamba: weightless RMSNorm of dt, B and C, each segment of a row of
// [dt | B | C] on its own, in place. One invocation a segment.
INOUT(1, vec4, x);

layout(push_constant) uniform Push {
	uint width;   // vec4 in a row
	uint rank;    // vec4 in dt
	uint states;  // vec4 in B and in C
	float scaleR; // 1 / R
	float scaleN; // 1 / N
	float eps;
} push;

layout(local_size_x = 32) in;

void main() {
	uint t = gl_GlobalInvocationID.x / 3, segment = gl_GlobalInvocationID.x % 3;
	if (t >= params.tokens * params.sequences)
		return;
	uint from = t * push.width + (segment == 0 ? 0 : push.rank + (segment - 1) * push.states);
	uint n = segment == 0 ? push.rank : push.states;
	vec4 square = vec4(0);
	for (uint i = 0; i < n; i++)
		square += x[from + i] * x[from + i];
	float mean = (square.x + square.y + square.z + square.w) * (segment == 0 ? push.scaleR : push.scaleN);
	float scale = 1.0 / sqrt(mean + push.eps);
	for (uint i = 0; i < n; i++)
		x[from + i] *= scale;
}
