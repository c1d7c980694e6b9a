#ifndef MATH_GLSL
#define MATH_GLSL

float sigmoid(float x) { return 1.0 / (1.0 + exp(-x)); }
vec4 sigmoid(vec4 x) { return 1.0 / (1.0 + exp(-x)); }

// exp(-x) overflows to infinity below -88, where x / inf is the right -0.
float silu(float x) { return x / (1.0 + exp(-x)); }
vec4 silu(vec4 x) { return x / (1.0 + exp(-x)); }

// ln(1 + e^x) without overflow. Below -4 the series of ln(1 + y) keeps the
// digits that 1 + y would lose.
float softplus(float x) {
	float y = exp(-abs(x));
	float small = y * (1.0 - y * (0.5 - y * (1.0 / 3.0 - y * (0.25 - 0.2 * y))));
	return max(x, 0.0) + (y < 0.02 ? small : log(1.0 + y));
}
vec4 softplus(vec4 x) { return vec4(softplus(x.x), softplus(x.y), softplus(x.z), softplus(x.w)); }

// x Φ(x) with Φ the normal distribution, which GLSL has no function for: erf after Abramowitz and
// Stegun, 7.1.26, within 2e-7.
float gelu(float x) {
	float z = abs(x) * 0.70710678, t = 1.0 / (1.0 + 0.3275911 * z);
	float p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
	float tail = 0.5 * p * exp(-z * z); // 1 - Φ(|x|)
	return x < 0 ? x * tail : x - x * tail;
}

float sum4(vec4 v) { return (v.x + v.y) + (v.z + v.w); }

#endif
