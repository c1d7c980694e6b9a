#version 450
//! axis: weight
//! axis: access texel=TEXEL,SOFTWARE ssbo= subgroup=SUBGROUP
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "weight.glsl"
#include "math.glsl"

// What one token of each sequence recalls, fused into its input of the mixer:
//   y = x + F(O c) of each attention, c = softmax(q·k/√S + ln I) v, x = RMSNorm(stream)
// A workgroup has some rows of y and does the whole of the attentions for them: they are a few notes.
layout(constant_id = 0) const bool TOKEN = false; // with cross-token attention
layout(constant_id = 1) const bool LAYER = false; // with cross-layer attention
layout(constant_id = 2) const bool READS = false; // whether there is cross-token attention is read
layout(constant_id = 6) const bool TRIGGERED = false; // and whether there is cross-layer attention
layout(constant_id = 3) const bool GATE = false;  // F(c) = sigmoid(gate(x)) ⊙ c
layout(constant_id = 5) const uint SUMMARY = 16;  // vec4 in S

IN4(1, stream);
IN4(2, norm);
IN(3, float, scales); // of each token, by its norm
IN4(4, queries);      // [T] of the token's, then the layer's
// Of cross-token attention, then of cross-layer attention:
IN4(5, kv0);          // [rows][k | v]
IN(6, float, worth0); // [rows]
WEIGHT(7, out0);
IN4(8, gate0);        // weight, then bias
IN4(9, kv1);
IN(10, float, worth1);
WEIGHT(11, out1);
IN4(12, gate1);
IN(13, uint, reads0); // [L]
IN(14, uint, reads1); // [attending]
OUT(15, float, y);

layout(push_constant) uniform Push {
	uint keys[2];
	uint first[2]; // key
	uint apart[2]; // keys from sequence to sequence
	uint readers[2]; // reads from sequence to sequence
	uint layer[2];   // the one that is meant of the reads
	uint blocks;   // in a row of O
	uint rows;     // d
	uint width;    // vec4 of a token's queries
	float scale;   // 1 / √S
} push;

// One of the two attentions is named by a constant.
vec4 kvOf(uint a, uint i) { return a == 0 ? at4(kv0, i) : at4(kv1, i); }
float worthOf(uint a, uint key) { return a == 0 ? worth0[key] : worth1[key]; }
vec4 queryOf(uint a, uint t, uint c) { return at4(queries, t * push.width + a * SUMMARY + c) * push.scale; }

// reading says whether token t has keys, keysOf how many, firstOf which one is the first.
bool reading(uint a, uint t) {
	uint at = params.row[t] * push.readers[a] + push.layer[a];
	return a == 0 ? !READS || reads0[at] != 0 : !TRIGGERED || reads1[at] != 0;
}
uint keysOf(uint a, uint t) { return reading(a, t) ? push.keys[a] : 0; }
uint firstOf(uint a, uint t) { return params.row[t] * push.apart[a] + push.first[a]; }

const float NEVER = -1e30;

#ifdef SOFTWARE
#include "recall_lanes.glsl"
#else
#include "recall_shared.glsl"
#endif

// project is row m of O c.
float project(uint a, uint m) {
	float sum = 0;
	for (uint u = 0; u * WVEC < SUMMARY; u++) {
		vec4 unit[WVEC];
		if (a == 0)
			weight(out0, m, u, push.blocks, unit)
		else
			weight(out1, m, u, push.blocks, unit)
		for (uint j = 0; j < WVEC; j++)
			if (u * WVEC + j < SUMMARY)
				sum += dot(recalled(a, u * WVEC + j), unit[j]);
	}
	return sum;
}

float gated(uint a, uint m, float x, float v) {
	if (!GATE)
		return v;
	float w = a == 0 ? at1(gate0, m) : at1(gate1, m);
	float b = a == 0 ? at1(gate0, push.rows + m) : at1(gate1, push.rows + m);
	return sigmoid(w * x + b) * v;
}

void main() {
	uint t = gl_WorkGroupID.y;
	if (t >= params.sequences)
		return;
	if (TOKEN)
		attend(0, t);
	if (LAYER)
		attend(1, t);
	for (uint i = 0; i < ROWS; i++) {
		uint m = (gl_WorkGroupID.x * ROWS + i) * WORKERS + gl_LocalInvocationIndex;
		if (m >= push.rows)
			return;
		float x = at1(stream, t * push.rows + m) * scales[t] * at1(norm, m), sum = x;
		if (TOKEN)
			sum += gated(0, m, x, project(0, m));
		if (LAYER)
			sum += gated(1, m, x, project(1, m));
		y[t * push.rows + m] = sum;
	}
}
