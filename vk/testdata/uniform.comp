#version 450
// Refused: a uniform buffer.
layout(local_size_x = 1) in;
layout(set = 0, binding = 2) uniform U { float u; };
layout(set = 0, binding = 0) buffer Y { float y[]; };
void main() { y[0] = u; }
