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
		for (uint p = 0; p < PANELS; p++) {
			UNIT raw[UNITS];
			for (uint h = 0; h < UNITS; h++)
				raw[h] = unitAt(w, row[p], b, first + h);
			float d = scale(w, row[p], own % 8, b, first / SUB);
#ifdef OFFSET
			float o = offset(w, row[p], own % 8, b, first / SUB);
#endif
			for (uint h = 0; h < UNITS; h++) {
				vec4 unit[WVEC];
				widen(raw[h], unit);
				float both = 0;
				for (uint j = 0; j < WVEC; j++)
					both += dot(input(0, h * WVEC + j), unit[j]);
				sum[0][p] += d * both;
#ifdef OFFSET
				for (uint j = 0; j < WVEC; j++)
					sum[0][p] += o * sum4(input(0, h * WVEC + j));
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
		vec4 unit[PANELS][WVEC];
		for (uint p = 0; p < PANELS; p++)
			widen(raw[p], unit[p]);
		for (uint t = 0; t < TOKENS; t++) {
			float both[PANELS];
			for (uint p = 0; p < PANELS; p++)
				both[p] = 0;
			for (uint j = 0; j < WVEC; j++) {
				vec4 v = input(t, h * WVEC + j);
				for (uint p = 0; p < PANELS; p++) {
					both[p] += dot(v, unit[p][j]);
#ifdef OFFSET
					sum[t][p] += o[p] * sum4(v);
#endif
				}
			}
			for (uint p = 0; p < PANELS; p++)
				sum[t][p] += d[p] * both[p];
		}
	}
}

#endif
