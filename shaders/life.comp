#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "pool.glsl"

// How long a note stays in its pool: from the window of the pass at whose start it is committed to
// the one at whose start it leaves. A full pool lets its oldest note go ("fifo"), or its least
// important one, the oldest among equals, if the new one is more important ("priority").
//
// A note has left when P notes that entered stand above it: with fifo all that are younger, with
// priority those more important, and younger ones as important. With priority it enters when fewer
// than P before it are as important. So no note needs to know what became of another, and each has an
// invocation of its own.
layout(constant_id = 0) const bool PRIORITY = false;

IN4(1, importance);   // [sequences][L][rows]
OUT(2, uvec2, life);  // [sequences][L][rows]: the first window, and the first no more

layout(push_constant) uniform Push {
	uint rows;
	uint held;   // rows before the pass's tokens
	uint size;   // P
	uint window; // W
	uint layer;  // the first
	uint layers; // L
} push;

layout(local_size_x = 32) in;

// enters is the window at whose start the note of a row of sequence b is committed.
uint enters(uint b, uint row) {
	if (row < push.size)
		return 0;
	uint pending = params.position[b] % push.window == 0 ? 0 : 1;
	return row < push.held ? pending : windowOf(b, row - push.held, push.window) + 1;
}

void main() {
	uint row = gl_GlobalInvocationID.x, layer = push.layer + gl_GlobalInvocationID.y, b = gl_GlobalInvocationID.z;
	if (row >= push.rows || b >= params.sequences)
		return;
	uint first = (params.row[b] * push.layers + layer) * push.rows;
	float own = at1(importance, first + row);
	uint leaves = NONE;
	uint before = 0; // notes so far that are as important or more
	uint above = 0;
	bool enter = own > 0;
	for (uint i = PRIORITY ? 0 : row & ~3; i < push.rows && enter && leaves == NONE; i += 4) {
		vec4 block = at4(importance, (first + i) / 4);
		for (uint c = 0; c < 4; c++) {
			uint other = i + c;
			float I = block[c];
			bool younger = other > row, equal = I == own;
			if (PRIORITY && other == row && before >= push.size)
				enter = false;
			bool over = PRIORITY ? I > own || (equal && younger && before < push.size) : I > 0 && younger;
			before += uint(I >= own);
			above += uint(over);
			if (over && younger && above == push.size)
				leaves = enters(b, other);
		}
	}
	life[first + row] = enter ? uvec2(enters(b, row), leaves) : uvec2(NONE, 0);
}
