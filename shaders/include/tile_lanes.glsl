// A tile of gemm on a software device: no shared memory, which costs each lane dear;
// the eight lanes fetch a token each and hand it round.
layout(local_size_x = 8) in;

void tile(uint first, uint t0, uint T) {
	uint row[PANELS], token[TOKENS / LANES];
	for (uint p = 0; p < PANELS; p++)
		row[p] = panel(min(first + p, push.panels - 1) * 8 + gl_LocalInvocationID.x, push.blocks);
	for (uint g = 0; g < TOKENS / LANES; g++)
		token[g] = min(t0 + g * LANES + mine(), T - 1) * push.stride + push.offset;
	for (uint u = 0; u * WVEC < push.width; u++) {
		vec4 unit[PANELS][WVEC];
		for (uint p = 0; p < PANELS; p++)
			weights(w, row[p], gl_LocalInvocationID.x, u, unit[p]);
		for (uint g = 0; g < TOKENS / LANES; g++)
			for (uint j = 0; j < WVEC; j++) {
				uint at = u * WVEC + j;
				vec4 xs = at < push.width ? at4(x, token[g] + at) : vec4(0);
				for (uint l = 0; l < LANES; l++) {
					vec4 a = handed(xs, l);
					for (uint p = 0; p < PANELS; p++)
						sum[g * LANES + l][p] += dot(a, unit[p][j]);
				}
			}
	}
}
