// Weight matrices keep the type they have in the file and are widened here; no 16-bit feature of the device is
// needed. They lie in panels of eight rows, so that eight neighbours with a row each read one run of memory. A
// row is cut into blocks and these into units, each of which an invocation reads at once; of a block a panel
// holds unit after unit, of every unit the eight rows.
//
// How a type does that is told by weight/TYPE/format.glsl, the only file that knows it:
//
//   WVEC   vec4 of weights in a unit: 1, 2, 4 or 8    BLOCK  units in a block of a row
//   SUB    neighbouring units with the same scale     PANEL  texels of 16 bytes in a block of eight rows
//   widen(unit, w)  fills w[WVEC] with the numbers of a unit
//
// and, where it differs from what stands below:
//
//   WEIGHT(b, name)            declares a matrix at a binding
//   UNIT                       what a unit is
//   unitAt(name, row, b, i)    unit i of block b of the row that begins at texel row
//   SCALE, scale(name, row, lane, b, sub)    weights are numbers times this, of the sub-th SUB units of block b;
//                              lane is the row's place in its panel
//   OFFSET, offset(name, row, lane, b, sub)  and then plus this
//   PIECES, widenPiece(unit, i, w)  a unit is too much for registers at once: widenPiece fills w[WVEC / PIECES] with
//                              the i-th of its pieces
//   EXACT                      whether every weight is a float16
//   ONE_BY_ONE                 one panel after another suits a token on a software device; SUB units are 32 columns
#ifndef WEIGHT_GLSL
#define WEIGHT_GLSL
#include "access.glsl"
#include "format.glsl"

#ifndef UNIT
#define UNIT uvec4
#define WEIGHT(b, name) UIN4(b, name)
#define unitAt(name, row, b, i) uat4(name, (row) + (b) * PANEL + (i) * 8)
#endif
#ifndef SCALE
#define scale(name, row, lane, b, sub) 1.0
#endif
#ifndef PIECES
#define PIECES 1
#define widenPiece(unit, i, w) widen(unit, w)
#endif
#ifndef EXACT
#define EXACT false
#endif

// Where row m begins.
uint panel(uint m, uint blocks) { return m / 8 * blocks * PANEL + m % 8; }

// weights(name, row, lane, u, w) fills w[WVEC] with unit u of a row.
#define weights(name, row, lane, u, w) { \
	uint b_ = (u) / BLOCK; \
	widen(unitAt(name, row, b_, (u) % BLOCK), w); \
	finishWeights(name, row, lane, b_, (u) % BLOCK / SUB, w) \
}
#if PIECES > 1
void widen(UNIT unit, out vec4 w[WVEC]) {
	for (uint i = 0; i < PIECES; i++) {
		vec4 piece[WVEC / PIECES];
		widenPiece(unit, i, piece);
		for (uint j = 0; j < WVEC / PIECES; j++)
			w[i * (WVEC / PIECES) + j] = piece[j];
	}
}
#endif
#define scaled(name, row, lane, b, sub, w) { \
	float scale_ = scale(name, row, lane, b, sub); \
	for (uint j_ = 0; j_ < WVEC; j_++) \
		w[j_] *= scale_; \
}
#ifdef OFFSET
#define finishWeights(name, row, lane, b, sub, w) { \
	scaled(name, row, lane, b, sub, w) \
	float offset_ = offset(name, row, lane, b, sub); \
	for (uint j_ = 0; j_ < WVEC; j_++) \
		w[j_] += offset_; \
}
#elif defined(SCALE)
#define finishWeights scaled
#else
#define finishWeights(name, row, lane, b, sub, w)
#endif

// weight(name, m, u, blocks, w) fills w[WVEC] with unit u of row m.
#define weight(name, m, u, blocks, w) { \
	uint row_ = panel(m, blocks); \
	weights(name, row_, (m) % 8, u, w) \
}

#endif
