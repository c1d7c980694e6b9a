// Floats as unsigned numbers of the same order, for choices by comparison and by bits.
#ifndef RANK_GLSL
#define RANK_GLSL

const uint PIECE = 16; // logits that are ranked as one first

// rank is 0 for what is no number of a row of vocab, and above 0 for every float. -0 is 0. NaN and +Inf,
// which a choice must not be made from, are above all others, so that they are noticed.
uvec4 rank(vec4 v, uint id, uint vocab) {
	uvec4 bits = floatBitsToUint(v);
	uvec4 r = bits ^ (uvec4(ivec4(bits) >> 31) | 0x80000000u);
	r += uvec4(equal(r, uvec4(0x7fffffffu)));
	r |= -uvec4(greaterThanEqual(r - 0x007fffffu, uvec4(0xff000001u))); // outside [-Inf, +Inf)
	return r & -uvec4(lessThan(id + uvec4(0, 1, 2, 3), uvec4(vocab)));
}

#endif
