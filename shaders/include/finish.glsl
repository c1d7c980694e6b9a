// What may follow a matrix product, chosen when the pipeline is made:
//   y = act(W x · scale + b), y = add + W x, y = add + sigmoid(gate(x)) ⊙ W x
#ifndef FINISH_GLSL
#define FINISH_GLSL
#include "math.glsl"
// For a shader that has declared bias, add, gatex and gate, and panels of rows in push.

layout(constant_id = 0) const bool BIAS = false;
layout(constant_id = 1) const uint ACT = 0; // 1 softplus, 2 GELU
layout(constant_id = 2) const bool ADD = false;
layout(constant_id = 3) const bool GATE = false;

float act(float v) { return ACT == 1 ? softplus(v) : ACT == 2 ? gelu(v) : v; }

// finish is what becomes of row m of token t.
float finish(uint t, uint m, float v) {
	uint rows = push.panels * 8, at = t * rows + m;
	if (BIAS)
		v += at1(bias, m);
	v = act(v);
	if (GATE)
		v *= sigmoid(at1(gate, m) * at1(gatex, at) + at1(gate, rows + m));
	if (ADD)
		v += at1(add, at);
	return v;
}

#endif
