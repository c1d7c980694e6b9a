#version 450
#extension GL_GOOGLE_include_directive : require
#include "access.glsl"

// Cross-layer sources: what each attending layer sees of the pools of the period layers before it.
// "concat" lists all their notes; "mean" and "max" join the j-th newest note of each of them.
const uint CONCAT = 0, MEAN = 1;
layout(constant_id = 0) const uint POOLING = CONCAT;

IN(0, vec4, pool);        // [L][P][S]
IN(1, float, importance); // [L][P]
IN(2, uint, newest);      // [L][P]
OUT(3, vec4, notes);      // [attending][keys][S]
OUT(4, float, worth);     // [attending][keys]

layout(push_constant) uniform Push {
	uint period;  // p
	uint size;    // P
	uint summary; // vec4 in S
	uint keys;    // p·P for concat, else P
} push;

layout(local_size_x = 8) in;

// join folds v into the mean or maximum over the layers that have a j-th note.
vec4 join(vec4 all, vec4 v, uint before) {
	return before == 0 ? v : POOLING == MEAN ? all + v : max(all, v);
}

void main() {
	uint i = gl_GlobalInvocationID.x, key = gl_GlobalInvocationID.y, a = gl_GlobalInvocationID.z;
	if (i >= push.summary)
		return;
	// The attending layer is (a+1)·p - 1; layers before the first do not exist.
	int first = int((a + 1) * push.period) - 1 - int(push.period);
	uint to = a * push.keys + key;
	if (POOLING == CONCAT) {
		int layer = first + int(key / push.size);
		uint from = uint(max(layer, 0)) * push.size + key % push.size;
		notes[to * push.summary + i] = pool[from * push.summary + i];
		if (i == 0)
			worth[to] = layer < 0 ? 0 : importance[from];
		return;
	}
	vec4 all = vec4(0);
	float value = 0;
	uint have = 0;
	for (int layer = max(first, 0); layer < first + int(push.period); layer++) {
		uint at = uint(layer) * push.size;
		uint count = 0;
		for (uint j = 0; j < push.size; j++)
			count += uint(importance[at + j] > 0);
		if (key >= count)
			continue;
		uint from = at + newest[at + key];
		all = join(all, pool[from * push.summary + i], have);
		value = join(vec4(value), vec4(importance[from]), have).x;
		have++;
	}
	float scale = POOLING == MEAN && have > 0 ? 1.0 / float(have) : 1.0;
	notes[to * push.summary + i] = all * scale;
	if (i == 0)
		worth[to] = value * scale;
}
