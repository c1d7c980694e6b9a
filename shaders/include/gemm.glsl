// What matrix products of many tokens share: bindings, constants, and what follows the product.
#ifndef GEMM_GLSL
#define GEMM_GLSL
#include "params.glsl"
#include "weight.glsl"

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

#include "finish.glsl"

#endif
