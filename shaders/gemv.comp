#version 450
//! axis: weight f32=WEIGHT_F32 f16=WEIGHT_F16 bf16=WEIGHT_BF16 q8=WEIGHT_Q8
//! axis: access texel=TEXEL ssbo= subgroup=SUBGROUP
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
#ifdef SUBGROUP
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
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
	float mean;  // 1 / d
	float eps;
} push;

layout(local_size_x = 8 * PARTS) in;
shared float part[PARTS][8][PANELS + 1];

// Where this invocation stands in the workgroup: eight neighbours have the same columns. Of SPAN
// neighbours the sums are added up without shared memory.
#ifdef SUBGROUP
uint own = gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID, SPAN = max(8, gl_SubgroupSize);
float joined(float v) {
	for (uint s = 8; s < gl_SubgroupSize; s *= 2)
		v += subgroupShuffleXor(v, s);
	return v;
}
#else
uint own = gl_LocalInvocationIndex;
const uint SPAN = 8;
float joined(float v) { return v; }
#endif

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

const uint VECS = BLOCK * WVEC; // vec4 of x in a block
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
		vec4 both = vec4(0);
		for (uint u = 0; u < BLOCK; u++) {
			vec4 unit[WVEC];
			units(w, row[p] + b * PANEL + u * 8, unit);
			for (uint j = 0; j < WVEC; j++) {
				uint i = u * WVEC + j;
				both += handed(xs[i / LANES], i % LANES) * unit[j];
			}
		}
		sum[p] += scale(w, row[p], own % 8, b) * both;
	}
}

void main() {
	uint lane = own % 8, first = gl_WorkGroupID.x * PANELS, row[PANELS];
	for (uint p = 0; p < PANELS; p++) {
		row[p] = panel(min(first + p, push.panels - 1) * 8 + lane, push.blocks);
		sum[p] = vec4(0);
	}
	for (uint b = own / 8; b < push.blocks; b += PARTS)
		block(b, row);
	float squares = 0, total[PANELS];
	for (uint l = 0; l < LANES; l++)
		squares += sum4(handed(square, l));
	for (uint p = 0; p < PANELS; p++)
		total[p] = sum4(sum[p]);
	if (PARTS > 1) {
		squares = joined(squares);
		for (uint p = 0; p < PANELS; p++)
			total[p] = joined(total[p]);
		if (own % SPAN < 8) {
			for (uint p = 0; p < PANELS; p++)
				part[own / SPAN][lane][p] = total[p];
			part[own / SPAN][lane][PANELS] = squares;
		}
		barrier();
		if (own >= 8)
			return;
		for (uint i = 1; i < 8 * PARTS / SPAN; i++) {
			for (uint p = 0; p < PANELS; p++)
				total[p] += part[i][lane][p];
			squares += part[i][lane][PANELS];
		}
	}
	float norms = NORM ? 1.0 / sqrt(squares * push.mean + push.eps) : 1.0;
	for (uint p = 0; p < PANELS; p++)
		if (first + p < push.panels)
			y[(first + p) * 8 + lane] = finish((first + p) * 8 + lane, total[p] * norms);
}
