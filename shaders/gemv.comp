#version 450
//! axis: weight f32=WEIGHT_F32 f16=WEIGHT_F16 bf16=WEIGHT_BF16 q8=WEIGHT_Q8
//! axis: access texel=TEXEL ssbo=
#extension GL_GOOGLE_include_directive : require
#include "weight.glsl"
#include "lanes.glsl"
#include "finish.glsl"

// y = W x for one token, with RMSNorm of x folded in when NORM: its weight is
// applied on the way, the sum of squares runs beside the products and scales the
// result. An invocation owns a row in each of PANELS panels; on a GPU the columns
// are split among PARTS, which are then added up.
layout(constant_id = 5) const bool NORM = false;
layout(constant_id = 6) const uint PANELS = 4;
#ifdef TEXEL
const uint PARTS = 1;
#else
const uint PARTS = 16;
#endif

IN4(0, x);
WEIGHT(1, w);
IN4(2, bias);
IN4(3, norm);
IN4(4, add);
IN4(5, gatex);
IN4(6, gate); // weight, then bias
OUT(7, float, y);

layout(push_constant) uniform Push {
	uint blocks; // in a row of W
	uint panels; // M / 8
	uint width;  // vec4 in x
	uint offset; // vec4 before x
	float scale; // 1 / d
	float eps;
} push;

layout(local_size_x = 8, local_size_y = PARTS) in;
shared float part[PARTS][8][PANELS + 1];

float finish(uint m, float v) {
	if (BIAS)
		v += at1(bias, m);
	if (SOFTPLUS)
		v = softplus(v);
	if (GATE)
		v *= sigmoid(at1(gate, m) * at1(gatex, m) + at1(gate, push.panels * 8 + m));
	if (ADD)
		v += at1(add, m);
	return v;
}

const uint VECS = 8 * WVEC; // vec4 of x in a block
vec4 sum[PANELS], square = vec4(0);

// block adds the products of one block of columns.
void block(uint b, uint row[PANELS]) {
	vec4 xs[VECS / LANES];
	for (uint i = 0; i < VECS / LANES; i++) {
		uint at = b * VECS + i * LANES + mine();
		xs[i] = at < push.width ? at4(x, push.offset + at) : vec4(0);
		if (NORM) {
			square += xs[i] * xs[i];
			xs[i] *= at < push.width ? at4(norm, at) : vec4(0);
		}
	}
	for (uint p = 0; p < PANELS; p++) {
		uint first = row[p] + b * (8 * BLOCK);
		vec4 scale = scales(w, first);
		for (uint pair = 0; pair < 4; pair++) {
			vec4 both = vec4(0);
			for (uint h = 0; h < 2; h++) {
				uint u = 2 * pair + h;
				vec4 unit[WVEC];
				units(w, first + u * 8, unit);
				for (uint j = 0; j < WVEC; j++) {
					uint i = u * WVEC + j;
					both += handed(xs[i / LANES], i % LANES) * unit[j];
				}
			}
			sum[p] += scale[pair] * both;
		}
	}
}

void main() {
	uint lane = gl_LocalInvocationID.x, first = gl_WorkGroupID.x * PANELS, row[PANELS];
	for (uint p = 0; p < PANELS; p++) {
		row[p] = panel(min(first + p, push.panels - 1) * 8 + lane, push.blocks);
		sum[p] = vec4(0);
	}
	for (uint b = gl_LocalInvocationID.y; b < push.blocks; b += PARTS)
		block(b, row);
	float squares = 0, total[PANELS];
	for (uint l = 0; l < LANES; l++)
		squares += sum4(handed(square, l));
	for (uint p = 0; p < PANELS; p++)
		total[p] = sum4(sum[p]);
	if (PARTS > 1) {
		for (uint p = 0; p < PANELS; p++)
			part[gl_LocalInvocationID.y][lane][p] = total[p];
		part[gl_LocalInvocationID.y][lane][PANELS] = squares;
		barrier();
		if (gl_LocalInvocationID.y > 0)
			return;
		for (uint i = 1; i < PARTS; i++) {
			for (uint p = 0; p < PANELS; p++)
				total[p] += part[i][lane][p];
			squares += part[i][lane][PANELS];
		}
	}
	float scale = NORM ? 1.0 / sqrt(squares * push.scale + push.eps) : 1.0;
	for (uint p = 0; p < PANELS; p++)
		if (first + p < push.panels)
			y[(first + p) * 8 + lane] = finish((first + p) * 8 + lane, total[p] * scale);
}
