// The two types of 16 bits: KIND 0 is float16, 1 is bfloat16.
#define WVEC 2
#define BLOCK 8
#define SUB 8
#define PANEL 64
#define EXACT (KIND == 0)

layout(constant_id = 9) const uint KIND = 0;

void widen(uvec4 v, out vec4 w[WVEC]) {
	if (KIND == 0) {
		w[0] = vec4(unpackHalf2x16(v.x), unpackHalf2x16(v.y));
		w[1] = vec4(unpackHalf2x16(v.z), unpackHalf2x16(v.w));
	} else {
		uvec4 low = v << 16, high = v & 0xffff0000u;
		w[0] = uintBitsToFloat(uvec4(low.x, high.x, low.y, high.y));
		w[1] = uintBitsToFloat(uvec4(low.z, high.z, low.w, high.w));
	}
}
