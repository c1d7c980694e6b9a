#version 450
//! axis: weight
//! axis: access texel=TEXEL,SOFTWARE ssbo= subgroup=SUBGROUP
#extension GL_GOOGLE_include_directive : require
#include "gemv.glsl"

// y[t] = W x[t] for a few tokens, and what may follow.
IN4(4, bias);
IN4(5, add);
IN4(6, gatex);
IN4(7, gate); // weight, then bias
OUT(8, float, y);

#include "finish.glsl"

void store(uint t, uint m, float v) {
	y[t * push.panels * 8 + m] = finish(t, m, v);
}

void main() { multiply(); }
