#version 450
//! axis: weight
//! axis: access texel=TEXEL,SOFTWARE ssbo= subgroup=SUBGROUP
#extension GL_GOOGLE_include_directive : require
// W x of one token of each sequence, and of some rows of it u = silu(conv1d(u)) as in conv.comp:
// what such a row has come to goes on to its channel's taps while it is at hand.
#define STORE_PUSH \
	uint from;     /* the first row that is convolved */ \
	uint channels; /* E: how many are */
#include "gemv.glsl"

layout(constant_id = 0) const bool BIAS = false;
layout(constant_id = 1) const uint K = 4;

IN4(4, bias);
IN4(5, taps);    // [K][E]
IN4(6, tapbias); // [E]
INOUT(7, float, state); // [rows][K-1][E]
OUT(8, float, y);

// convolve takes the input v of a channel of sequence b to its output, and into the state.
float convolve(uint b, uint channel, float v) {
	uint E = push.channels, row = params.row[b] * (K - 1) * E + channel;
	float sum = at1(tapbias, channel);
	for (uint k = 1; k < K; k++) {
		float past = state[row + (k - 1) * E];
		sum += at1(taps, (k - 1) * E + channel) * past;
		if (k > 1)
			state[row + (k - 2) * E] = past;
	}
	if (K > 1)
		state[row + (K - 2) * E] = v;
	return silu(sum + at1(taps, (K - 1) * E + channel) * v);
}

void store(uint t, uint m, float v) {
	if (BIAS)
		v += at1(bias, m);
	y[t * push.panels * 8 + m] = m - push.from < push.channels ? convolve(t, m - push.from, v) : v;
}

void main() { multiply(); }
