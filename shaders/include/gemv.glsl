// W x[t] for a few tokens, with RMSNorm of x folded in when NORM: its weight is applied
// on the way, the sum of squares runs beside the products and scales the result. When
// WEIGHED, both are at hand: see weigh.comp. An invocation owns a row in each of PANELS
// panels, for TOKENS tokens. A token's sums are taken in the same order whatever TOKENS
// and PANELS are, so that its result does not depend on the tokens beside it. What
// becomes of the result is the includer's, with STORE_PUSH what else it is told.
#ifndef GEMV_GLSL
#define GEMV_GLSL
#include "params.glsl"
#include "weight.glsl"
#include "math.glsl"
#include "parts.glsl"

layout(constant_id = 5) const bool NORM = false;
layout(constant_id = 6) const uint PANELS = 4;
layout(constant_id = 7) const uint TOKENS = 1;
layout(constant_id = 8) const bool WEIGHED = false;

IN4(1, x);
WEIGHT(2, w);
IN4(3, norm); // its weight; when WEIGHED the scale of each token

layout(push_constant) uniform Push {
	uint blocks; // in a row of W
	uint panels; // M / 8
	uint width;  // vec4 in a row of x
	uint stride; // vec4 from token to token of x
	uint offset; // vec4 before x in its row
	float mean;  // 1 / d
	float eps;
#ifdef STORE_PUSH
	STORE_PUSH
#endif
} push;

// store is given row m of W x[t].
void store(uint t, uint m, float v);

shared float part[PARTS][8][PANELS + 1];

// The steps are parts of a block, or whole ones, small enough for registers.
const uint UNITS = STEP / WVEC;
float sum[TOKENS][PANELS];
vec4 square[TOKENS];
uint token[TOKENS]; // where each begins in x

#include "steps.glsl"

// reduce adds up what the PARTS have of a token and gives the first of them the result.
void reduce(inout float total[PANELS], inout float squares) {
	squares = joined(squares);
	for (uint p = 0; p < PANELS; p++)
		total[p] = joined(total[p]);
	barrier();
	if (own % SPAN < 8) {
		for (uint p = 0; p < PANELS; p++)
			part[own / SPAN][own % 8][p] = total[p];
		part[own / SPAN][own % 8][PANELS] = squares;
	}
	barrier();
	for (uint i = 1; i < 8 * PARTS / SPAN && own < 8; i++) {
		for (uint p = 0; p < PANELS; p++)
			total[p] += part[i][own % 8][p];
		squares += part[i][own % 8][PANELS];
	}
}

// What a workgroup begins with: a token of T, and a panel.
uint T = TOKENS == 1 ? 1 : params.tokens * params.sequences;
uint t0 = TOKENS == 1 ? 0 : gl_WorkGroupID.x * TOKENS, first = (TOKENS == 1 ? gl_WorkGroupID.x : gl_WorkGroupID.y) * PANELS;

// multiply is all that most includers do.
void multiply() {
	uint row[PANELS];
	if (t0 >= T)
		return;
	for (uint p = 0; p < PANELS; p++)
		row[p] = panel(min(first + p, push.panels - 1) * 8 + own % 8, push.blocks);
	for (uint t = 0; t < TOKENS; t++) {
		token[t] = min(t0 + t, T - 1) * push.stride + push.offset;
		square[t] = vec4(0);
		for (uint p = 0; p < PANELS; p++)
			sum[t][p] = 0;
	}
	for (uint s = own / 8; s * UNITS < push.blocks * BLOCK; s += PARTS)
		advance(s, row);
	for (uint t = 0; t < TOKENS; t++) {
		float squares = squaresOf(square[t]), total[PANELS];
		for (uint p = 0; p < PANELS; p++)
			total[p] = sum[t][p];
		if (PARTS > 1)
			reduce(total, squares);
		float norms = NORM ? 1.0 / sqrt(squares * push.mean + push.eps) : 1.0;
		if (WEIGHED)
			norms = at1(norm, t0 + t);
		for (uint p = 0; p < PANELS; p++)
			if (own < 8 && t0 + t < T && first + p < push.panels)
				store(t0 + t, (first + p) * 8 + own, total[p] * norms);
	}
}

#endif
