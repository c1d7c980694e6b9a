#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "pool.glsl"

// Commit, of each sequence: what the log says becomes the pools of the pass's last window, and the notes of its tokens,
// whose window has not ended, are pending.
IN4(1, notes);             // [sequences][L][rows][S]
IN(2, float, worth);       // [sequences][L][rows]
IN(3, uint, from);         // [sequences][L][held] positions
IN(4, uint, pools);        // [sequences][windows][L][P]
OUT(5, vec4, pool);        // [sequences][L][P][S]
OUT(6, float, importance); // [sequences][L][P]
OUT(7, uint, position);    // [sequences][L][P]
OUT(8, vec4, pending);     // [sequences][L][W][S]
OUT(9, float, noted);      // [sequences][L][W]

layout(push_constant) uniform Push {
	uint rows;
	uint held;    // rows before the pass's tokens
	uint size;    // P
	uint window;  // W
	uint layers;  // L
	uint summary; // vec4 in S
	uint windows;
	uint pooled;  // notes of pools from sequence to sequence
	uint waiting; // pending ones
} push;

layout(local_size_x = 64) in;

void keep(uint b, uint layer, uint place, uint i) {
	uint own = params.row[b], mine = own * push.layers + layer, to = own * push.pooled + layer * push.size + place;
	uint row = pools[((own * push.windows + lastWindow(b, push.window)) * push.layers + layer) * push.size + place];
	if (row != NONE)
		pool[to * push.summary + i] = at4(notes, row * push.summary + i);
	if (i > 0)
		return;
	uint at = row - mine * push.rows; // in its layer
	importance[to] = row == NONE ? 0 : worth[row];
	position[to] = row == NONE ? 0 : at < push.held ? from[mine * push.held + at] : params.position[b] + at - push.held;
}

void wait(uint b, uint layer, uint place, uint i) {
	uint first = params.position[b], last = first + params.tokens - 1, token = last / push.window * push.window + place;
	if (token < first)
		return; // of an earlier pass over the same window
	uint own = params.row[b], mine = own * push.layers + layer;
	uint row = push.held + token - first, to = own * push.waiting + layer * push.window + place;
	bool known = row < push.rows && token <= last;
	if (known)
		pending[to * push.summary + i] = at4(notes, (mine * push.rows + row) * push.summary + i);
	if (i == 0)
		noted[to] = known ? worth[mine * push.rows + row] : 0;
}

void main() {
	uint i = gl_GlobalInvocationID.x % push.summary, place = gl_GlobalInvocationID.x / push.summary;
	uint layer = gl_GlobalInvocationID.y, b = gl_GlobalInvocationID.z;
	if (place >= push.size + push.window || b >= params.sequences)
		return;
	if (place < push.size)
		keep(b, layer, place, i);
	else
		wait(b, layer, place - push.size, i);
}
