#ifndef HALVES_GLSL
#define HALVES_GLSL

// half_of is the i-th of eight halves.
float half_of(uvec4 v, uint i) {
	uvec2 side = (i & 4) == 0 ? v.xy : v.zw;
	vec2 both = unpackHalf2x16((i & 2) == 0 ? side.x : side.y);
	return (i & 1) == 0 ? both.x : both.y;
}

#endif
