// The selective state space recurrence of one channel:
//   h = exp(Δ A) ⊙ h + Δ u B,   y = h · C
#ifndef RECURRENCE_GLSL
#define RECURRENCE_GLSL

layout(constant_id = 0) const uint N4 = 4; // N / 4

void advance(inout vec4 h, vec4 A, vec4 B, float delta, float du) {
	h = exp(delta * A) * h + du * B;
}

#endif
