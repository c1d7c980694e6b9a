// Which sequence of the pass a kernel works for that has the memory of one row of the state at hand.
#ifndef SEQUENCE_GLSL
#define SEQUENCE_GLSL

// sequenceOf is the one that has a row of the state, params.sequences when none has.
uint sequenceOf(uint row) {
	uint i = 0;
	while (i < params.sequences && params.row[i] != row)
		i++;
	return i;
}

#endif
