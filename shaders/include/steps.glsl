// A step of gemv: the products of eight vec4 of columns, for all tokens and panels of an invocation.
#ifndef STEPS_GLSL
#define STEPS_GLSL

// fetch is a vec4 of a token's x, with what NORM asks for.
vec4 fetch(uint t, uint at) {
	vec4 v = at < push.width ? at4(x, token[t] + at) : vec4(0);
	if (NORM) {
		square[t] += v * v;
		v *= at < push.width ? at4(norm, at) : vec4(0);
	}
	return v;
}

#ifdef SOFTWARE
#define input(t, i) handed(xs[t][(i) / LANES], (i) % LANES)
#else
#define input(t, i) fetch(t, s * STEP + (i))
#endif

const uint PIECE = WVEC / PIECES; // vec4 that are widened at once

// advance adds the products of step s of the columns.
void advance(uint s, uint row[PANELS]) {
#ifdef SOFTWARE
	vec4 xs[TOKENS][STEP / LANES];
	for (uint t = 0; t < TOKENS; t++)
		for (uint i = 0; i < STEP / LANES; i++)
			xs[t][i] = fetch(t, s * STEP + i * LANES + mine());
#endif
#if defined(ONE_BY_ONE) && defined(SOFTWARE)
	if (TOKENS == 1) {
		uint b = UNITS == BLOCK ? s : s * UNITS / BLOCK, first = UNITS == BLOCK ? 0 : s * UNITS % BLOCK;
#ifdef OFFSET
		float all[UNITS * PIECES];
		for (uint i = 0; i < UNITS * PIECES; i++) {
			precise vec4 four = vec4(0);
			for (uint j = 0; j < PIECE; j++)
				four += input(0, i * PIECE + j);
			precise float one = (four.x + four.y) + (four.z + four.w);
			all[i] = one;
		}
#endif
		for (uint p = 0; p < PANELS; p++) {
			UNIT raw[UNITS];
			for (uint h = 0; h < UNITS; h++)
				raw[h] = unitAt(w, row[p], b, first + h);
			float d = scale(w, row[p], own % 8, b, first / SUB);
#ifdef OFFSET
			float o = offset(w, row[p], own % 8, b, first / SUB);
#endif
			for (uint i = 0; i < UNITS * PIECES; i++) {
				vec4 piece[PIECE];
				widenPiece(raw[i / PIECES], i % PIECES, piece);
				float both = 0;
				for (uint j = 0; j < PIECE; j++)
					both += dot(input(0, i * PIECE + j), piece[j]);
				sum[0][p] += d * both;
#ifdef OFFSET
				sum[0][p] += o * all[i];
#endif
			}
		}
		return;
	}
#endif
	float d[PANELS];
#ifdef OFFSET
	float o[PANELS];
#endif
	for (uint h = 0; h < UNITS; h++) {
		UNIT raw[PANELS];
		for (uint p = 0; p < PANELS; p++) {
			uint u = s * UNITS + h, b = u / BLOCK;
			if (h % SUB == 0) {
				d[p] = scale(w, row[p], own % 8, b, u % BLOCK / SUB);
#ifdef OFFSET
				o[p] = offset(w, row[p], own % 8, b, u % BLOCK / SUB);
#endif
			}
			raw[p] = unitAt(w, row[p], b, u % BLOCK);
		}
#if PIECES > 1
		for (uint i = 0; i < PIECES; i++)
#else
		const uint i = 0;
#endif
		{
			vec4 piece[PANELS][PIECE];
			for (uint p = 0; p < PANELS; p++)
				widenPiece(raw[p], i, piece[p]);
			for (uint t = 0; t < TOKENS; t++) {
				float both[PANELS];
				for (uint p = 0; p < PANELS; p++)
					both[p] = 0;
#ifdef OFFSET
				precise vec4 four = vec4(0);
#endif
				for (uint j = 0; j < PIECE; j++) {
					vec4 v = input(t, h * WVEC + i * PIECE + j);
					for (uint p = 0; p < PANELS; p++)
						both[p] += dot(v, piece[p][j]);
#ifdef OFFSET
					four += v;
#endif
				}
				for (uint p = 0; p < PANELS; p++)
					sum[t][p] += d[p] * both[p];
#ifdef OFFSET
				precise float all = (four.x + four.y) + (four.z + four.w);
				for (uint p = 0; p < PANELS; p++)
					sum[t][p] += o[p] * all;
#endif
			}
		}
	}
}

#endif
