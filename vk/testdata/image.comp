#version 450
// Refused: a storage image.
layout(local_size_x = 1) in;
layout(set = 0, binding = 0, rgba32f) uniform writeonly image2D img;
void main() { imageStore(img, ivec2(0), vec4(0)); }
