#version 450
//! axis: weight
//! axis: access texel=TEXEL,SOFTWARE ssbo= subgroup=SUBGROUP
#extension GL_GOOGLE_include_directive : require
// Note Block of one token of each sequence: [summary | queries] = W RMSNorm(stream), of which the summary
// goes to where the notes of the window wait. The workgroup after those of the last panels judges, meanwhile,
// what the token is worth: where that is 0 no token leaves a note and nobody looks at the summary.
#define STORE_PUSH \
	uint summary;    /* S */ \
	uint first;      /* of the rows for notes */ \
	uint apart;      /* rows from sequence to sequence */ \
	uint window;     /* W */ \
	float threshold; /* of the score */
#include "gemv.glsl"
#include "pool.glsl"

IN4(4, stream);
IN4(5, score);
OUT(6, float, summaries);
OUT(7, float, importances);
OUT(8, float, scales); // of each token, by its norm
OUT(9, float, queries);

// placeOf is the row for the note of token t.
uint placeOf(uint t) {
	return params.row[t] * push.apart + push.first + params.position[t] % push.window;
}

void store(uint t, uint m, float v) {
	if (m < push.summary)
		summaries[placeOf(t) * push.summary + m] = v;
	else
		queries[t * (push.panels * 8 - push.summary) + m - push.summary] = v;
}

const uint WORKERS = 8 * PARTS;
#include "score.glsl"

void judge() {
	for (uint i = 0; i < TOKENS; i += WORKERS / SCORERS) {
		uint t = t0 + i + gl_LocalInvocationIndex / SCORERS;
		vec2 s = scoreOf(gl_LocalInvocationIndex, min(t, T - 1) * push.width, push.width, push.mean, push.eps);
		if (gl_LocalInvocationIndex % SCORERS == 0 && t < min(t0 + TOKENS, T)) {
			importances[placeOf(t)] = importanceOf(s.x, push.threshold);
			scales[t] = s.y;
		}
		barrier();
	}
}

void main() {
	if (first < push.panels)
		multiply();
	else
		judge();
}
