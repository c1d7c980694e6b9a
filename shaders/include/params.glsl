// What changes from pass to pass; everything else is recorded once.
#ifndef PARAMS_GLSL
#define PARAMS_GLSL

layout(set = 0, binding = 0, std430) readonly buffer Params {
	uint tokens;     // T, tokens of each sequence in this pass
	uint sequences;  // B; more than one only when tokens is 1
	uint spare[2];
	uint position[64]; // of each sequence's first token
	uint row[64];      // of the state, each sequence's
} params;

#endif
