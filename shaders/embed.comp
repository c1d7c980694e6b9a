#version 450
//! axis: weight f32=WEIGHT_F32 f16=WEIGHT_F16 bf16=WEIGHT_BF16
//! axis: access texel=TEXEL ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "weight.glsl"

// r[t] = embeddings[ids[t]]
IN(1, uint, ids);
WEIGHT(2, table);
OUT(3, vec4, r);

layout(push_constant) uniform Push {
	uint units; // of WVEC vec4 in a row
} push;

layout(local_size_x = 64) in;

void main() {
	uint unit = gl_GlobalInvocationID.x, t = gl_GlobalInvocationID.y;
	if (unit >= push.units || t >= params.tokens * params.sequences)
		return;
	vec4 w[WVEC];
	weight(table, ids[t] * push.units + unit, w);
	for (int i = 0; i < WVEC; i++)
		r[(t * push.units + unit) * WVEC + i] = w[i];
}
