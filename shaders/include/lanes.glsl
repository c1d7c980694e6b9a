// How eight neighbours come by the same numbers. On a software device a read costs
// each lane dear and a shuffle with a constant next to nothing: LANES of a subgroup
// fetch an element each and hand it round. On a GPU all read it, and a cache answers.
#ifndef LANES_GLSL
#define LANES_GLSL

#ifdef SOFTWARE
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
layout(constant_id = 4) const uint LANES = 8; // at most a subgroup and a workgroup's width
#define mine() (LANES == 1 ? 0 : gl_SubgroupInvocationID % LANES)
#define handed(v, lane) (LANES == 1 ? (v) : subgroupShuffle(v, lane))
#else
const uint LANES = 1;
#define mine() 0
#define handed(v, lane) (v)
#endif

#endif
