#version 450
//! axis: weight f32=WEIGHT_F32 f16=WEIGHT_F16 bf16=WEIGHT_BF16 q8=WEIGHT_Q8
//! axis: access texel=TEXEL ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "weight.glsl"
#include "lanes.glsl"
#include "finish.glsl"

// y[t] = W x[t] for many tokens: every invocation keeps the sums of eight tokens and
// a row in each of eight panels in registers.
const uint TOKENS = 8, PANELS = 8;

IN4(1, x);
WEIGHT(2, w);
IN4(3, bias);
IN4(4, add);
IN4(5, gatex);
IN4(6, gate); // weight, then bias
OUT(7, float, y);

layout(push_constant) uniform Push {
	uint blocks; // in a row of W
	uint panels; // M / 8
	uint width;  // vec4 in a row of x
	uint stride; // vec4 from token to token of x
	uint offset; // vec4 before x in its row
} push;

float sum[TOKENS][PANELS];

#ifdef TEXEL
#include "tile_lanes.glsl"
#else
#include "tile_shared.glsl"
#endif

float finish(uint t, uint m, float v) {
	uint rows = push.panels * 8, at = t * rows + m;
	if (BIAS)
		v += at1(bias, m);
	if (SOFTPLUS)
		v = softplus(v);
	if (GATE)
		v *= sigmoid(at1(gate, m) * at1(gatex, at) + at1(gate, rows + m));
	if (ADD)
		v += at1(add, at);
	return v;
}

void main() {
	uint T = params.tokens * params.sequences, lane = gl_LocalInvocationID.x;
	uint first = gl_WorkGroupID.x * PANELS, t0 = gl_WorkGroupID.y * TOKENS * gl_WorkGroupSize.y;
	if (t0 >= T)
		return;
	for (uint t = 0; t < TOKENS; t++)
		for (uint p = 0; p < PANELS; p++)
			sum[t][p] = 0;
	tile(first, t0, T);
	t0 += gl_LocalInvocationID.y * TOKENS;
	// The bounds are tests and not limits of the loops: a loop that a compiler cannot
	// unroll would make it keep the sums in memory.
	for (uint t = 0; t < TOKENS; t++)
		for (uint p = 0; p < PANELS; p++)
			if (t0 + t < T && first + p < push.panels) {
				uint m = (first + p) * 8 + lane;
				y[(t0 + t) * push.panels * 8 + m] = finish(t0 + t, m, sum[t][p]);
			}
}
