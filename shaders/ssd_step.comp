#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "ssd.glsl"
#include "math.glsl"
#include "lanes.glsl"

// One token of each sequence through Mamba-2's state space and the gate: Δ = clip(softplus(dt + b)),
// h = exp(Δ A) h + Δ u B, y = (h C + D u) silu(z). SHARE neighbours have a channel. The lanes hand round
// B and C, which are then those of all their channels.
layout(constant_id = 1) const uint N4 = 32; // N / 4

IN4(1, xbc);
IN4(2, dt);
IN4(3, bias); // [H]
IN4(4, A);    // [H]
IN4(5, D);    // [H]
IN4(6, z);
OUT(7, float, y);
INOUT(8, vec4, state); // [rows][E][N]

#ifdef SOFTWARE
IN4(9, past); // the same: every number is read before it is written
#define before(i) at4(past, i)
const uint SHARE = 1, CHANNELS = 8;
float sumOf(float v) { return v; }
#else
#define before(i) state[i]
const uint SHARE = 16, CHANNELS = 8;
shared float parts[SHARE * CHANNELS];
float sumOf(float v) {
	uint own = gl_LocalInvocationIndex;
	parts[own] = v;
	barrier();
	float total = 0;
	for (uint i = 0; i < SHARE; i++)
		total += parts[own / SHARE * SHARE + i];
	return total;
}
#endif

layout(local_size_x = SHARE * CHANNELS) in;

void main() {
	uint e = gl_GlobalInvocationID.x / SHARE, share = gl_GlobalInvocationID.x % SHARE, b = gl_WorkGroupID.y, E = push.channels * 4;
	if (b >= params.sequences)
		return;
	uint head = min(e / push.dim, push.heads - 1), row = b * push.stride + push.offset;
	float step = at1(dt, (b * push.dstride + push.doffset) * 4 + head) + at1(bias, head);
	step = clamp(softplus(step), push.low, push.high);
	float u = at1(xbc, row * 4 + e), kept = exp(step * at1(A, head)), in_ = step * u;
	uint h0 = (params.row[b] * E + e) * N4;
	vec4 sum = vec4(0);
	for (uint n = share; n < N4; n += SHARE * LANES) {
		vec4 B = at4(xbc, row + keyOf(head) + n + mine()), C = at4(xbc, row + queryOf(head) + n + mine());
		for (uint l = 0; l < LANES; l++)
			if (N4 % LANES == 0 || n + l < N4) {
				vec4 h = kept * before(h0 + n + l) + in_ * handed(B, l);
				state[h0 + n + l] = h;
				sum += h * handed(C, l);
			}
	}
	float total = sumOf(sum4(sum));
	if (share == 0)
		y[b * E + e] = (total + at1(D, head) * u) * silu(at1(z, (b * push.zstride + push.zoffset) * 4 + e));
}
