#version 450
//! axis: access ssbo= subgroup=SUBGROUP
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "math.glsl"
#include "pool.glsl"

// Pool attention: a = softmax(q·k/√S + ln I) v over the notes of one layer's attention, one
// workgroup a token, in blocks of keys with a running maximum. Zero where the layer does not read
// or there is no note.
layout(constant_id = 0) const bool GATED = false; // by reads
layout(constant_id = 1) const bool LOGGED = false; // keys are of a log, and pools say which are read

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
	uint summary;        // vec4 in S
	float scale;         // 1 / √S
	uint layer;
	uint apart;   // keys from sequence to sequence
	uint readers; // reads from sequence to sequence
} push;

#ifdef SUBGROUP
#define REDUCE 128
#else
#define REDUCE 64
#endif
#include "reduce.glsl"
const uint BLOCK = REDUCE, MAX_SUMMARY = 64;
layout(local_size_x = BLOCK) in;

const float NEVER = -1e30;
shared float score[BLOCK];
shared uint row[BLOCK]; // of kv
shared vec4 sum[MAX_SUMMARY];

uint lane = gl_LocalInvocationID.x;

// scoreOf returns the score of this invocation's key of a block, and keeps its row.
float scoreOf(uint t, uint from, uint left) {
	uint key = from + min(lane, left - 1), note = LOGGED ? pools[key] : key;
	row[lane] = note - push.base;
	float I = lane < left && note != NONE ? worth[note] : 0;
	if (I <= 0)
		return NEVER;
	uint at = (note - push.base) * 2 * push.summary;
	vec4 dots = vec4(0);
	for (uint c = 0; c < push.summary; c++)
		dots += at4(q, t * push.stride + push.offset + c) * at4(kv, at + c);
	return sum4(dots) * push.scale + log(I);
}

void main() {
	uint t = gl_WorkGroupID.x;
	if (t >= params.tokens * params.sequences)
		return;
	for (uint c = lane; c < push.summary; c += BLOCK)
		sum[c] = vec4(0);
	float top = NEVER, total = 0;
	uint own = params.row[t / params.tokens]; // of the state, the sequence's
	uint keys = GATED && reads[own * push.readers + push.layer] == 0 ? 0 : push.keys;
	uint first = own * push.apart + push.first + windowOf(t / params.tokens, t % params.tokens, push.window) * push.step;
	for (uint from = 0; from < keys; from += BLOCK) {
		barrier();
		float own = scoreOf(t, first + from, keys - from), old = top;
		top = max(top, maxOfAll(own));
		if (top == NEVER)
			continue; // for all lanes alike
		float weight = own == NEVER ? 0 : exp(own - top), shrink = exp(old - top);
		score[lane] = weight;
		barrier();
		total = total * shrink + sumOfAll(weight);
		for (uint c = lane; c < push.summary; c += BLOCK) {
			vec4 v = sum[c] * shrink;
			for (uint j = 0; j < BLOCK; j++)
				if (score[j] > 0)
					v += score[j] * at4(kv, (row[j] * 2 + 1) * push.summary + c);
			sum[c] = v;
		}
	}
	for (uint c = lane; c < push.summary; c += BLOCK)
		y[t * push.summary + c] = total > 0 ? sum[c] / total : vec4(0);
}
