#version 450
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
} push;

const uint LANES = 64;
layout(local_size_x = LANES) in;

const uint BLOCK = 64, MAX_SUMMARY = 64;
const float NEVER = -1e30;
shared float score[BLOCK];
shared uint row[BLOCK]; // of kv
shared vec4 sum[MAX_SUMMARY];

uint lane = gl_LocalInvocationID.x;

// scores fills score and row with those of a block of keys.
void scores(uint t, uint from, uint left) {
	for (uint j = lane; j < BLOCK; j += LANES) {
		uint key = from + min(j, left - 1), note = LOGGED ? pools[key] : key;
		float I = j < left && note != NONE ? worth[note] : 0, s = NEVER;
		if (I > 0) {
			uint at = (note - push.base) * 2 * push.summary;
			vec4 dots = vec4(0);
			for (uint c = 0; c < push.summary; c++)
				dots += at4(q, t * push.stride + push.offset + c) * at4(kv, at + c);
			s = sum4(dots) * push.scale + log(I);
		}
		score[j] = s;
		row[j] = note - push.base;
	}
}

void main() {
	uint t = gl_WorkGroupID.x;
	if (t >= params.tokens)
		return;
	for (uint c = lane; c < push.summary; c += LANES)
		sum[c] = vec4(0);
	float top = NEVER, total = 0;
	uint keys = GATED && reads[push.layer] == 0 ? 0 : push.keys;
	uint first = push.first + windowOf(t, push.window) * push.step;
	for (uint from = 0; from < keys; from += BLOCK) {
		barrier();
		scores(t, first + from, keys - from);
		barrier();
		float old = top;
		for (uint j = 0; j < BLOCK; j++)
			top = max(top, score[j]);
		if (top == NEVER)
			continue; // for all lanes alike
		barrier();
		for (uint j = lane; j < BLOCK; j += LANES)
			score[j] = score[j] == NEVER ? 0 : exp(score[j] - top);
		barrier();
		float shrink = exp(old - top);
		total *= shrink;
		for (uint j = 0; j < BLOCK; j++)
			total += score[j];
		for (uint c = lane; c < push.summary; c += LANES) {
			vec4 v = sum[c] * shrink;
			for (uint j = 0; j < BLOCK; j++)
				if (score[j] > 0)
					v += score[j] * at4(kv, (row[j] * 2 + 1) * push.summary + c);
			sum[c] = v;
		}
	}
	for (uint c = lane; c < push.summary; c += LANES)
		y[t * push.summary + c] = total > 0 ? sum[c] / total : vec4(0);
}
