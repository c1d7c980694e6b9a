#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "pool.glsl"

// The pool of a layer in a window of the pass: the rows of the log whose notes are in it then, oldest
// first and the newest in the last place. One invocation a window.
UIN4(1, life);        // [sequences][L][rows] of two numbers
OUT(2, uint, pools);  // [sequences][windows][L][P]

layout(push_constant) uniform Push {
	uint rows;
	uint held;   // rows before the pass's tokens
	uint size;   // P
	uint window; // W
	uint layer;  // the first
	uint layers; // L
	uint windows;
} push;

layout(local_size_x = 8) in;

void main() {
	uint w = gl_GlobalInvocationID.x, layer = push.layer + gl_GlobalInvocationID.y, b = gl_GlobalInvocationID.z;
	if (b >= params.sequences || w > lastWindow(b, push.window))
		return;
	uint own = params.row[b], first = (own * push.layers + layer) * push.rows, place = push.size;
	uint at = ((own * push.windows + w) * push.layers + layer) * push.size, into = params.position[b] % push.window;
	// Tokens from this window on have no note in it.
	uint tokens = max(w * push.window, into) - into;
	for (uint row = min(push.rows, push.held + tokens); row > 0 && place > 0; row--) {
		uvec4 lives = uat4(life, (first + row - 1) / 2);
		uvec2 stays = (row & 1) == 0 ? lives.zw : lives.xy;
		if (stays.x <= w && w < stays.y)
			pools[at + --place] = first + row - 1;
	}
	while (place > 0)
		pools[at + --place] = NONE;
}
