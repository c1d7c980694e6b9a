#version 450
// Refused: texels of int.
layout(local_size_x = 1) in;
layout(set = 0, binding = 0, rgba32i) readonly uniform iimageBuffer u;
layout(set = 0, binding = 1) buffer Y { float y[]; };
void main() { y[0] = imageLoad(u, 0).x; }
