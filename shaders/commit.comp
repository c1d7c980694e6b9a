#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "pool.glsl"

// Commit: what the log says becomes the pools of the pass's last window, and the notes of its tokens,
// whose window has not ended, are pending.
IN4(1, notes);             // [L][rows][S]
IN(2, float, worth);       // [L][rows]
IN(3, uint, from);         // [L][held] positions
IN(4, uint, pools);        // [windows][L][P]
OUT(5, vec4, pool);        // [L][P][S]
OUT(6, float, importance); // [L][P]
OUT(7, uint, position);    // [L][P]
OUT(8, vec4, pending);     // [L][W][S]
OUT(9, float, noted);      // [L][W]

layout(push_constant) uniform Push {
	uint rows;
	uint held;    // rows before the pass's tokens
	uint size;    // P
	uint window;  // W
	uint layers;  // L
	uint summary; // vec4 in S
} push;

layout(local_size_x = 64) in;

void keep(uint layer, uint place, uint i) {
	uint to = layer * push.size + place;
	uint row = pools[(lastWindow(push.window) * push.layers + layer) * push.size + place];
	if (row != NONE)
		pool[to * push.summary + i] = at4(notes, row * push.summary + i);
	if (i > 0)
		return;
	uint at = row - layer * push.rows; // in its layer
	importance[to] = row == NONE ? 0 : worth[row];
	position[to] = row == NONE ? 0 : at < push.held ? from[layer * push.held + at] : params.position[0] + at - push.held;
}

void wait(uint layer, uint place, uint i) {
	uint last = params.position[0] + params.tokens - 1, token = last / push.window * push.window + place;
	if (token < params.position[0])
		return; // of an earlier pass over the same window
	uint row = push.held + token - params.position[0], to = layer * push.window + place;
	bool known = row < push.rows && token <= last;
	if (known)
		pending[to * push.summary + i] = at4(notes, (layer * push.rows + row) * push.summary + i);
	if (i == 0)
		noted[to] = known ? worth[layer * push.rows + row] : 0;
}

void main() {
	uint i = gl_GlobalInvocationID.x % push.summary, place = gl_GlobalInvocationID.x / push.summary, layer = gl_GlobalInvocationID.y;
	if (place >= push.size + push.window)
		return;
	if (place < push.size)
		keep(layer, place, i);
	else
		wait(layer, place - push.size, i);
}
