// What the kernels of state-space duality (arXiv 2405.21060, section 6) share. Time is cut into chunks. Within
// one, y_t = Σ_{s≤t} (C_t·B_s) exp(cum_t - cum_s) Δ_s u_s, with cum the sum of Δ A from the chunk's
// first token on: a product of matrices. What comes from before the chunk is exp(cum_t) C_t h.
#ifndef SSD_GLSL
#define SSD_GLSL
#include "params.glsl"
#include "access.glsl"

const uint CHUNK = 64;

// Whether every head begins with a whole vec4 of channels.
layout(constant_id = 0) const bool ALIGNED = true;

layout(push_constant) uniform Push {
	uint heads;    // H
	uint dim;      // p, channels of a head
	uint group;    // heads that share B and C
	uint states;   // vec4 in N
	uint channels; // vec4 in E, with padding
	uint tokens;   // in a row of delta and cum: whole chunks
	uint stride, offset;   // vec4 in a row of xBC, and before it
	uint zstride, zoffset; // of z
	uint dstride, doffset; // of dt
	float low, high;       // of Δ
} push;

// Where row t of xBC begins, and B and C of a head in it.
uint rowOf(uint t) { return min(t, params.tokens - 1) * push.stride + push.offset; }
uint keyOf(uint head) { return push.channels + head / push.group * push.states; }
uint queryOf(uint head) { return keyOf(head) + push.heads / push.group * push.states; }

// What cum adds up to is kept as whole numbers and, behind all of them, the rest: the difference of two sums is then as exact
// as if the steps between them had been added up alone. totalOf(i) is that of entry i, totalsOf(i) are the whole
// numbers and the rests of four entries from i on, and decay is e to the power of a difference.
#define REST (push.heads * push.tokens)
#define totalOf(i) vec2(at1(cum, i), at1(cum, (i) + REST))
#define totalsOf(i) vec4[2](at4(cum, (i) / 4), at4(cum, ((i) + REST) / 4))
float decay(vec2 to, vec2 from) { return exp((to.x - from.x) + (to.y - from.y)); }
vec4 decay(vec2 to, vec4 from[2]) { return exp(min((to.x - from[0]) + (to.y - from[1]), 0)); }

// four(name, row, head, i) is four channels of a head from its i-th on, of a row that begins at vec4 row;
// those that are not there are others.
#define four(name, row, head, i) (ALIGNED \
	? at4(name, (row) + ((head) * push.dim + min(i, push.dim - 4)) / 4) \
	: vec4(one_(name, row, head, i), one_(name, row, head, (i) + 1), one_(name, row, head, (i) + 2), one_(name, row, head, (i) + 3)))
#define one_(name, row, head, i) at1(name, (row) * 4 + (head) * push.dim + min(i, push.dim - 1))

#endif
