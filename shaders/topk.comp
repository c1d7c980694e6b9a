#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "rank.glsl"

// The k highest logits of every row, of equals those of the lowest ids, in no order. One workgroup a
// row. A key is a rank and then the lower number, so that no two are equal and the k-th highest, found
// bit by bit, parts those that are in from the rest. All k lie in the k highest pieces, keyed by
// their highest logit, and are not below the least of those: that leaves a few hundred candidates.
layout(constant_id = 0) const uint LANES = 8;

const uint MAX_TOP = 128;

IN4(1, logits);
UIN4(2, highest);  // [rows][pieces]
OUT(3, uint, top); // [rows][ids | logits][k]

layout(push_constant) uniform Push {
	uint vocab;  // logits that count in a row
	uint stride; // vec4 from row to row
	uint pieces; // of a row, a multiple of 4
	uint k;      // at most MAX_TOP and vocab
} push;

layout(local_size_x_id = 0) in;

const uint PIECES = 0, CANDIDATES = 1; // what there is to choose from

shared uint counts[128];     // a cell for each of the bits of both searches
shared uint taken[3];        // of chosen, of the candidates, of the row of top
shared uint chosen[MAX_TOP]; // pieces
shared uint ranks[MAX_TOP * PIECE], ids[MAX_TOP * PIECE];

uint lane = gl_LocalInvocationID.x, row = gl_WorkGroupID.x;

// among counts those of a piece's four neighbours, or of one candidate, whose keys are not below least.
uint among(uint what, uint i, uvec2 least) {
	if (what == CANDIDATES)
		return uint(ranks[i] > least.x || ranks[i] == least.x && ~ids[i] >= least.y);
	uvec4 r = uat4(highest, row * push.pieces / 4 + i), n = ~(4 * i + uvec4(0, 1, 2, 3));
	uvec4 is = uvec4(greaterThan(r, least.xxxx)) + uvec4(equal(r, least.xxxx)) * uvec4(greaterThanEqual(n, least.yyyy));
	return is.x + is.y + is.z + is.w;
}

// leastOf returns a key that n of all are not below, all being count of what among counts at once.
uvec2 leastOf(uint what, uint count, uint n) {
	uvec2 least = uvec2(0);
	for (uint bit = 0; bit < 64; bit++) {
		uint cell = 64 * what + bit, mine = 0;
		uvec2 trial = least | (bit < 32 ? uvec2(0x80000000u >> bit, 0) : uvec2(0, 0x80000000u >> bit - 32));
		for (uint i = lane; i < count; i += LANES)
			mine += among(what, i, trial);
		if (mine > 0)
			atomicAdd(counts[cell], mine);
		barrier();
		if (counts[cell] >= n)
			least = trial;
		if (counts[cell] == n)
			break;
	}
	return least;
}

// choosePieces lists the pieces whose keys are not below least.
void choosePieces(uvec2 least) {
	for (uint i = lane; i < push.pieces; i += LANES) {
		uint r = uat4(highest, (row * push.pieces + i) / 4)[i % 4];
		if (r > least.x || r == least.x && ~i >= least.y)
			chosen[atomicAdd(taken[PIECES], 1)] = i;
	}
	barrier();
}

// gather lists what is not below least in the chosen pieces.
void gather(uint least) {
	for (uint i = lane; i < taken[PIECES] * PIECE / 4; i += LANES) {
		uint at = chosen[4 * i / PIECE] * PIECE / 4 + i % (PIECE / 4);
		uvec4 r = rank(at4(logits, row * push.stride + min(at, push.stride - 1)), 4 * at, push.vocab);
		for (uint j = 0; j < 4; j++)
			if (r[j] >= least) {
				uint to = atomicAdd(taken[CANDIDATES], 1);
				ranks[to] = r[j];
				ids[to] = 4 * at + j;
			}
	}
	barrier();
}

void main() {
	if (row >= params.sequences)
		return;
	for (uint i = lane; i < 128; i += LANES)
		counts[i] = 0;
	for (uint i = lane; i < 3; i += LANES)
		taken[i] = 0;
	barrier();
	uvec2 least = uvec2(0);
	if (push.pieces > push.k)
		least = leastOf(PIECES, push.pieces / 4, push.k);
	choosePieces(least);
	gather(max(least.x, 1));
	uint count = taken[CANDIDATES];
	least = leastOf(CANDIDATES, count, push.k);
	for (uint i = lane; i < count; i += LANES)
		if (among(CANDIDATES, i, least) > 0) {
			uint to = row * 2 * push.k + atomicAdd(taken[2], 1);
			top[to] = ids[i];
			top[to + push.k] = floatBitsToUint(at1(logits, row * push.stride * 4 + ids[i]));
		}
}
