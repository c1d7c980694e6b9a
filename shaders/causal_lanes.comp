#version 450
//! axis: access texel=TEXEL,SOFTWARE
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "sequence.glsl"
#include "access.glsl"
#include "math.glsl"
#include "lanes.glsl"
#include "causal.glsl"

// Causal attention as in causal.comp for a software device: LANES of a subgroup share QUERIES tokens of
// a head. For the scores a lane owns keys, for the sums it owns numbers of the values; what another
// lane has is handed round, and nothing goes through memory.
layout(constant_id = 0) const uint QUERIES = 8; // at most LANES
layout(constant_id = 1) const uint HEAD = 16;   // vec4 in a head
layout(constant_id = 2) const uint HEADS = 1;
layout(constant_id = 3) const uint SPLITS = 1;

IN4(1, q);
IN4(2, keys);
IN4(3, values);
OUT(4, vec4, parts); // [t][heads][splits][sum | top total]

layout(push_constant) uniform Push {
	uint least;  // keys of a split
	float scale; // 1 / √D
	uint row;    // of the state
} push;

layout(local_size_x = 8) in;

const uint OWN = BLOCK / 2 / LANES;               // keys of a lane: half a block is what registers hold
const uint PER = (HEAD + LANES - 1) / LANES;      // vec4 of a lane
uint lane = mine(), width = HEADS * HEAD, head = gl_WorkGroupID.y * HEAD, first; // row of q
float score[QUERIES][OWN], top[QUERIES], total[QUERIES];
vec4 sum[QUERIES][PER];

// scores finds those of the keys from one on, up to last, for tokens from t0 on.
void scores(uint t0, uint from, uint last) {
	uint row[OWN], token = (first + min(t0 + lane % QUERIES, params.tokens - 1)) * width + head;
	for (uint k = 0; k < OWN; k++) {
		row[k] = min(from + k * LANES + lane, last) * width + head;
		for (uint t = 0; t < QUERIES; t++)
			score[t][k] = 0;
	}
	for (uint c = 0; c < HEAD; c++) {
		vec4 own = at4(q, token + c), key[OWN];
		for (uint k = 0; k < OWN; k++)
			key[k] = at4(keys, row[k] + c);
		for (uint t = 0; t < QUERIES; t++) {
			vec4 a = handed(own, t);
			for (uint k = 0; k < OWN; k++)
				score[t][k] += dot(a, key[k]);
		}
	}
}

// weights turns a token's scores into e^(score - top), with what was summed up before made smaller
// where there is a new top. It sees keys before end.
void weights(uint t, uint from, uint end) {
	float most = NEVER, more = 0;
	for (uint k = 0; k < OWN; k++) {
		score[t][k] = from + k * LANES + lane < end ? score[t][k] * push.scale : NEVER;
		most = max(most, score[t][k]);
	}
	float all = top[t];
	for (uint l = 0; l < LANES; l++)
		all = max(all, handed(most, l));
	float shrink = exp(top[t] - all);
	top[t] = all;
	for (uint k = 0; k < OWN; k++) {
		score[t][k] = from + k * LANES + lane < end ? exp(score[t][k] - all) : 0;
		more += score[t][k];
	}
	total[t] = total[t] * shrink + more; // of this lane's keys
	for (uint v = 0; v < PER; v++)
		sum[t][v] *= shrink;
}

void add(uint from, uint last) {
	for (uint k = 0; k < OWN; k++)
		for (uint l = 0; l < LANES; l++) {
			uint row = min(from + k * LANES + l, last) * width + head;
			vec4 value[PER];
			for (uint v = 0; v < PER; v++)
				value[v] = at4(values, row + min(v * LANES + lane, HEAD - 1));
			for (uint t = 0; t < QUERIES; t++) {
				float weight = handed(score[t][k], l);
				for (uint v = 0; v < PER; v++)
					sum[t][v] += weight * value[v];
			}
		}
}

void main() {
	uint group = gl_WorkGroupID.x * (8 / LANES) + gl_LocalInvocationID.x / LANES;
	uint t0 = group * QUERIES, sequence = sequenceOf(push.row);
	if (sequence == params.sequences || t0 >= params.tokens)
		return;
	uint position = params.position[sequence], size = share(position, SPLITS, push.least), from = gl_WorkGroupID.z * size;
	uint end = position + min(t0 + QUERIES, params.tokens), last = min(from + size, end) - 1;
	if (from >= end)
		return;
	first = sequence * params.tokens;
	for (uint t = 0; t < QUERIES; t++) {
		top[t] = NEVER;
		total[t] = 0;
		for (uint v = 0; v < PER; v++)
			sum[t][v] = vec4(0);
	}
	for (; from <= last; from += OWN * LANES) {
		scores(t0, from, last);
		for (uint t = 0; t < QUERIES; t++)
			weights(t, from, min(last + 1, position + t0 + t + 1));
		add(from, last);
	}
	for (uint t = 0; t < QUERIES; t++) {
		float all = 0;
		for (uint l = 0; l < LANES; l++)
			all += handed(total[t], l);
		uint row = (((first + t0 + t) * HEADS + gl_WorkGroupID.y) * SPLITS + gl_WorkGroupID.z) * (HEAD + 1);
		if (t0 + t < params.tokens) {
			for (uint v = 0; v < PER; v++)
				if (v * LANES + lane < HEAD)
					parts[row + v * LANES + lane] = sum[t][v];
			if (lane == 0)
				parts[row + HEAD] = vec4(top[t], all, 0, 0);
		}
	}
}
