// Pool attention of one token on a GPU: every invocation of a workgroup has a key of a block, for its score,
// and then teams of as many as a summary has vec4 take turns with the block's values.
#define REDUCE 128
#include "reduce.glsl"

const uint WORKERS = REDUCE, ROWS = 1; // of an invocation
layout(local_size_x = WORKERS) in;

const uint TEAMS = WORKERS / SUMMARY;
shared float weights[WORKERS];
shared vec4 parts[WORKERS], sums[2][SUMMARY];

#define recalled(a, c) sums[a][c]

void attend(uint a, uint t) {
	uint own = gl_LocalInvocationIndex, team = own / SUMMARY, c = own % SUMMARY;
	vec4 sum = vec4(0);
	float top = NEVER, total = 0;
	uint keys = keysOf(a, t);
	for (uint from = 0; from < keys; from += WORKERS) {
		uint block = min(WORKERS, keys - from), first = firstOf(a, t) + from;
		barrier();
		float s = NEVER, old = top, I = own < block ? worthOf(a, first + own) : 0;
		if (I > 0) {
			vec4 dots = vec4(0);
			for (uint i = 0; i < SUMMARY; i++)
				dots += queryOf(a, t, i) * kvOf(a, (first + own) * 2 * SUMMARY + i);
			s = sum4(dots) + log(I);
		}
		top = max(top, maxOfAll(s));
		if (top == NEVER)
			continue; // for all invocations alike
		float p = s == NEVER ? 0 : exp(s - top), shrink = exp(old - top);
		weights[own] = p;
		barrier();
		total = total * shrink + sumOfAll(p);
		sum *= shrink;
		for (uint j = team; j < block && team < TEAMS; j += TEAMS)
			sum += weights[j] * kvOf(a, (first + j) * 2 * SUMMARY + SUMMARY + c);
	}
	barrier();
	parts[own] = total > 0 ? sum / total : vec4(0);
	barrier();
	if (own < SUMMARY) {
		for (uint i = 1; i < TEAMS; i++)
			parts[own] += parts[i * SUMMARY + own];
		sums[a][own] = parts[own];
	}
	barrier();
}
