#ifndef NEAREST_GLSL
#define NEAREST_GLSL

// Packing rounds to float16 for good: a compiler may take a conversion there and back for nothing.
vec4 nearest(vec4 v) { return vec4(unpackHalf2x16(packHalf2x16(v.xy)), unpackHalf2x16(packHalf2x16(v.zw))); }

#endif
