#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "pool.glsl"

// At a window's first token every layer commits the notes of the window before to its pool, in token
// order, and forgets them. A full pool lets its oldest note go ("fifo"), or its least important one,
// the oldest among equals, if the new one is more important ("priority"). One workgroup a layer.
layout(constant_id = 0) const bool PRIORITY = false;

INOUT(1, float, pendingImportance); // [L][W]
IN(2, vec4, pending);               // [L][W][S]
INOUT(3, vec4, pool);               // [L][P][S], in no order
INOUT(4, float, importance);        // [L][P]
INOUT(5, uint, position);           // [L][P]
INOUT(6, uint, total);              // [L] notes ever committed
OUT(7, uint, newest);               // [L][P] places by recency, the newest first

layout(push_constant) uniform Push {
	uint window;  // W
	uint size;    // P
	uint summary; // vec4 in S
} push;

const uint LANES = 64, NONE = 0xffffffffu;
layout(local_size_x = LANES) in;

shared float noted[MAX_WINDOW];
shared float worth[MAX_POOL];
shared uint age[MAX_POOL];   // position of the note's token
shared uint source[MAX_POOL]; // pending note that a place ends up with
shared uint best[LANES];     // candidates for the place to give up
shared uint count, least;

uint lane = gl_LocalInvocationID.x;

bool lesser(uint a, uint b) { // whether place a goes before place b
	if (a == NONE || b == NONE)
		return b == NONE && a != NONE;
	return worth[a] < worth[b] || (worth[a] == worth[b] && age[a] < age[b]);
}

void findLeast() {
	uint mine = NONE;
	for (uint i = lane; i < push.size; i += LANES)
		mine = lesser(i, mine) ? i : mine;
	best[lane] = mine;
	barrier();
	for (uint step = LANES / 2; step > 0; step /= 2) {
		if (lane < step && lesser(best[lane + step], best[lane]))
			best[lane] = best[lane + step];
		barrier();
	}
	if (lane == 0)
		least = best[0];
	barrier();
}

// place returns where a new note goes, NONE when it is dropped.
uint place(float I) {
	if (count < push.size || !PRIORITY)
		return count % push.size;
	return I > worth[least] ? least : NONE;
}

void main() {
	uint layer = gl_WorkGroupID.x, window0 = layer * push.window, pool0 = layer * push.size;
	for (uint i = lane; i < push.window; i += LANES) {
		noted[i] = pendingImportance[window0 + i];
		pendingImportance[window0 + i] = 0;
	}
	for (uint i = lane; i < push.size; i += LANES) {
		worth[i] = importance[pool0 + i];
		age[i] = position[pool0 + i];
		source[i] = NONE;
	}
	if (lane == 0)
		count = total[layer];
	barrier();
	if (PRIORITY && count >= push.size)
		findLeast();
	uint first = params.position[0] - push.window;
	for (uint i = 0; i < push.window; i++) {
		float I = noted[i];
		if (I == 0)
			continue; // for all lanes alike
		uint to = place(I);
		barrier();
		if (to == NONE)
			continue;
		if (lane == 0) {
			worth[to] = I;
			age[to] = first + i;
			source[to] = i;
			count++;
		}
		barrier();
		if (PRIORITY && count >= push.size)
			findLeast();
	}
	barrier();
	for (uint i = lane; i < push.size; i += LANES) {
		importance[pool0 + i] = worth[i];
		position[pool0 + i] = age[i];
		uint younger = 0;
		for (uint j = 0; j < push.size; j++)
			younger += uint(worth[j] > 0 && age[j] > age[i]);
		if (worth[i] > 0)
			newest[pool0 + younger] = i;
	}
	for (uint i = lane; i < push.size * push.summary; i += LANES) {
		uint from = source[i / push.summary];
		if (from != NONE)
			pool[pool0 * push.summary + i] = pending[(window0 + from) * push.summary + i % push.summary];
	}
	if (lane == 0)
		total[layer] = count;
}
