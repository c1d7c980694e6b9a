#version 450
// Refused: an array of buffers.
layout(local_size_x = 1) in;
layout(set = 0, binding = 1) buffer Y { float y[]; } ys[2];
void main() { ys[1].y[0] = 1; }
