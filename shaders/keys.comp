#version 450
//! axis: access texel=TEXEL ssbo=
#extension GL_GOOGLE_include_directive : require
#include "access.glsl"
#include "math.glsl"

// Keys and values of an attention over notes, once a window: k = k_proj s, v = v_proj s. One
// invocation a number of [k | v].
IN4(0, notes); // [layers][keys][S]
IN4(1, w);     // [layers][2S][S]
IN(2, float, worth); // [layers][keys]
OUT(3, float, kv);   // [layers][keys][2S]

layout(push_constant) uniform Push {
	uint keys;
	uint summary; // vec4 in S
} push;

layout(local_size_x = 8) in;

void main() {
	uint i = gl_GlobalInvocationID.x, key = gl_GlobalInvocationID.y, layer = gl_GlobalInvocationID.z;
	uint from = layer * push.keys + key, width = 8 * push.summary;
	if (i >= width || worth[from] == 0)
		return;
	vec4 sum = vec4(0);
	for (uint c = 0; c < push.summary; c++)
		sum += at4(w, (layer * width + i) * push.summary + c) * at4(notes, from * push.summary + c);
	kv[from * width + i] = sum4(sum);
}
