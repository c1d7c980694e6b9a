#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "causal.glsl"

// Puts the parts of every token and head together: y = Σ_s e^(top_s - top) sum_s / Σ_s e^(top_s - top) total_s,
// heads side by side without padding.
IN4(1, parts); // [t][heads][splits][sum | top total]
OUT(2, float, y);

layout(push_constant) uniform Push {
	uint head;   // vec4 in a head
	uint heads;
	uint splits;
	uint least;
	uint count;  // numbers in a head
	uint width;  // numbers in a row of y
} push;

layout(local_size_x = 8) in;

void main() {
	uint i = gl_GlobalInvocationID.x, t = gl_GlobalInvocationID.y, h = i / push.count, c = i % push.count;
	if (i >= push.width || t >= params.tokens * params.sequences)
		return;
	if (h >= push.heads) {
		y[t * push.width + i] = 0; // padding
		return;
	}
	uint position = params.position[t / params.tokens];
	uint splits = (position + t % params.tokens) / share(position, push.splits, push.least) + 1;
	uint row = push.head + 1, first = (t * push.heads + h) * push.splits * row;
	float top = NEVER, sum = 0, total = 0;
	for (uint s = 0; s < splits; s++)
		top = max(top, at4(parts, first + s * row + push.head).x);
	for (uint s = 0; s < splits; s++) {
		vec4 met = at4(parts, first + s * row + push.head);
		float scale = exp(met.x - top);
		sum += scale * at1(parts, (first + s * row) * 4 + c);
		total += scale * met.y;
	}
	y[t * push.width + i] = sum / total;
}
