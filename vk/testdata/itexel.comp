#version 450
// Refused: texels of int.
layout(local_size_x = 1) in;
layout(set = 0, binding = 0) uniform isamplerBuffer u;
layout(set = 0, binding = 1) buffer Y { float y[]; };
void main() { y[0] = texelFetch(u, 0).x; }
