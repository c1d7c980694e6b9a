#version 450
//! axis: weight f32=WEIGHT_F32 f16=WEIGHT_F16 bf16=WEIGHT_BF16
//! axis: access texel=TEXEL ssbo=
#extension GL_GOOGLE_include_directive : require
#include "weight.glsl"
#include "finish.glsl"

// y = W x for one token, with RMSNorm of x folded in when NORM: its weight is
// applied on the way, the sum of squares runs beside the products and scales the
// result. SPAN neighbouring invocations share the columns of ROWS rows.
layout(constant_id = 4) const bool NORM = false;
layout(constant_id = 5) const uint ROWS = 8;

IN4(0, x);
WEIGHT(1, w);
IN4(2, bias);
IN4(3, norm);
IN4(4, add);
IN4(5, gatex);
IN4(6, gate); // weight, then bias
OUT(7, float, y);

layout(push_constant) uniform Push {
	uint units;  // of WVEC vec4 in a row of W
	uint rows;   // M
	uint offset; // vec4 before x
	float scale; // 1 / d
	float eps;
} push;

const uint SPAN = 8, GROUPS = 8;
layout(local_size_x = SPAN * GROUPS) in;
shared float part[SPAN * GROUPS * (ROWS + 1)];

float finish(uint m, float v) {
	if (BIAS)
		v += at1(bias, m);
	if (SOFTPLUS)
		v = softplus(v);
	if (GATE)
		v *= sigmoid(at1(gate, m) * at1(gatex, m) + at1(gate, push.rows + m));
	if (ADD)
		v += at1(add, m);
	return v;
}

void main() {
	uint lane = gl_LocalInvocationID.x % SPAN, group = gl_LocalInvocationID.x / SPAN;
	uint first = (gl_WorkGroupID.x * GROUPS + group) * ROWS;
	vec4 sum[ROWS];
	for (uint r = 0; r < ROWS; r++)
		sum[r] = vec4(0);
	vec4 square = vec4(0);
	for (uint i = lane; i < push.units; i += SPAN) {
		vec4 a[WVEC];
		for (uint j = 0; j < WVEC; j++) {
			a[j] = at4(x, push.offset + i * WVEC + j);
			if (NORM) {
				square += a[j] * a[j];
				a[j] *= at4(norm, i * WVEC + j);
			}
		}
		for (uint r = 0; r < ROWS; r++) {
			vec4 b[WVEC];
			weight(w, min(first + r, push.rows - 1) * push.units + i, b);
			for (uint j = 0; j < WVEC; j++)
				sum[r] += a[j] * b[j];
		}
	}
	uint at = gl_LocalInvocationID.x * (ROWS + 1);
	for (uint r = 0; r < ROWS; r++)
		part[at + r] = sum4(sum[r]);
	part[at + ROWS] = sum4(square);
	barrier();
	for (uint r = lane; r < ROWS; r += SPAN) {
		float v = 0, norms = 0;
		for (uint l = 0; l < SPAN; l++) {
			uint from = (group * SPAN + l) * (ROWS + 1);
			v += part[from + r];
			norms += part[from + ROWS];
		}
		if (NORM)
			v /= sqrt(norms * push.scale + push.eps);
		if (first + r < push.rows)
			y[first + r] = finish(first + r, v);
	}
}
