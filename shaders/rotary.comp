#version 450
//! axis: access texel=TEXEL,SOFTWARE ssbo=
#extension GL_GOOGLE_include_directive : require
#include "params.glsl"
#include "sequence.glsl"
#include "access.glsl"

// Takes rows of [q k v] of every head apart. In the first ROTARY numbers of a head of q and k, number i
// and its partner half of them further on are turned by position · base^(-2i/ROTARY); keys and values
// are appended to the cache. It is that of the sequence which has a row of the state; where none has,
// nothing is done.
layout(constant_id = 0) const uint ROTARY = 16;
layout(constant_id = 1) const uint STEPS = 256; // positions in the table before it goes on in steps of so many

IN4(1, qkv);
IN4(2, turns); // (cos, sin) of each pair: positions 0 to STEPS - 1, then multiples of STEPS
OUT(3, vec4, q);
OUT(4, vec4, keys);
OUT(5, vec4, values);

layout(push_constant) uniform Push {
	uint head;  // vec4 in a head
	uint heads;
	uint table; // vec4 in a row of the table
	uint row;   // of the state
} push;

layout(local_size_x = 8, local_size_y = 8) in;

vec2 turn(uint row, uint pair) {
	vec4 two = at4(turns, row * push.table + pair / 2);
	return pair % 2 == 0 ? two.xy : two.zw;
}

// turned is vec4 v of a head that begins at vec4 first, at a position.
vec4 turned(uint first, uint v, uint position) {
	vec4 x = at4(qkv, first + v);
	for (uint c = 0; c < 4; c++) {
		uint i = v * 4 + c, pair = i < ROTARY / 2 ? i : i - ROTARY / 2;
		if (i >= ROTARY)
			break;
		vec2 a = turn(position % STEPS, pair), b = turn(STEPS + position / STEPS, pair);
		float cosine = a.x * b.x - a.y * b.y, sine = a.x * b.y + a.y * b.x;
		float partner = at1(qkv, first * 4 + (i < ROTARY / 2 ? i + ROTARY / 2 : pair));
		x[c] = x[c] * cosine + (i < ROTARY / 2 ? -partner : partner) * sine;
	}
	return x;
}

void main() {
	uint i = gl_GlobalInvocationID.x, t = gl_GlobalInvocationID.y, width = push.head * push.heads;
	uint sequence = sequenceOf(push.row);
	if (i >= width || t >= params.tokens || sequence == params.sequences)
		return;
	uint position = params.position[sequence] + t;
	t += sequence * params.tokens; // now the row of qkv
	uint v = i % push.head, first = (t * push.heads + i / push.head) * 3 * push.head;
	q[t * width + i] = turned(first, v, position);
	keys[position * width + i] = turned(first + push.head, v, position);
	values[position * width + i] = at4(qkv, first + 2 * push.head + v);
}
