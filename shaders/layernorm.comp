#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "math.glsl"

// y[t] = (x[t] - mean) / sqrt(variance + eps) · weight + bias. On a GPU LANES share a token; on a
// software device, whose shared memory is slow, a workgroup has several tokens of one lane each.
layout(constant_id = 0) const uint LANES = 32;
layout(constant_id = 1) const uint TOKENS = 1;

IN4(1, x);
IN4(2, weight);
IN4(3, bias);
OUT(4, vec4, y);

layout(push_constant) uniform Push {
	uint width; // vec4 in a row
	uint count; // d, without the padding, which weight and bias keep zero
	float eps;
	uint last;  // 1: only each sequence's last token, packed
} push;

layout(local_size_x_id = 0, local_size_y_id = 1) in;
shared float part[TOKENS][LANES];

// total adds up what the lanes of a token have.
float total(float v) {
	barrier(); // the last total has been read
	part[gl_LocalInvocationID.y][gl_LocalInvocationID.x] = v;
	barrier();
	float sum = 0;
	for (uint i = 0; i < LANES; i++)
		sum += part[gl_LocalInvocationID.y][i];
	return sum;
}

void main() {
	uint lane = gl_LocalInvocationID.x, t = gl_GlobalInvocationID.y;
	uint rows = push.last == 1 ? params.sequences : params.tokens * params.sequences;
	uint from = (push.last == 1 ? (min(t, rows - 1) + 1) * params.tokens - 1 : min(t, rows - 1)) * push.width;
	vec4 sum = vec4(0);
	for (uint i = lane; i < push.width; i += LANES)
		sum += at4(x, from + i); // of zeros in the padding
	float mean = total(sum4(sum)) / float(push.count);
	vec4 square = vec4(0);
	for (uint i = lane; i < push.width; i += LANES) {
		vec4 v = at4(x, from + i) - mean;
		square += v * v * vec4(lessThan(i * 4 + uvec4(0, 1, 2, 3), uvec4(push.count)));
	}
	float scale = 1.0 / sqrt(total(sum4(square)) / float(push.count) + push.eps);
	if (t >= rows)
		return;
	for (uint i = lane; i < push.width; i += LANES)
		y[t * push.width + i] = (at4(x, from + i) - mean) * scale * at4(weight, i) + at4(bias, i);
}
