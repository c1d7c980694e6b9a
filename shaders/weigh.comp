#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo= subgroup=SUBGROUP
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "math.glsl"
#include "parts.glsl"

// The first half of RMSNorm for a product that does the second: y[t] = x[t] · weight, and
// what its result is to be multiplied with, scale[t] = 1 / sqrt(mean(x[t]²) + eps). One
// workgroup a token. The sum of squares is taken in the order of gemv with NORM.
IN4(1, x);
IN4(2, weight);
OUT(3, vec4, y);
OUT(4, float, scale);

layout(push_constant) uniform Push {
	uint width; // vec4 in a row
	float mean; // 1 / d, of the unpadded width
	float eps;
} push;

shared float part[PARTS];

void main() {
	uint t = gl_WorkGroupID.x;
	if (t >= params.tokens * params.sequences)
		return;
	vec4 square = vec4(0);
	for (uint s = own / 8; s * STEP < push.width; s += PARTS)
		for (uint i = 0; i < STEP / LANES; i++) {
			uint at = s * STEP + i * LANES + mine();
			vec4 v = at < push.width ? at4(x, t * push.width + at) : vec4(0);
			square += v * v;
			if (at < push.width && own % 8 < LANES)
				y[t * push.width + at] = v * at4(weight, at);
		}
	float squares = squaresOf(square);
	if (PARTS > 1) {
		squares = joined(squares);
		if (own % SPAN == 0)
			part[own / SPAN] = squares;
		barrier();
		for (uint i = 1; i < 8 * PARTS / SPAN && own == 0; i++)
			squares += part[i];
	}
	if (own == 0)
		scale[t] = 1.0 / sqrt(squares * push.mean + push.eps);
}
