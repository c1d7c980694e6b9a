#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "ssd.glsl"
#include "math.glsl"

// The time steps of a pass and what they add up to: Δ = clip(softplus(dt + bias), low, high), and of every
// token the sum of Δ A from its chunk's first one on. An invocation has a head and a chunk. Tokens that are not
// there take no step.
const float LEAST = -104; // of Δ A: e to the power of less is 0 in float32

IN4(1, dt);
IN4(2, bias); // [H]
IN4(3, A);    // [H]
OUT(4, vec4, delta); // [H][T]
OUT(5, vec4, cum);   // [H][T], whole numbers, and the rests

layout(local_size_x = 8) in;

void main() {
	uint head = gl_GlobalInvocationID.x, t0 = gl_GlobalInvocationID.y * CHUNK, T = params.tokens;
	if (head >= push.heads || t0 >= T)
		return;
	float whole = 0, rest = 0, a = at1(A, head), b = at1(bias, head);
	for (uint i = 0; i < CHUNK; i += 4) {
		vec4 steps, wholes, rests;
		for (uint k = 0; k < 4; k++) {
			uint t = t0 + i + k;
			float v = at1(dt, (min(t, T - 1) * push.dstride + push.doffset) * 4 + head);
			steps[k] = t < T ? clamp(softplus(v + b), push.low, push.high) : 0;
			float power = max(steps[k] * a, LEAST), near = round(power);
			whole += near;
			rest += power - near;
			near = round(rest);
			whole += near;
			rest -= near;
			wholes[k] = whole;
			rests[k] = rest;
		}
		uint to = (head * push.tokens + t0 + i) / 4;
		delta[to] = steps;
		cum[to] = wholes;
		cum[to + REST / 4] = rests;
	}
}
