#version 450
//! axis: weight f32=WEIGHT_F32 f16=WEIGHT_F16 bf16=WEIGHT_BF16
//! axis: access texel=TEXEL ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "weight.glsl"
#include "finish.glsl"

// y[t] = W x[t] for many tokens: every invocation keeps a tile of TOKENS × ROWS
// sums in registers.
layout(constant_id = 4) const uint TOKENS = 8;
layout(constant_id = 5) const uint ROWS = 8;

IN4(1, x);
WEIGHT(2, w);
IN4(3, bias);
IN4(4, add);
IN4(5, gatex);
IN4(6, gate); // weight, then bias
OUT(7, vec4, y);

layout(push_constant) uniform Push {
	uint units;  // of WVEC vec4 in a row of W
	uint rows;   // M
	uint stride; // vec4 from token to token of x
	uint offset; // vec4 before x in its row
} push;

layout(local_size_x = 8, local_size_y = 4) in;

vec4 finish(uint t, uint m4, vec4 v) {
	uint at = t * (push.rows / 4) + m4;
	if (BIAS)
		v += at4(bias, m4);
	if (SOFTPLUS)
		v = softplus(v);
	if (GATE)
		v *= sigmoid(at4(gate, m4) * at4(gatex, at) + at4(gate, push.rows / 4 + m4));
	if (ADD)
		v += at4(add, at);
	return v;
}

void main() {
	uint T = params.tokens * params.sequences;
	uint m = gl_GlobalInvocationID.x * ROWS, t0 = gl_GlobalInvocationID.y * TOKENS;
	if (m >= push.rows || t0 >= T)
		return;
	float sum[TOKENS][ROWS];
	for (uint t = 0; t < TOKENS; t++)
		for (uint r = 0; r < ROWS; r++)
			sum[t][r] = 0;
	for (uint i = 0; i < push.units; i++) {
		vec4 b[ROWS][WVEC];
		for (uint r = 0; r < ROWS; r++)
			weight(w, min(m + r, push.rows - 1) * push.units + i, b[r]);
		for (uint t = 0; t < TOKENS; t++)
			for (uint j = 0; j < WVEC; j++) {
				vec4 a = at4(x, min(t0 + t, T - 1) * push.stride + push.offset + i * WVEC + j);
				for (uint r = 0; r < ROWS; r++)
					sum[t][r] += dot(a, b[r][j]);
			}
	}
	for (uint t = 0; t < TOKENS && t0 + t < T; t++)
		for (uint r = 0; r < ROWS && m + r < push.rows; r += 4)
			y[(t0 + t) * (push.rows / 4) + (m + r) / 4] = finish(t0 + t, (m + r) / 4,
				vec4(sum[t][r], sum[t][r + 1], sum[t][r + 2], sum[t][r + 3]));
}
