#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "pool.glsl"

// Opens the log of a pass: pools and pending notes of each of its sequences, as the pass finds them.
IN4(1, pool);              // [sequences][L][P][S]
IN(2, float, importance);  // [sequences][L][P]
IN(3, uint, position);     // [sequences][L][P]
IN4(4, pending);           // [sequences][L][W][S]
IN(5, float, noted);       // [sequences][L][W]
OUT(6, vec4, notes);       // [sequences][L][rows][S]
OUT(7, float, worth);      // [sequences][L][rows]
OUT(8, uint, from);        // [sequences][L][held] positions of the notes' tokens

layout(push_constant) uniform Push {
	uint rows;
	uint held;    // rows before the pass's tokens
	uint size;    // P
	uint window;  // W
	uint layers;  // L
	uint summary; // vec4 in S
	uint pooled;  // notes of pools from sequence to sequence
	uint waiting; // pending ones
} push;

layout(local_size_x = 64) in;

void main() {
	uint i = gl_GlobalInvocationID.x % push.summary, row = gl_GlobalInvocationID.x / push.summary, layer = gl_GlobalInvocationID.y, b = gl_GlobalInvocationID.z;
	if (row >= push.held || b >= params.sequences)
		return;
	uint own = params.row[b], mine = own * push.layers + layer;
	uint to = mine * push.rows + row, place = row - push.size;
	bool pooled = row < push.size, used = row < push.size + push.window;
	uint at = pooled ? own * push.pooled + layer * push.size + row : own * push.waiting + layer * push.window + place;
	if (used)
		notes[to * push.summary + i] = pooled ? at4(pool, at * push.summary + i) : at4(pending, at * push.summary + i);
	if (i > 0)
		return;
	worth[to] = !used ? 0 : pooled ? importance[at] : noted[at];
	// Pending notes are of the window of the last token before the pass.
	uint window = (max(params.position[b], 1) - 1) / push.window * push.window;
	from[mine * push.held + row] = !used ? 0 : pooled ? position[at] : window + place;
}
