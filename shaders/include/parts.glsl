// How the invocations of a workgroup share a row of columns, and how their sums become one. A step of
// columns is STEP vec4. On a software device eight neighbours do all steps; on a GPU PARTS of eight
// take them in turn, and of SPAN neighbours the sums are added up without shared memory where
// SUBGROUP allows it.
#ifndef PARTS_GLSL
#define PARTS_GLSL
#include "lanes.glsl"

const uint STEP = 8;
#ifdef SOFTWARE
const uint PARTS = 1;
#else
const uint PARTS = 16;
#endif
layout(local_size_x = 8 * PARTS) in;

#ifdef SUBGROUP
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
uint own = gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID, SPAN = max(8, gl_SubgroupSize);
float joined(float v) {
	for (uint s = 8; s < gl_SubgroupSize; s *= 2)
		v += subgroupShuffleXor(v, s);
	return v;
}
#else
uint own = gl_LocalInvocationIndex;
const uint SPAN = 8;
float joined(float v) { return v; }
#endif

// squaresOf is what the LANES have of a token's squares.
float squaresOf(vec4 square) {
	float all = 0;
	for (uint l = 0; l < LANES; l++)
		all += sum4(handed(square, l));
	return all;
}

#endif
