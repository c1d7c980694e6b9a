#version 450
//! axis: weight
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "gemm.glsl"
#include "lanes.glsl"

// y[t] = W x[t] for many tokens: every invocation keeps the sums of eight tokens and
// a row in each of eight panels in registers.
const uint TOKENS = 8, PANELS = 8;

float sum[TOKENS][PANELS];

#ifdef SOFTWARE
#include "tile_lanes.glsl"
#else
#include "tile_shared.glsl"
#endif

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
