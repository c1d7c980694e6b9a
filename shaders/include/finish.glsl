// What may follow a matrix product, chosen when the pipeline is made:
//   y = act(W x · scale + b), y = add + W x, y = add + sigmoid(gate(x)) ⊙ W x
#ifndef FINISH_GLSL
#define FINISH_GLSL
#include "math.glsl"

layout(constant_id = 0) const bool BIAS = false;
layout(constant_id = 1) const bool SOFTPLUS = false;
layout(constant_id = 2) const bool ADD = false;
layout(constant_id = 3) const bool GATE = false;

#endif
