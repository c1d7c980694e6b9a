// What a token is worth noting: s = w · RMSNorm(x) + b, whose sigmoid is its importance. SCORERS
// neighbours share a token. The same token is worth exactly the same in passes of any length and in every
// shader that includes this: sums are taken in one order, and nothing is contracted.
//
// For a shader of WORKERS invocations that has declared stream, before its norm, and score: w times
// the norm's weight, then b.
#ifndef SCORE_GLSL
#define SCORE_GLSL

#ifdef SOFTWARE
const uint SCORERS = 1;
#else
const uint SCORERS = 32;
shared vec2 share[WORKERS];
#endif

// scoreOf returns the score of a token that begins at vec4 from of the stream and has width of them, and what its
// norm scales it by: 1 / sqrt(Σ x² · mean + eps).
vec2 scoreOf(uint worker, uint from, uint width, float mean, float eps) {
	precise vec4 products = vec4(0), squares = vec4(0);
	for (uint i = worker % SCORERS; i < width; i += SCORERS) {
		vec4 v = at4(stream, from + i);
		products += v * at4(score, i);
		squares += v * v;
	}
	precise vec2 sums = vec2(sum4(products), sum4(squares));
#ifndef SOFTWARE
	share[worker] = sums;
	barrier();
	sums = vec2(0);
	for (uint i = 0; i < SCORERS; i++)
		sums += share[worker / SCORERS * SCORERS + i];
#endif
	precise float scale = 1.0 / sqrt(sums.y * mean + eps), s = sums.x * scale + at1(score, width * 4);
	return vec2(s, scale);
}

// importanceOf is what a score comes to: 0 is not worth a note.
float importanceOf(float s, float threshold) { return s > threshold ? max(sigmoid(s), LEAST) : 0; }

#endif
