// Pool attention of one token on a software device, without shared memory: LANES of a subgroup have a key
// each of a block, for its score, and then a share of the sum each, all of the block's values in turn.
#include "lanes.glsl"

const uint WORKERS = 8, ROWS = 32; // of an invocation
layout(local_size_x = WORKERS) in;

const uint SHARE = (SUMMARY + LANES - 1) / LANES; // vec4 of a summary that a lane has
vec4 share[2][SHARE];

#define recalled(a, c) handed(share[a][(c) / LANES], (c) % LANES)

// own is the vec4 of a summary that is the i-th of this lane's share.
uint own(uint i) { return min(i * LANES + mine(), SUMMARY - 1); }

void attend(uint a, uint t) {
	vec4 query[SHARE], sum[SHARE];
	for (uint i = 0; i < SHARE; i++) {
		query[i] = queryOf(a, t, own(i));
		sum[i] = vec4(0);
	}
	float top = NEVER, total = 0;
	uint keys = keysOf(a, t), first = firstOf(a, t);
	for (uint from = 0; from < keys; from += LANES) {
		uint key = first + min(from + mine(), keys - 1);
		float I = from + mine() < keys ? worthOf(a, key) : 0;
		vec4 dots = vec4(0);
		for (uint c = 0; c < SUMMARY; c++)
			dots += handed(query[c / LANES], c % LANES) * kvOf(a, key * 2 * SUMMARY + c);
		float s = I > 0 ? sum4(dots) + log(I) : NEVER, old = top;
		for (uint l = 0; l < LANES; l++)
			top = max(top, handed(s, l));
		if (top == NEVER)
			continue; // for all lanes alike
		float p = s == NEVER ? 0 : exp(s - top), shrink = exp(old - top);
		total *= shrink;
		for (uint i = 0; i < SHARE; i++)
			sum[i] *= shrink;
		for (uint l = 0; l < LANES; l++) {
			float weight = handed(p, l);
			uint at = (first + min(from + l, keys - 1)) * 2 * SUMMARY + SUMMARY;
			total += weight;
			for (uint i = 0; i < SHARE; i++)
				sum[i] += weight * kvOf(a, at + own(i));
		}
	}
	for (uint i = 0; i < SHARE; i++)
		share[a][i] = total > 0 ? sum[i] / total : vec4(0);
}
