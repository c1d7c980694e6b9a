#version 450
//! axis: access texel=TEXEL,SOFTWARE
#extension GL_GOOGLE_include_directive : require
#include "ssd.glsl"
#include "math.glsl"
#include "lanes.glsl"

// What the tokens of a chunk make of one another and of the state it starts from, gated, for a software
// device: y_t = (exp(cum_t) C_t h + Σ_{s≤t} (C_t·B_s) exp(cum_t - cum_s) Δ_s u_s + D u_t) silu(z_t). A workgroup
// has TOKENS tokens of a head; a lane owns vec4 of channels, and the lanes hand round what
// belongs to a token.
layout(constant_id = 1) const uint OWN = 2; // vec4 of a lane
const uint TOKENS = 16;

IN4(1, xbc);
IN4(2, delta);
IN4(3, cum);
IN4(4, scores); // [G][T][CHUNK]
IN4(5, starts); // [chunks][E][N]
IN4(6, z);
IN4(7, D);      // [H]
OUT(8, vec4, y);

layout(local_size_x = 8) in;

uint tiles = (push.dim + push.channels * 4 - push.heads * push.dim + 32 * OWN - 1) / (32 * OWN);
uint head = gl_WorkGroupID.x / tiles, first = (gl_WorkGroupID.x % tiles * 8 * OWN + gl_LocalInvocationID.x) * 4;
uint t0 = gl_WorkGroupID.y * TOKENS, times = head * push.tokens; // where those of the head begin
vec4 sum[TOKENS][OWN];
vec4 weight[TOKENS / LANES]; // of four tokens, for those that the lane fetches for
float by[TOKENS / LANES];

// before adds what the chunk starts from.
void before() {
	uint E = push.channels * 4, row[OWN][4], query[TOKENS / LANES];
	for (uint o = 0; o < OWN; o++)
		for (uint k = 0; k < 4; k++)
			row[o][k] = (t0 / CHUNK * E + head * push.dim + min(first + o * 32 + k, push.dim - 1)) * push.states;
	for (uint g = 0; g < TOKENS / LANES; g++)
		query[g] = rowOf(t0 + g * LANES + mine()) + queryOf(head);
	for (uint n = 0; n < push.states; n++) {
		vec4 h[OWN][4];
		for (uint o = 0; o < OWN; o++)
			for (uint k = 0; k < 4; k++)
				h[o][k] = at4(starts, row[o][k] + n);
		for (uint g = 0; g < TOKENS / LANES; g++) {
			vec4 own = at4(xbc, query[g] + n);
			for (uint l = 0; l < LANES; l++) {
				vec4 C = handed(own, l);
				for (uint o = 0; o < OWN; o++)
					sum[g * LANES + l][o] += vec4(dot(C, h[o][0]), dot(C, h[o][1]), dot(C, h[o][2]), dot(C, h[o][3]));
			}
		}
	}
}

// add adds four tokens from s on, weighed for each of the tokens.
void add(uint s) {
	vec4 u[4][OWN];
	for (uint k = 0; k < 4; k++)
		for (uint o = 0; o < OWN; o++)
			u[k][o] = four(xbc, rowOf(s + k), head, first + o * 32);
	for (uint g = 0; g < TOKENS / LANES; g++)
		for (uint l = 0; l < LANES; l++) {
			vec4 w = handed(weight[g], l);
			for (uint o = 0; o < OWN; o++)
				sum[g * LANES + l][o] += w.x * u[0][o] + w.y * u[1][o] + w.z * u[2][o] + w.w * u[3][o];
		}
}

// scale multiplies the sums of each token by its own number.
void scale() {
	for (uint g = 0; g < TOKENS / LANES; g++)
		for (uint l = 0; l < LANES; l++)
			for (uint o = 0; o < OWN; o++)
				sum[g * LANES + l][o] *= handed(by[g], l);
}

void store(uint t, uint i, vec4 v) {
	uint row = t * push.channels, e = head * push.dim + i;
	v *= silu(four(z, t * push.zstride + push.zoffset, head, i));
	if (ALIGNED && i < push.dim) {
		y[row + e / 4] = v;
		return;
	}
	for (uint k = 0; k < 4; k++)
		if (i + k < push.dim || head + 1 == push.heads && e + k < push.channels * 4)
			y[row + (e + k) / 4][(e + k) % 4] = i + k < push.dim ? v[k] : 0;
}

void main() {
	uint T = params.tokens, c0 = t0 / CHUNK * CHUNK;
	if (t0 >= T)
		return;
	for (uint t = 0; t < TOKENS; t++)
		for (uint o = 0; o < OWN; o++)
			sum[t][o] = vec4(0);
	before();
	// Sums are taken as of the first token and brought to each token's own time after.
	vec2 now = totalOf(times + t0), own[TOKENS / LANES];
	uint row[TOKENS / LANES];
	for (uint g = 0; g < TOKENS / LANES; g++) {
		uint t = t0 + g * LANES + mine();
		row[g] = (head / push.group * push.tokens + t) * (CHUNK / 4);
		own[g] = totalOf(times + t);
		by[g] = decay(now, vec2(0));
	}
	scale();
	for (uint s = c0; s < t0; s += 4) {
		vec4 step = decay(now, totalsOf(times + s)) * at4(delta, (times + s) / 4);
		for (uint g = 0; g < TOKENS / LANES; g++)
			weight[g] = at4(scores, row[g] + (s - c0) / 4) * step;
		add(s);
	}
	for (uint g = 0; g < TOKENS / LANES; g++)
		by[g] = decay(own[g], now);
	scale();
	float d = at1(D, head);
	for (uint s = t0; s < min(t0 + TOKENS, T); s += 4) {
		vec4 until[2] = totalsOf(times + s), step = at4(delta, (times + s) / 4);
		for (uint g = 0; g < TOKENS / LANES; g++) {
			uvec4 at = s + uvec4(0, 1, 2, 3);
			uint t = t0 + g * LANES + mine();
			vec4 w = at4(scores, row[g] + (s - c0) / 4) * step * decay(own[g], until);
			weight[g] = mix(vec4(0), w, lessThanEqual(at, uvec4(t))) + mix(vec4(0), vec4(d), equal(at, uvec4(t)));
		}
		add(s);
	}
	for (uint t = 0; t < TOKENS; t++)
		for (uint o = 0; o < OWN; o++)
			if (t0 + t < T)
				store(t0 + t, first + o * 32, sum[t][o]);
}
