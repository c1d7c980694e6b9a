#version 450
// Refused: texels that are written.
layout(local_size_x = 1) in;
layout(set = 0, binding = 0, rgba32f) uniform imageBuffer t;
void main() { imageStore(t, 0, imageLoad(t, 1)); }
