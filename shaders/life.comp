#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "pool.glsl"

// How long a note stays in its pool: from the window of the pass at whose start it is committed to
// the one at whose start it leaves. A full pool lets its oldest note go ("fifo"), or its least
// important one, the oldest among equals, if the new one is more important ("priority"). The room of
// a pool may grow from window to window; it never shrinks.
//
// With fifo a note has left when as many younger ones stand above it as there is room for. With priority
// the pool holds, of the notes so far that are as important as some number or more, all of them or as many
// as there was room for: each that comes is one more of these unless they fill the pool. So it is counted
// how many are more important than a note, and how many as important or more; the rest are its equals, of
// which the oldest leave first, and one enters unless those as important fill the pool. No note needs to
// know what became of another, and each has an invocation of its own.
layout(constant_id = 0) const bool PRIORITY = false;
layout(constant_id = 1) const bool GROWS = false; // there are more places than room at first

IN4(1, importance);   // [sequences][L][rows]
OUT(2, uvec2, life);  // [sequences][L][rows]: the first window, and the first no more

layout(push_constant) uniform Push {
	uint rows;
	uint held;   // rows before the pass's tokens
	uint size;   // places of a pool
	uint window; // W
	uint layer;  // the first
	uint layers; // L
	uint room;   // P
	uint growth; // g
} push;

layout(local_size_x = 32) in;

// enters is the window at whose start the note of a row of sequence b is committed.
uint enters(uint b, uint row) {
	if (row < push.size)
		return 0;
	uint pending = params.position[b] % push.window == 0 ? 0 : 1;
	return row < push.held ? pending : windowOf(b, row - push.held, push.window) + 1;
}

// roomAt is how many notes a pool has room for when the note of a row of sequence b is committed.
uint roomAt(uint b, uint row) {
	if (!GROWS)
		return push.size;
	uint window = params.position[b] / push.window + enters(b, row);
	return min(push.size, push.room + push.growth * uint(max(findMSB(window), 0)));
}

void main() {
	uint row = gl_GlobalInvocationID.x, layer = push.layer + gl_GlobalInvocationID.y, b = gl_GlobalInvocationID.z;
	if (row >= push.rows || b >= params.sequences)
		return;
	uint first = (params.row[b] * push.layers + layer) * push.rows;
	float own = at1(importance, first + row);
	uint leaves = NONE;
	uint above = 0; // notes in the pool that are more important, with fifo younger
	uint least = 0; // that are as important or more
	uint after = 0; // younger ones as important that entered
	bool enter = own > 0;
	for (uint i = PRIORITY ? 0 : row & ~3; i < push.rows && enter && leaves == NONE; i += 4) {
		vec4 block = at4(importance, (first + i) / 4);
		for (uint c = 0; c < 4; c++) {
			uint other = i + c;
			float I = block[c];
			bool younger = other > row;
			if (PRIORITY ? I < own : I == 0 || !younger)
				continue;
			uint room = roomAt(b, other);
			if (PRIORITY) {
				if (other == row && least >= room)
					enter = false;
				after += uint(I == own && younger && least < room);
				above = min(above + uint(I > own), room);
				least = min(least + 1, room);
			} else
				above++;
			if (younger && leaves == NONE && above + after >= (PRIORITY ? least : room))
				leaves = enters(b, other);
		}
	}
	life[first + row] = enter ? uvec2(enters(b, row), leaves) : uvec2(NONE, 0);
}
