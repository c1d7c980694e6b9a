// Causal attention over a cache is cut along the keys into splits: a token's parts, each with the
// largest score it met and the sum of weights, are put together afterwards.
#ifndef CAUSAL_GLSL
#define CAUSAL_GLSL

const float NEVER = -1e30;
const uint BLOCK = 64; // keys that are looked at together, and splits are whole numbers of

// share is how many keys each split has: of those that the last of a sequence's tokens sees, which begin
// at a position, but no fewer than least.
uint share(uint position, uint splits, uint least) {
	uint keys = position + params.tokens;
	return max((keys + splits * BLOCK - 1) / (splits * BLOCK) * BLOCK, least);
}

#endif
