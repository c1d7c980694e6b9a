#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "math.glsl"
#include "lanes.glsl"

// Keys and values of an attention over notes: k = k_proj s, v = v_proj s. One invocation eight
// numbers of [k | v] of eight notes of a sequence.
IN4(1, notes); // [sequences][rows][S]
IN4(2, weight); // [layers][2S][S]
IN(3, float, worth); // [sequences][rows]
OUT(4, vec4, kv);    // [sequences][layers][keys][2S]

layout(push_constant) uniform Push {
	uint keys;    // of each layer
	uint summary; // vec4 in S
	uint first;   // row of the first layer's first note
	uint apart;   // rows from sequence to sequence
	uint together; // sequences at the most
} push;

layout(local_size_x = 8) in;

const uint TILE = 8;

void main() {
	uint i = TILE * gl_GlobalInvocationID.x, key = TILE * gl_GlobalInvocationID.y;
	uint layer = gl_GlobalInvocationID.z / push.together, b = gl_GlobalInvocationID.z % push.together;
	if (b >= params.sequences)
		return;
	uint width = 8 * push.summary, row = params.row[b] * push.apart + layer * push.keys + key, last = push.keys - 1 - key;
	bool any = false;
	for (uint n = 0; n < TILE; n++)
		any = any || worth[push.first + row + min(n, last)] > 0;
	if (!any)
		return;
	uint from[TILE / LANES], at = layer * width + min(i, width - TILE); // one beyond hands notes round
	for (uint g = 0; g < TILE / LANES; g++)
		from[g] = (push.first + row + min(g * LANES + mine(), last)) * push.summary;
	float sum[TILE][TILE];
	for (uint n = 0; n < TILE; n++)
		for (uint r = 0; r < TILE; r++)
			sum[n][r] = 0;
	for (uint c = 0; c < push.summary; c++) {
		vec4 w[TILE], some[TILE / LANES];
		for (uint r = 0; r < TILE; r++)
			w[r] = at4(weight, (at + r) * push.summary + c);
		for (uint g = 0; g < TILE / LANES; g++)
			some[g] = at4(notes, from[g] + c);
		for (uint n = 0; n < TILE; n++) {
			vec4 s = handed(some[n / LANES], n % LANES);
			for (uint r = 0; r < TILE; r++)
				sum[n][r] += dot(w[r], s);
		}
	}
	for (uint n = 0; n < TILE && i < width && n <= last; n++)
		for (uint r = 0; r < TILE; r += 4)
			kv[((row + n) * width + i + r) / 4] = vec4(sum[n][r], sum[n][r + 1], sum[n][r + 2], sum[n][r + 3]);
}
