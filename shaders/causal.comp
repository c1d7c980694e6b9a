#version 450
//! axis: access ssbo= subgroup=SUBGROUP
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "sequence.glsl"
#include "access.glsl"
#include "math.glsl"
#include "causal.glsl"
#define REDUCE 64
#include "reduce.glsl"

// Causal attention a = softmax(q·k/√D) v over the keys and values of the tokens so far, a workgroup for
// each token, head and split: blocks of keys, with a running maximum. Keys and values are those of the
// sequence that has a row of the state; where none has, nothing is done.
layout(constant_id = 0) const uint QUERIES = 1; // what causal_lanes.comp shares
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

layout(local_size_x = BLOCK) in;
shared float weight[BLOCK];

void main() {
	uint lane = gl_LocalInvocationIndex, t = gl_WorkGroupID.x, width = HEADS * HEAD, head = gl_WorkGroupID.y * HEAD;
	uint sequence = sequenceOf(push.row);
	if (sequence == params.sequences || t >= params.tokens)
		return;
	uint position = params.position[sequence], size = share(position, SPLITS, push.least), from = gl_WorkGroupID.z * size;
	uint end = min(from + size, position + t + 1);
	if (from >= end)
		return;
	t += sequence * params.tokens; // now the row of q
	vec4 sum = vec4(0); // a lane owns a vec4, of the 64 that a head may have
	float top = NEVER, total = 0;
	for (; from < end; from += BLOCK) {
		float s = NEVER;
		if (from + lane < end) {
			vec4 dots = vec4(0);
			for (uint c = 0; c < HEAD; c++)
				dots += at4(q, t * width + head + c) * at4(keys, (from + lane) * width + head + c);
			s = sum4(dots) * push.scale;
		}
		float old = top;
		top = max(top, maxOfAll(s));
		float w = exp(s - top);
		weight[lane] = w;
		barrier();
		float shrink = exp(old - top);
		total = total * shrink + sumOfAll(w);
		sum *= shrink;
		if (lane < HEAD)
			for (uint j = 0; j < BLOCK && from + j < end; j++)
				sum += weight[j] * at4(values, (from + j) * width + head + lane);
		barrier();
	}
	uint row = ((t * HEADS + gl_WorkGroupID.y) * SPLITS + gl_WorkGroupID.z) * (HEAD + 1);
	if (lane < HEAD)
		parts[row + lane] = sum;
	if (lane == 0)
		parts[row + HEAD] = vec4(top, total, 0, 0);
}
