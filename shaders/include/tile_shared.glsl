// A tile of gemm on a GPU: 64 invocations bring 64 tokens and 64 rows, some columns
// at a time, to shared memory, transposed, and each reads its eight of both.
const uint STEP = max(16, 4 * WVEC), UNITS = STEP / 4 / WVEC, SIDE = 64;
layout(local_size_x = 8, local_size_y = 8) in;
shared float xs[STEP][SIDE + 1], ws[STEP][SIDE + 1];

void bring(uint u0, uint first, uint t0, uint T) {
	for (uint i = gl_LocalInvocationIndex; i < SIDE * STEP / 4; i += 64) {
		uint t = i / (STEP / 4), v = i % (STEP / 4), at = u0 * WVEC + v;
		vec4 a = at < push.width ? at4(x, min(t0 + t, T - 1) * push.stride + push.offset + at) : vec4(0);
		for (uint c = 0; c < 4; c++)
			xs[v * 4 + c][t] = a[c];
	}
	for (uint i = gl_LocalInvocationIndex; i < SIDE * UNITS; i += 64) {
		uint m = i % SIDE, u = i / SIDE;
		vec4 unit[WVEC];
		weight(w, min(first * 8 + m, push.panels * 8 - 1), min(u0 + u, push.blocks * BLOCK - 1), push.blocks, unit);
		for (uint c = 0; c < 4 * WVEC; c++)
			ws[u * WVEC * 4 + c][m] = unit[c / 4][c % 4];
	}
}

void tile(uint first, uint t0, uint T) {
	uint lane = gl_LocalInvocationID.x, token = gl_LocalInvocationID.y * TOKENS;
	for (uint u = 0; u * WVEC < push.width; u += UNITS) {
		bring(u, first, t0, T);
		barrier();
		for (uint k = 0; k < STEP; k++) {
			float row[PANELS];
			for (uint p = 0; p < PANELS; p++)
				row[p] = ws[k][p * 8 + lane];
			for (uint t = 0; t < TOKENS; t++) {
				float a = xs[k][token + t];
				for (uint p = 0; p < PANELS; p++)
					sum[t][p] += a * row[p];
			}
		}
		barrier();
	}
}
