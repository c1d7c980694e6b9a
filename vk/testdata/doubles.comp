#version 450
// Needs 64-bit floats, which many devices lack.
layout(local_size_x = 1) in;
layout(set = 0, binding = 0) buffer Y { double y[]; };
void main() { y[0] *= 2.0lf; }
