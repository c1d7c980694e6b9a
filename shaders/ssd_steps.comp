#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "ssd.glsl"
#include "math.glsl"

// The time steps of a pass, token by token: Δ = clip(softplus(dt + bias), low, high). An invocation has four
// heads of a token. What the other kernels call xBC is here the result.
IN4(1, dt);
IN4(2, bias); // [H]
OUT(3, vec4, delta); // [T][H]

layout(local_size_x = 8) in;

void main() {
	uint i = gl_GlobalInvocationID.x, t = gl_GlobalInvocationID.y;
	if (i >= push.stride || t >= params.tokens)
		return;
	vec4 v = at4(dt, t * push.dstride + push.doffset + i) + at4(bias, i);
	for (uint k = 0; k < 4; k++)
		v[k] = clamp(softplus(v[k]), push.low, push.high);
	delta[t * push.stride + i] = v;
}
