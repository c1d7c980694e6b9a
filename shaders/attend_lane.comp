#version 450
//! axis: access texel=TEXEL,SOFTWARE
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "math.glsl"
#include "pool.glsl"
#include "lanes.glsl"

// Pool attention as in attend.comp, one invocation a token with its query and its sum in registers: for
// a software device, whose shared memory is slow. Where the tokens of a workgroup have COMMON keys, each
// lane fetches some of a key and hands it round.
layout(constant_id = 0) const bool GATED = false;  // by reads
layout(constant_id = 1) const bool LOGGED = false; // keys are of a log, and pools say which are read
layout(constant_id = 2) const uint SUMMARY = 16;   // vec4 in S
layout(constant_id = 3) const bool COMMON = false;

IN4(1, q);
IN4(2, kv);          // [rows][k | v]
IN(3, float, worth); // [rows]
IN(4, uint, reads);  // [L]
IN(5, uint, pools);  // [windows][L][P] rows of the log
OUT(6, vec4, y);     // [T][S]

layout(push_constant) uniform Push {
	uint keys;
	uint first;          // key, or place of pools, in the pass's first window
	uint step;           // from window to window
	uint base;           // row of the log that kv begins with
	uint window;         // W
	uint stride, offset; // vec4 of q's rows
	float scale;         // 1 / √S
	uint layer;
	uint apart;   // keys from sequence to sequence
	uint readers; // reads from sequence to sequence
	uint groups;  // workgroups of a window, 0 when they have nothing to do with windows
} push;

layout(local_size_x = 8) in;

const uint FETCHED = (SUMMARY + LANES - 1) / LANES;
vec4 some[FETCHED];

// fetch gets the vec4 of kv from at on that this lane hands round.
void fetch(uint at) {
	if (COMMON)
		for (uint i = 0; i < FETCHED; i++)
			some[i] = at4(kv, at + min(i * LANES + mine(), SUMMARY - 1));
}

#define part(at, c) (COMMON ? handed(some[(c) / LANES], (c) % LANES) : at4(kv, (at) + (c)))

void main() {
	int base = int(gl_WorkGroupID.x) * 8, from = 0, to = int(params.tokens * params.sequences);
	if (push.groups > 0) {
		int begin = int(gl_WorkGroupID.x / push.groups * push.window) - int(params.position[0] % push.window);
		base = begin + int(gl_WorkGroupID.x % push.groups) * 8;
		from = max(begin, 0);
		to = min(begin + int(push.window), to);
	}
	if (base + 8 <= from || base >= to)
		return;
	int token = base + int(gl_LocalInvocationID.x);
	uint t = clamp(token, from, to - 1); // one without a token does as the next does, and hands round
	vec4 query[SUMMARY], sum[SUMMARY];
	for (uint c = 0; c < SUMMARY; c++) {
		query[c] = at4(q, t * push.stride + push.offset + c) * push.scale;
		sum[c] = vec4(0);
	}
	float top = -1e30, total = 0;
	uint own = params.row[t / params.tokens]; // of the state, the sequence's
	uint keys = GATED && reads[own * push.readers + push.layer] == 0 ? 0 : push.keys;
	uint first = own * push.apart + push.first + windowOf(t / params.tokens, t % params.tokens, push.window) * push.step;
	for (uint j = 0; j < keys; j++) {
		uint note = LOGGED ? pools[first + j] : first + j;
		float I = note == NONE ? 0 : worth[note];
		if (I == 0)
			continue;
		uint at = (note - push.base) * 2 * SUMMARY;
		vec4 dots = vec4(0);
		fetch(at);
		for (uint c = 0; c < SUMMARY; c++)
			dots += query[c] * part(at, c);
		float s = sum4(dots) + log(I);
		if (s > top) {
			float shrink = exp(top - s);
			total *= shrink;
			for (uint c = 0; c < SUMMARY; c++)
				sum[c] *= shrink;
			top = s;
		}
		float p = exp(s - top);
		total += p;
		fetch(at + SUMMARY);
		for (uint c = 0; c < SUMMARY; c++)
			sum[c] += p * part(at + SUMMARY, c);
	}
	if (token < from || token >= to)
		return;
	for (uint c = 0; c < SUMMARY; c++)
		y[t * SUMMARY + c] = total > 0 ? sum[c] / total : vec4(0);
}
