#version 450
//! axis: access texel=TEXEL,SOFTWARE
#extension GL_GOOGLE_include_directive : require
#include "ssd.glsl"
#include "lanes.glsl"

// C_t·B_s of all pairs of a chunk's tokens, for a software device: a workgroup has eight tokens t of a group,
// which the lanes fetch and hand round, and a lane every eighth token s.
const uint TOKENS = 8, PANELS = CHUNK / 8;

IN4(1, xbc);
OUT(2, float, scores); // [G][T][CHUNK]

layout(local_size_x = 8) in;

void main() {
	uint t0 = gl_WorkGroupID.x * TOKENS, head = gl_WorkGroupID.y * push.group, lane = gl_LocalInvocationID.x;
	if (t0 >= params.tokens)
		return;
	float sum[TOKENS][PANELS];
	uint key[PANELS], query[TOKENS / LANES];
	for (uint p = 0; p < PANELS; p++)
		key[p] = rowOf(t0 / CHUNK * CHUNK + p * 8 + lane) + keyOf(head);
	for (uint g = 0; g < TOKENS / LANES; g++)
		query[g] = rowOf(t0 + g * LANES + mine()) + queryOf(head);
	for (uint t = 0; t < TOKENS; t++)
		for (uint p = 0; p < PANELS; p++)
			sum[t][p] = 0;
	for (uint n = 0; n < push.states; n++) {
		vec4 B[PANELS];
		for (uint p = 0; p < PANELS; p++)
			B[p] = at4(xbc, key[p] + n);
		for (uint g = 0; g < TOKENS / LANES; g++) {
			vec4 own = at4(xbc, query[g] + n);
			for (uint l = 0; l < LANES; l++) {
				vec4 C = handed(own, l);
				for (uint p = 0; p < PANELS; p++)
					sum[g * LANES + l][p] += dot(C, B[p]);
			}
		}
	}
	uint to = (gl_WorkGroupID.y * push.tokens + t0) * CHUNK + lane;
	for (uint t = 0; t < TOKENS; t++)
		for (uint p = 0; p < PANELS; p++)
			scores[to + t * CHUNK + p * 8] = sum[t][p];
}
