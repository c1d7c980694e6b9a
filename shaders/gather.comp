#version 450
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "access.glsl"
#include "pool.glsl"

// Cross-layer sources: what each attending layer sees of the pools of the period layers before it.
// "concat" lists all their notes; "mean" and "max" join the j-th newest note of each of them.
const uint CONCAT = 0, MEAN = 1;
layout(constant_id = 0) const uint POOLING = CONCAT;
layout(constant_id = 1) const bool LOGGED = false; // notes are a log, and pools say which are in them

IN(1, vec4, notes);       // [sequences][L][P][S], or the log's
IN(2, float, importance); // [sequences][L][P]
IN(3, uint, pools);       // [windows][L][P] rows of the log
OUT(4, vec4, joined);     // [sequences][attending][keys][S], of one layer [windows][keys][S]
OUT(5, float, worth);     // [sequences][attending][keys]

layout(push_constant) uniform Push {
	uint period;  // p
	uint size;    // P
	uint summary; // vec4 in S
	uint keys;    // p·P for concat, else P
	uint layers;  // L
	uint attending; // the one attending layer of a log
	uint window;    // W
	uint pooled;    // notes from sequence to sequence
	uint apart;     // keys from sequence to sequence
} push;

layout(local_size_x = 64) in;

// rowOf is the row of the note at a layer's place, the newest at the last, in window w of the one sequence
// that has a log, or of the sequence at a row of the state.
uint rowOf(uint own, uint w, int layer, uint place) {
	if (layer < 0)
		return NONE; // layers before the first do not exist
	uint row = uint(layer) * push.size + place;
	return LOGGED ? pools[w * push.layers * push.size + row] : own * push.pooled + row;
}

float worthOf(uint row) { return row == NONE ? 0 : importance[row]; }

// join folds v into the mean or maximum over the layers that have a j-th note.
vec4 join(vec4 all, vec4 v, uint before) {
	return before == 0 ? v : POOLING == MEAN ? all + v : max(all, v);
}

void main() {
	uint i = gl_GlobalInvocationID.x % push.summary, key = gl_GlobalInvocationID.x / push.summary, y = gl_GlobalInvocationID.y, b = gl_GlobalInvocationID.z;
	if (key >= push.keys || b >= params.sequences)
		return;
	uint a = LOGGED ? push.attending : y, w = LOGGED ? y : 0, own = params.row[b], to = own * push.apart + y * push.keys + key;
	// The attending layer is (a+1)·p - 1.
	int first = int((a + 1) * push.period) - 1 - int(push.period);
	vec4 all = vec4(0);
	float value = 0;
	uint have = 0;
	if (POOLING == CONCAT) {
		uint row = rowOf(own, w, first + int(key / push.size), key % push.size);
		value = worthOf(row);
		all = value > 0 ? notes[row * push.summary + i] : vec4(0);
	} else if (!LOGGED || w <= lastWindow(b, push.window)) {
		for (int layer = max(first, 0); layer < first + int(push.period); layer++) {
			uint row = rowOf(own, w, layer, push.size - 1 - key);
			float I = worthOf(row);
			if (I == 0)
				continue;
			all = join(all, notes[row * push.summary + i], have);
			value = join(vec4(value), vec4(I), have).x;
			have++;
		}
	}
	float scale = POOLING == MEAN && have > 0 ? 1.0 / float(have) : 1.0;
	joined[to * push.summary + i] = all * scale;
	if (i == 0)
		worth[to] = value * scale;
}
