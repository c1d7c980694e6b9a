// What matrix products of many tokens share: bindings, constants, and what follows the product.
#ifndef GEMM_GLSL
#define GEMM_GLSL
#include "params.glsl"
#include "weight.glsl"
#include "finish.glsl"

IN4(1, x);
WEIGHT(2, w);
IN4(3, bias);
IN4(4, add);
IN4(5, gatex);
IN4(6, gate); // weight, then bias
OUT(7, float, y);

layout(push_constant) uniform Push {
	uint blocks; // in a row of W
	uint panels; // M / 8
	uint width;  // vec4 in a row of x
	uint stride; // vec4 from token to token of x
	uint offset; // vec4 before x in its row
} push;

float finish(uint t, uint m, float v) {
	uint rows = push.panels * 8, at = t * rows + m;
	if (BIAS)
		v += at1(bias, m);
	if (SOFTPLUS)
		v = softplus(v);
	if (GATE)
		v *= sigmoid(at1(gate, m) * at1(gatex, at) + at1(gate, rows + m));
	if (ADD)
		v += at1(add, at);
	return v;
}

#endif
